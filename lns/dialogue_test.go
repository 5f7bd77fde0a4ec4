package lns_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
	"lnsgate/lns/ppp"
	"lnsgate/test/simnet"
)

func randomness(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// score is the script of a game: each octet decides something, and after its end everything is 0.
type score struct{ octets []byte }

func (s *score) next() byte {
	if len(s.octets) == 0 {
		return 0
	}
	b := s.octets[0]
	s.octets = s.octets[1:]
	return b
}

func (s *score) take(n int) []byte {
	n = min(n, len(s.octets))
	b := bytes.Clone(s.octets[:n])
	s.octets = s.octets[n:]
	return b
}

// The moves of a game, by the octet that asks for them.
const (
	moveWait = iota
	moveDial
	moveHangUp
	moveSilence
	moveSay
	moveFrame
	moveRaw
	moveFlood
	moveElsewhere
	moveTrouble
	moveOperator
	moveHonest
	moveTraffic
	moveCount
)

// maxMoves bounds how long a game takes.
const maxMoves = 64

// play plays the moves of a script.
func (w *torture) play(s *score) {
	honest := 0
	for range maxMoves {
		if len(s.octets) == 0 {
			return
		}
		move := s.next() % moveCount
		h := w.bad[int(s.next())%len(w.bad)]
		switch move {
		case moveWait:
			w.sleep(time.Millisecond << (s.next() % 19)) // up to 4 minutes
		case moveDial:
			w.dialBadly(h, s)
		case moveHangUp:
			h.hangUp()
		case moveSilence:
			h.mu.Lock()
			h.silent = !h.silent
			h.mu.Unlock()
		case moveSay:
			m := message(s, h)
			more, numbers := s.next(), s.next()
			h.say(m, uint16(more&3)*uint16(more>>7), uint16(numbers&3)-uint16(numbers>>2&1), uint16(numbers>>4&3)-uint16(numbers>>6&1))
			w.sleep(0)
		case moveFrame:
			h.frame(frame(s))
			w.sleep(0)
		case moveRaw:
			how := s.next()
			h.raw(s.take(int(s.next())), how&1 != 0)
			w.sleep(0)
		case moveFlood:
			w.flood(h, s)
		case moveElsewhere:
			h.settle(netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, 9}), 20000+uint16(len(s.octets))))
		case moveTrouble:
			w.makeTrouble(s.next(), s.next())
		case moveOperator:
			w.operate(s.next())
		case moveHonest:
			if honest++; honest <= 3 {
				w.trouble.over()
				w.honestLogin().cancel()
			}
		case moveTraffic:
			w.traffic()
		}
	}
}

// dialBadly has somebody dial whose datagrams suffer, and who may be anybody.
func (w *torture) dialBadly(h *hostile, s *score) {
	who, what, mangles := s.next(), s.next(), make([]mangle, s.next()%8)
	for i := range mangles {
		mangles[i] = mangle{int(s.next()), s.next(), s.next(), s.next()}
	}
	user, password := []string{"bob", "carol", "nobody", "bob@default"}[who&3], "secret"
	if who&4 != 0 {
		password = "wrong"
	}
	methods := [][]aaa.Method{{aaa.CHAP}, {aaa.MSCHAPv2}, {aaa.PAP}, {aaa.EAP}, {aaa.MethodNone}}[what%5]
	h.dialAs(func(c *lac.ClientConfig) {
		c.Login.User, c.Login.Methods = user, methods
		c.Login.Credentials = secret.NewAnswerer(user, aaa.NewSecret(password), [16]byte{3})
		c.Login.IPv6, c.Login.Delegated, c.Login.NoIPv4 = who&8 != 0, who&16 != 0, who&32 != 0
		if who&64 != 0 {
			c.Login.Address, c.Login.EchoInterval = netip.MustParseAddr("10.10.1.99"), 10*time.Second
		}
		if who&128 != 0 {
			c.Config.Tunnel = 1
		}
	}, mangles)
	w.sleep(0)
}

