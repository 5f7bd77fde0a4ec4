package peers_test

import (
	"bytes"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/transport"
	"lnsgate/test/peers"
	"lnsgate/test/simnet"
)

// the Host Name ends with a NUL, which nobody types into a configuration.
func TestQ10HostNameWithNUL(t *testing.T) {
	inLab(t, func(l *lab) {
		mac := l.config.Groups[0]
		mac.Name, mac.HostNames, mac.LocalName = "mac", []string{"Annas-MacBook.local"}, "LNS-for-Macs"
		l.config.Groups = append(l.config.Groups, mac)
	}, func(l *lab) {
		l.connect(peers.Apple())
		if got := l.server.Tunnels()[0]; got.HostName != "Annas-MacBook.local" || got.Group != "mac" {
			t.Errorf("%+v", got)
		}
	})
}

// a burst of HELLOs with tunnel id 0 wakes up IPsec. It is no attack, and nothing is answered.
func TestQ11HellosBeforeTheSCCRQ(t *testing.T) {
	inLab(t, func(l *lab) { l.deps.Admission = &admission{} }, func(l *lab) {
		peer := l.peer(peers.Apple())
		peer.Profile.Tries = 0 // the SCCRQ stays away for now
		for range 15 {
			peer.Raw(peers.Control{AVPs: peers.Message(peers.HELLO)}.Octets())
		}
		peer.Run(time.Second)
		if peer.Transcript() != "" {
			t.Errorf("the server said\n%s", peer.Transcript())
		}
		l.wantCount("drop_tunnel_zero", 15)
		l.wantTunnels(0)
		if n := l.deps.Admission.(*admission).asked.Load(); n != 0 {
			t.Errorf("%d of them counted against its budget", n)
		}
		peer.Profile = peers.Apple()
		l.dial(peer)
	})
}

// Apple ignores a Challenge. Where a secret is required it is told so; a group by source may do without.
func TestQ12TheChallengeIsIgnored(t *testing.T) {
	inLab(t, func(l *lab) {
		g := &l.config.Groups[0]
		g.Secret, g.Authenticate = aaa.NewSecret("tunnel"), true
		open := *g
		open.Name, open.Authenticate, open.Sources = "behind ipsec", false, []netip.Prefix{netip.MustParsePrefix("198.51.100.2/32")}
		l.config.Groups = append(l.config.Groups, open)
	}, func(l *lab) {
		peer := l.peer(peers.Apple())
		peer.Dial()
		peer.Run(2 * time.Second)
		if peer.Closed() == nil {
			t.Fatalf("no StopCCN\n%s", peer.Transcript())
		}
		result, _, text := peer.Closed().Result()
		if want := "tunnel authentication is required here, but you did not answer the challenge"; result != 4 || text != want {
			t.Errorf("%d %q", result, text)
		}
		if !strings.Contains(l.log.String(), "did not answer the challenge") {
			t.Error("the log does not say why")
		}
		l.connect(peers.Apple()) // its address is that of the group without
	})
}

// StopCCN and CDN with the Result Code in host byte order, and stale octets behind it.
func TestQ13ResultCodeInHostByteOrder(t *testing.T) {
	stale := []byte{0x01, 0x00, 0xde, 0xad, 0xbe, 0xef, 0x00, 0x07}
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.Apple())
		peer.HangUp(peers.AVP{Type: 1, Value: stale})
		peer.Run(time.Second)
		l.wantSessions(0)
		if !strings.Contains(l.log.String(), "result 1 (carrier lost)") || strings.Contains(l.log.String(), "error 57005") {
			t.Error("the log does not say result 1")
		}
		peer.Stop(stale...)
		peer.Run(time.Minute)
		l.wantTunnels(0)
		if !strings.Contains(l.log.String(), "result 1 (general request") {
			t.Error("the log does not say result 1 of StopCCN")
		}
	})
}

// admission lets a single tunnel in, and counts how often it is asked.
type admission struct{ asked atomic.Int64 }

func (a *admission) Allow(netip.AddrPort, uint16, time.Time) (bool, transport.Refusal) {
	return a.asked.Add(1) == 1, transport.Refusal(0)
}

// SCCRQ every second, up to sixty times. Repetitions do not use up what a source may.
func TestQ14RepetitionsDoNotHitTheLimitOfTheSource(t *testing.T) {
	inLab(t, func(l *lab) { l.deps.Admission = &admission{} }, func(l *lab) {
		l.loseFirst(peers.SCCRP, 12)
		l.connect(peers.Apple())
		l.wantTunnels(1)
		l.wantCount("drop_source_over_budget", 0)
	})
}

// the server has two addresses. The client holds on to where the SCCRP comes from.
func TestQ15AnswersFromTheAddressThatWasDialled(t *testing.T) {
	second := netip.MustParseAddrPort("192.0.2.2:1701")
	inLab(t, func(l *lab) {
		l.end.Close()
		l.end = l.net.Endpoint(nil, serverAddr, second)
		l.deps.Sender = l.end
	}, func(l *lab) {
		wrong := 0
		l.net.Tap(func(d simnet.Datagram) {
			if d.From == serverAddr {
				wrong++
			}
		})
		end := l.net.Endpoint(nil, netip.MustParseAddrPort("198.51.100.77:50000"))
		peer := l.peerTo(second, peers.Apple(), end)
		l.dial(peer)
		peer.Run(3 * time.Minute)
		l.wantSessions(1)
		if wrong != 0 {
			t.Errorf("%d datagrams came from the other address", wrong)
		}
	})
}

