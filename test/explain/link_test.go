package explain

import (
	"time"

	"lnsgate/lns/trace"
	"lnsgate/test/peers"
)

// answer has the peer answer each LCP Configure-Request with a code, and not as usual.
func answer(p *peers.Peer, code uint8, data func(peers.Frame) []byte) *peers.Peer {
	p.OnFrame = func(f peers.Frame) bool {
		if f.Protocol != peers.LCP || f.Code != peers.ConfigureRequest {
			return false
		}
		p.Frame(peers.Frame{Protocol: peers.LCP, Code: code, ID: f.ID, Data: data(f)})
		return true
	}
	return p
}

func linkRows() []row {
	return []row{
		{cause: trace.LinkNoAnswer, how: "no PPP on the line", says: []string{"10 Configure-Requests sent, none answered"}, play: func(l *lab) {
			p := l.alice(func(p *peers.Profile) { p.AckOnly = true })
			p.OnFrame = func(peers.Frame) bool { return true }
			l.fails(p, 2*time.Minute)
		}},
		{cause: trace.LinkOneWay, how: "our frames are lost on the way", says: []string{"none answered"}, play: func(l *lab) {
			p := l.alice()
			p.OnFrame = func(peers.Frame) bool { return true }
			l.fails(p, 2*time.Minute)
		}},
		{cause: trace.LinkNotConverging, how: "a peer that is never content", says: []string{"MRU"}, play: func(l *lab) {
			n := byte(200)
			l.fails(answer(l.alice(), peers.ConfigureNak, func(peers.Frame) []byte {
				n--
				return []byte{1, 4, 5, n}
			}), 2*time.Minute)
		}},
		{cause: trace.LinkLooped, how: "every frame comes back", play: func(l *lab) {
			p := l.alice(func(p *peers.Profile) { p.AckOnly = true })
			p.OnFrame = func(f peers.Frame) bool { p.Frame(f); return true }
			l.fails(p, 2*time.Minute)
		}},
		{cause: trace.LinkRejected, how: "the far end knows no Configure-Request", says: []string{"does not know Configure-Request"}, play: func(l *lab) {
			l.fails(answer(l.alice(), peers.CodeReject, func(f peers.Frame) []byte { return f.Packet() }), time.Minute)
		}},
		{cause: trace.PeerTerminated, how: "Windows hangs up and says why", says: []string{"Windows error 734"}, play: func(l *lab) {
			p := l.up(l.alice())
			p.Frame(peers.Frame{Protocol: peers.LCP, Code: peers.TerminateRequest, ID: 77, Data: []byte("\x39\x5a\x11\x7c\x00\x3c\xcd\x74\x00\x00\x02\xde")})
			p.Run(10 * time.Second)
		}},
		{cause: trace.EchoLost, how: "a phone falls asleep", set: func(l *lab) { l.config.Groups[0].Hello = time.Hour }, play: func(l *lab) {
			p := l.up(l.alice())
			p.Silence(true)
			p.Run(5 * time.Minute)
		}},
		{cause: trace.AuthenticationRefused, how: "the peer wants MS-CHAPv1", says: []string{"authentication MS-CHAPv1", "offered: CHAP"}, play: func(l *lab) {
			l.fails(l.alice(func(p *peers.Profile) { p.Methods = []peers.Method{"\xc2\x23\x80"} }), time.Minute)
		}},
	}
}