// message is a control message that may be due, with contents of the script.
func message(s *score, h *hostile) l2tp.Message {
	id := l2tp.SessionID(s.next()%4 + 1)
	result := l2tp.ResultCode{Result: uint16(s.next() % 16), Error: uint16(s.next() % 10)}
	switch s.next() % 15 {
	case 0:
		return l2tp.SCCRQ{HostName: string(s.take(4)) + "x", Framing: 3, AssignedTunnel: h.peerID, ReceiveWindow: uint16(s.next())}
	case 1:
		return l2tp.SCCRQ{HostName: "laptop", AssignedTunnel: l2tp.TunnelID(id), Challenge: []byte("0123456789")}
	case 2:
		return l2tp.SCCCN{ChallengeResponse: s.take(16)}
	case 3, 4:
		return l2tp.ICRQ{AssignedSession: id, CallingNumber: string(s.take(3))}
	case 5:
		return l2tp.ICCN{FramingType: 1, TxSpeed: 1000, SequencingRequired: s.next()&1 != 0}
	case 6:
		return l2tp.ICCN{FramingType: 1, LastSentLCP: s.take(12), LastReceivedLCP: s.take(12), InitialReceivedLCP: s.take(12),
			ProxyAuth: l2tp.ProxyAuth{Present: true, Type: uint16(s.next() % 6), Name: "bob", ID: s.next(),
				Challenge: s.take(16), Response: l2tp.Secret("secret")}}
	case 7:
		return l2tp.CDN{AssignedSession: id, Result: result}
	case 8:
		return l2tp.StopCCN{AssignedTunnel: h.peerID, Result: result}
	case 9:
		return l2tp.Hello{}
	case 10:
		return l2tp.WEN{CRCErrors: 1}
	case 11:
		return l2tp.SLI{SendACCM: 1}
	case 12:
		return l2tp.SCCRP{HostName: "lns", AssignedTunnel: h.peerID}
	case 13:
		return l2tp.ICRP{AssignedSession: id}
	default:
		return l2tp.ZLB{}
	}
}

// protocols are those that the server talks, and one that it does not.
var protocols = []uint16{0xc021, 0xc023, 0xc223, 0xc227, 0x8021, 0x8057, 0x80fd, 0x0021, 0x0057, 0x00ff}

// frame is a PPP frame: a packet of a control protocol whose length is right or wrong, or user traffic.
func frame(s *score) []byte {
	protocol, code, id, how := protocols[int(s.next())%len(protocols)], s.next(), s.next(), s.next()
	data := s.take(int(how & 63))
	length := uint16(len(data) + 4)
	if how&64 != 0 {
		length = uint16(s.next())
	}
	b := []byte{0xff, 3}
	if how&128 != 0 {
		b = nil
	}
	b = binary.BigEndian.AppendUint16(b, protocol)
	if protocol < 0x8000 {
		return append(b, data...)
	}
	return append(binary.BigEndian.AppendUint16(append(b, code, id), length), data...)
}

// flood gives the server more for one tunnel than it can take at once; what it keeps of it has a bound.
func (w *torture) flood(h *hostile, s *score) {
	h.mu.Lock()
	head := l2tp.Header{Length: true, Tunnel: h.tunnel, Session: h.session}
	from := h.end.PathTo(h.end.Addr())
	h.mu.Unlock()
	echo := append([]byte{0xff, 3}, 0xc0, 0x21, byte(ppp.EchoRequest), s.next(), 0, 8, 0, 0, 0, 0)
	receiver, b := w.server.Receiver(), append(l2tp.AppendDataHeader(nil, head, len(echo)), echo...)
	for range 64 << (s.next() % 6) {
		receiver.Datagram(from, b)
	}
	if n := w.server.LongestMailbox(); n > lns.MaxMail+64 { // letters that may not be dropped are few
		w.t.Errorf("%d letters wait for one tunnel", n)
	}
	w.sleep(0)
}

