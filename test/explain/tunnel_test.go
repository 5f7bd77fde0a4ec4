package explain

import (
	"context"
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/trace"
	"lnsgate/test/peers"
	"lnsgate/test/simnet"
)

// secured has the l2tp group demand the tunnel secret.
func secured(l *lab) {
	l.config.Groups[0].Secret, l.config.Groups[0].Authenticate = aaa.NewSecret(tunnelSecret), true
}

// deaf has nothing reach the peers that the server sends.
func deaf(l *lab) {
	l.net.DropIf(func(d simnet.Datagram) bool { return d.From == serverAddr })
}

// nosy is a peer that wants the server to answer a challenge.
func nosy(l *lab, secret string) *peers.Peer {
	p := l.alice()
	p.Login.Secret, p.Login.Challenge = secret, []byte("who are you?")
	return p
}

func tunnelRows() []row {
	return []row{
		{cause: trace.NoGroup, how: "from an address that no group is for", says: []string{`"laptop"`, "198.51.100.1"},
			set:  func(l *lab) { l.config.Groups[0].Sources = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} },
			play: func(l *lab) { l.fails(l.alice(), 5*time.Second) }},
		{cause: trace.IPsecRequired, how: "in the clear", says: []string{"l2tp group default"},
			set:  func(l *lab) { l.config.Groups[0].RequireIPsec = true },
			play: func(l *lab) { l.fails(l.alice(), 5*time.Second) }},
		{cause: trace.TunnelLimit, how: "one tunnel too many", says: []string{"limits.tunnels"},
			set: func(l *lab) { l.config.Limits.Tunnels = 1 },
			play: func(l *lab) {
				l.up(l.alice())
				l.fails(l.peer("bob@default", password), 5*time.Second)
			}},
		{cause: trace.SourceLimit, how: "two half-open tunnels from one address", says: []string{"limits.half_open_per_source"},
			set: func(l *lab) { l.config.Limits.HalfOpenPerSource = 1 },
			play: func(l *lab) {
				deaf(l)
				for port := range uint16(2) {
					end := l.net.Endpoint(nil, netip.AddrPortFrom(netip.MustParseAddr("198.51.100.9"), 4000+port))
					l.fails(l.peerAt(end, "alice", password), 300*time.Millisecond)
				}
			}},
		{cause: trace.ProtocolVersion, how: "L2TP 2.0 of the future", says: []string{"protocol version 2 is not supported"},
			play: func(l *lab) {
				l.fails(l.alice(func(p *peers.Profile) { p.Start[0] = peers.Number(2, 0x0200) }), 5*time.Second)
			}},
		{cause: trace.MalformedMessage, how: "an unknown AVP that is mandatory", says: []string{"attribute 999"},
			play: func(l *lab) {
				l.fails(l.alice(func(p *peers.Profile) { p.Start = append(p.Start, peers.Number(999, 1)) }), 5*time.Second)
			}},
		{cause: trace.TunnelSecretWrong, how: "the peer has another secret", says: []string{"the tunnel secrets differ"}, set: secured,
			play: func(l *lab) {
				p := l.alice()
				p.Login.Secret = wrong
				l.fails(p, 5*time.Second)
			}},
		{cause: trace.TunnelSecretMissing, how: "the peer has no secret", says: []string{"did not answer the challenge"}, set: secured,
			play: func(l *lab) { l.fails(l.alice(), 5*time.Second) }},
		{cause: trace.TunnelSecretRefused, how: "the peer does not like our answer", says: []string{"not authorized"}, set: secured,
			play: func(l *lab) { l.fails(nosy(l, wrong), 5*time.Second) }},
		{cause: trace.TunnelSecretUnknown, how: "the peer asks and we have none", says: []string{"no tunnel secret is configured"},
			play: func(l *lab) { l.fails(nosy(l, tunnelSecret), 5*time.Second) }},
		{cause: trace.TunnelNoAnswer, how: "no SCCRP reaches the peer", says: []string{"not established within 30s"}, play: func(l *lab) {
			deaf(l)
			l.fails(l.alice(), 3*time.Minute)
		}},
		{cause: trace.TunnelLost, how: "the peer's network is gone", set: func(l *lab) { l.config.Templates[0].EchoInterval = 0 },
			play: func(l *lab) {
				p := l.up(l.alice())
				p.Silence(true)
				p.Run(5 * time.Minute)
			}},
		{cause: trace.TunnelClosed, how: "the peer sends StopCCN", says: []string{"result 6"}, play: func(l *lab) {
			p := l.up(l.alice())
			p.Stop(0, 6)
			p.Run(time.Second)
		}},
		{cause: trace.TunnelShutdown, how: "a first message that is not numbered 0", says: []string{"opens no tunnel"}, play: func(l *lab) {
			p := l.alice()
			c := peers.Control{Ns: 5, AVPs: peers.Message(peers.SCCRQ, peers.Number(2, 0x0100), peers.Text(7, "laptop"), peers.Long(3, 3), peers.Number(9, 77))}
			p.Raw(c.Octets())
			p.Run(time.Second)
		}},
		{cause: trace.TunnelIdle, how: "no call comes", says: []string{"no session for 1m0s"}, play: func(l *lab) {
			p := l.alice(func(p *peers.Profile) { p.Resend, p.Tries = time.Hour, 1 })
			l.net.DropIf(func(d simnet.Datagram) bool { return d.To == serverAddr && kindOf(d.Bytes) == peers.ICRQ })
			l.fails(p, 3*time.Minute)
		}},
		{cause: trace.PeerRestarted, how: "the same peer dials anew", play: func(l *lab) {
			end := l.net.Endpoint(nil, netip.MustParseAddrPort("198.51.100.9:1701"))
			l.up(l.peerAt(end, "alice", password)).Run(11 * time.Second) // else it could be the same SCCRQ, sent twice
			l.up(l.peerAt(end, "alice", password))
		}},
	}
}