// no MRU, so 1500 inwards; the server asks for its own.
func TestQ17WithoutMRU(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.Apple())
		if acks := peer.Frames(peers.LCP, peers.ConfigureAck); len(acks) != 1 {
			t.Errorf("%d acks\n%s", len(acks), peer.Transcript())
		}
		if s := l.wantSessions(1)[0]; s.PeerMRU != 1460 || s.MRU != 1460 { // never above our own
			t.Errorf("%d in, %d out", s.MRU, s.PeerMRU)
		}
	})
}

// all options rejected, the client asks with none at all, and discards the Challenge until that is acknowledged.
func TestQ18EmptyRequestIsAcknowledged(t *testing.T) {
	p := peers.Apple()
	p.Link = []peers.Option{peers.Opt(17, 6, 0x40), peers.Opt(23, 0, 7)}
	inLab(t, nil, func(l *lab) {
		peer := l.connect(p)
		if acks := peer.Frames(peers.LCP, peers.ConfigureAck); len(acks) != 1 || len(acks[0].Data) != 0 {
			t.Errorf("%v\n%s", acks, peer.Transcript())
		}
	})
}

// the burst behind the login. The protocol that nobody knows is rejected, cut to what the peer takes.
func TestQ19BurstBehindTheLogin(t *testing.T) {
	for _, p := range []peers.Profile{peers.Apple(), small()} {
		inLab(t, nil, func(l *lab) {
			peer := l.connect(p)
			peer.Run(time.Second)
			found := false
			for _, r := range peer.Frames(peers.LCP, peers.ProtocolReject) {
				if bytes.HasPrefix(r.Data, []byte{0x82, 0x35}) {
					found = true
				}
				if len(r.Data) > 1500 || p.Link[0].Type == 1 && len(r.Data)+4 > 128 {
					t.Errorf("%d octets", len(r.Data))
				}
			}
			if !found {
				t.Errorf("ACSCP is not rejected\n%s", peer.Transcript())
			}
		})
	}
}

// small takes small packets, and asks for much.
func small() peers.Profile {
	p := peers.Apple()
	p.Link = append([]peers.Option{peers.Opt(1, 0, 128)}, p.Link...)
	p.Network[2].Options = append(p.Network[2].Options, peers.Opt(9, bytes.Repeat([]byte{7}, 200)...))
	return p
}

// the server asks a client for its address alone.
func TestQ20NoQuestionForDNS(t *testing.T) {
	inLab(t, func(l *lab) { l.config.Groups[0].Profile = "dlink" }, func(l *lab) {
		for _, p := range peers.All() {
			peer := l.connect(p)
			for _, r := range peer.Frames(peers.IPCP, peers.ConfigureRequest) {
				if len(r.Data) != 6 || r.Data[0] != 3 {
					t.Errorf("%s: % x", p.Name, r.Data)
				}
			}
		}
	})
}

// an echo right behind the Configure-Ack is answered, whoever is still being asked.
func TestQ22EchoBeforeTheLogin(t *testing.T) {
	inLab(t, func(l *lab) { l.logins.delay = 3 * time.Second }, func(l *lab) {
		peer := l.peer(peers.Apple())
		peer.Dial()
		peer.Run(time.Second)
		if peer.Granted || len(peer.Frames(peers.LCP, peers.EchoReply)) != 1 {
			t.Errorf("\n%s", peer.Transcript())
		}
		if !peer.Until(10*time.Second, peer.Up) {
			t.Error("not up")
		}
	})
}

// some versions do not know HELLO. An Apple client is asked by LCP echo alone.
func TestQ23DeafToHello(t *testing.T) {
	p := peers.Apple()
	p.DeafToHello = true
	inLab(t, nil, func(l *lab) {
		peer := l.connect(p)
		peer.Run(30 * time.Minute)
		l.wantSessions(1)
		if len(peer.Frames(peers.LCP, peers.EchoRequest)) == 0 {
			t.Error("nobody asks whether it lives")
		}
	})
	inLab(t, func(l *lab) { l.config.Groups[0].Profile = "off" }, func(l *lab) { // without the profile the tunnel is lost
		peer := l.connect(p)
		peer.Run(30 * time.Minute)
		l.wantSessions(0)
	})
}

// the server was restarted and knows nothing of the tunnel; then the same client dials again, from the same port and with
// the same ids, and finds the tunnel of before in its way.
func TestQ42RestartsOnEitherSide(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		end := l.net.Endpoint(nil, netip.MustParseAddrPort("198.51.100.90:1701"))
		old := l.peerAt(peers.XL2TPD(), end)
		l.dial(old)
		stale := peers.Control{Tunnel: old.ServerTunnel + 1, Session: 1, Ns: 9, Nr: 9, AVPs: peers.Message(peers.HELLO)}
		old.Raw(stale.Octets())
		old.Run(time.Second)
		l.wantCount("drop_unknown_tunnel", 1)
		if old.Closed() != nil {
			t.Error("what belongs to no tunnel was answered")
		}
		again := peers.XL2TPD() // the client lost its power
		again.Start = append([]peers.AVP(nil), again.Start...)
		again.Start[4] = peers.Text(7, "debian-after-reboot")
		fresh := l.peerAt(again, end)
		l.dial(fresh)
		l.wantTunnels(1)
		l.wantSessions(1)
	})
	inLab(t, nil, func(l *lab) { // and with not a bit changed
		end := l.net.Endpoint(nil, netip.MustParseAddrPort("198.51.100.90:1701"))
		old := l.peerAt(peers.XL2TPD(), end)
		l.dial(old)
		old.Run(time.Minute)
		fresh := l.peerAt(peers.XL2TPD(), end)
		l.dial(fresh)
		l.wantTunnels(1)
		l.wantSessions(1)
	})
}

var _ lns.Admission = (*admission)(nil)