// makeTrouble has a room of the server be slow or fail.
func (w *torture) makeTrouble(what, much byte) {
	w.rooms = true
	wait := int64(time.Millisecond << (much % 17))
	switch what % 5 {
	case 0:
		w.trouble.think.Store(wait)
	case 1:
		w.trouble.lease.Store(wait)
	case 2:
		w.trouble.noLease.Store(true)
	case 3:
		w.trouble.noWay.Store(true)
	case 4:
		w.trouble.over()
	}
}

// operate is what an operator may do meanwhile. The honest are left alone.
func (w *torture) operate(what byte) {
	ctx := context.Background()
	others := func(do func(record string)) {
		for _, l := range w.server.Find(ctx, aaa.Match{}) {
			if l.Account != "l2tpuser" {
				do(l.Session)
			}
		}
	}
	switch what % 8 {
	case 0:
		_, _ = w.server.Kick(ctx, "bob", "lunch")
	case 1:
		others(func(record string) { w.server.Disconnect(ctx, record, "by radius1") })
	case 2:
		others(func(record string) { w.server.LoseLease(ctx, record, "the database is away") })
	case 3:
		w.accounts(what&8 != 0)
		_ = w.server.Reload(ctx, w.config)
	case 4:
		_ = w.server.Reauthorize(ctx, func(s lns.SessionInfo) bool { return s.Account != "l2tpuser" })
	case 5:
		w.server.Sessions()
		w.server.Tunnels()
	case 6:
		others(func(record string) { w.server.Drop(ctx, record, "logged in elsewhere") })
	case 7:
		timeout := time.Minute
		others(func(record string) { _ = w.server.Change(ctx, []string{record}, aaa.Change{SessionTimeout: &timeout}) })
	}
}

// FuzzDialogues has four peers of ill will say anything at any time to a whole server, while others log in as they should, the
// network loses and reorders, back ends fail, operators interfere and hours pass. Nothing panics, the honest get in, and of those
// who are gone nothing remains.
func FuzzDialogues(f *testing.F) {
	for _, s := range dialogues() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		s := &score{script}
		weather := s.next()
		network := simnet.Config{Latency: 2 * time.Millisecond, Seed: uint64(s.next()), Jitter: time.Duration(weather>>6) * 20 * time.Millisecond,
			Loss: float64(weather&3) / 50, Duplicate: float64(weather>>2&1) / 20, Reorder: float64(weather>>3&1) / 10}
		runTorture(t, network, weather&16 != 0, func(w *torture) { w.play(s) })
	})
}

// dialogues are games to begin with: each login that there is, undisturbed, and games of chance.
func dialogues() (all [][]byte) {
	const second, minute = 10, 16
	for what := range byte(5) {
		all = append(all, []byte{0, 1,
			moveDial, 0, 0, what, 0, moveWait, 0, second, moveFlood, 0, 7, 5, moveTraffic, 0,
			moveDial, 1, 1 + 8 + 16, what, 0, moveWait, 0, second, moveSilence, 1, moveWait, 0, minute, moveOperator, 0, what,
			moveDial, 2, 4, what, 2, 3, 2, 20, 1, 5, 5, 0, 0, moveWait, 0, second, moveElsewhere, 1, moveWait, 0, second, moveHonest, 0})
	}
	by := func(kind byte) []byte { return []byte{moveSay, 0, 0, 1, 0, kind} }
	byHand := bytes.Join([][]byte{{20, 1}, by(0), []byte("host"), {8, 0, 0}, {moveWait, 0, 4}, by(2), {0, 0}, by(3), []byte("555"), {0, 0}, {moveWait, 0, 4},
		by(5), {0, 0, 0}, {moveWait, 0, 4, moveFrame, 0, 0, 1, 1, 6, 5, 6, 1, 2, 3, 4, moveWait, 0, second, moveFrame, 0, 2, 2, 1, 5, 4, 1, 2, 3, 4},
		by(7), {0, 0}, by(8), {0, 0}}, nil)
	all = append(all, byHand)
	chance := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		b := make([]byte, 60+chance.IntN(200))
		for i := range b {
			b[i] = byte(chance.Uint32())
		}
		all = append(all, b)
	}
	return all
}