// kindOf is the type of the control message in a datagram of a peer; 0 when it is none.
func kindOf(b []byte) uint16 {
	c, err := peers.ReadControl(b)
	if err != nil {
		return 0
	}
	return c.Type()
}

// silentICCN has calls announced that are never connected.
func silentICCN(l *lab) {
	l.net.DropIf(func(d simnet.Datagram) bool { return d.To == serverAddr && kindOf(d.Bytes) == peers.ICCN })
}

func callRows() []row {
	return []row{
		{cause: trace.CallClosed, how: "CDN of the LAC", says: []string{"result 3"}, play: func(l *lab) {
			p := l.up(l.alice())
			p.HangUp(peers.AVP{Type: 1, Value: []byte{0, 3}})
			p.Run(time.Second)
		}},
		{cause: trace.CallRefused, how: "an answer where a question is due", says: []string{"no such call"}, play: func(l *lab) {
			p := l.up(l.alice())
			p.Say(0, peers.ICRP, nil, peers.Number(14, p.Session))
			p.Run(time.Second)
		}},
		{cause: trace.CallNotConnected, how: "no ICCN comes", says: []string{"not established within"}, play: func(l *lab) {
			silentICCN(l)
			p := l.alice(func(p *peers.Profile) { p.Resend, p.Tries = time.Hour, 1 })
			p.Dial()
			p.Run(time.Second)
			p.Acknowledge()
			p.Run(3 * time.Minute)
		}},
		{cause: trace.TooManySessions, how: "one session too many", says: []string{"1 sessions", "limits.sessions"},
			set: func(l *lab) { l.config.Limits.Sessions = 1 },
			play: func(l *lab) {
				l.up(l.alice())
				l.fails(l.peer("bob@default", password), 5*time.Second)
			}},
		{cause: trace.TunnelSessions, how: "one call too many in a tunnel", says: []string{"already has 1 calls"},
			set: func(l *lab) { l.config.Limits.SessionsPerTunnel = 1 },
			play: func(l *lab) {
				p := l.up(l.alice())
				p.Say(0, peers.ICRQ, nil, peers.Number(14, 9), peers.Long(15, 1))
				p.Run(time.Second)
			}},
		{cause: trace.MadeRoom, how: "others want to log in", says: []string{"limits.sessions"},
			set: func(l *lab) { l.config.Limits.Sessions = 1 },
			play: func(l *lab) {
				slow := l.alice(func(p *peers.Profile) { p.LinkAfter = time.Minute })
				slow.OnFrame = func(peers.Frame) bool { return true }
				slow.Dial()
				slow.Run(500 * time.Millisecond)
				l.fails(l.peer("bob@default", password), 2*time.Second)
			}},
		{cause: trace.SetupTimeout, how: "a peer that takes its time", says: []string{"still at LCP after 5s"},
			set: func(l *lab) { l.config.Limits.SetupTimeout = 5 * time.Second },
			play: func(l *lab) {
				l.fails(l.alice(func(p *peers.Profile) { p.LinkAfter = time.Minute }), 20*time.Second)
			}},
		{cause: trace.Shutdown, how: "lnsgate is stopped", play: func(l *lab) {
			l.up(l.alice())
			l.server.Close(context.Background())
		}},
	}
}
