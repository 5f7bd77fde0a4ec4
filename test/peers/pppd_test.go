package peers_test

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/test/peers"
)

// acknowledgements are not answered, and what is old is acknowledged again.
func TestQ40NoAnswerToAnAcknowledgement(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.XL2TPD())
		peer.Run(time.Second)
		before := len(peer.Heard(0))
		for range 20 {
			peer.Acknowledge()
		}
		peer.Run(time.Second)
		if n := len(peer.Heard(0)); n != before {
			t.Errorf("%d answers to 20 acknowledgements", n-before)
		}
		peer.Raw(peers.Control{Tunnel: peer.ServerTunnel, Ns: 1, Nr: 1, AVPs: peers.Message(peers.SCCCN)}.Octets())
		peer.Run(time.Second)
		if n := len(peer.Heard(0)); n != before+1 {
			t.Errorf("%d answers to a repetition", n-before)
		}
	})
}

// a live tunnel's HELLO is acknowledged within a second, whatever else goes on: here hundreds dial at once, and the back
// end does not answer.
func TestQ41HelloDuringACrowd(t *testing.T) {
	inLab(t, func(l *lab) {
		l.config.Limits.Authentications = 4
	}, func(l *lab) {
		live := l.connect(peers.XL2TPD())
		live.Run(time.Second)
		l.logins.delay = 20 * time.Second
		for range 200 {
			l.peer(peers.KL2TPD()).Dial()
		}
		for range 5 {
			before, begin := len(live.Heard(0)), time.Now()
			live.Say(0, peers.HELLO, nil)
			if !live.Until(time.Second, func() bool { return len(live.Heard(0)) > before }) || time.Since(begin) > 50*time.Millisecond {
				t.Errorf("acknowledged after %s", time.Since(begin))
			}
			live.Run(time.Second)
		}
		l.understood(live)
	})
}

// kl2tpd sends SLI as soon as the call is up, and LCP before its ICCN is acknowledged.
func TestQ43SLIAndEarlyLCP(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.peer(peers.KL2TPD())
		early := true
		peer.OnControl = func(c peers.Control) bool {
			if c.Type() == peers.ICRP && early {
				early = false
				peer.ServerSession = c.Number(14)
				peer.Frame(peers.Frame{Protocol: peers.LCP, Code: peers.ConfigureRequest, ID: 200, Data: []byte{2, 6, 0, 0, 0, 0}})
			}
			return false
		}
		peer.After(60*time.Millisecond, func() {
			peer.Say(peer.ServerSession, peers.SLI, nil, peers.AVP{Type: 35, Value: make([]byte, 10)})
		})
		l.dial(peer)
		peer.Run(5 * time.Second)
		l.wantSessions(1)
		if len(peer.Heard(peers.SLI)) != 0 {
			t.Error("the server sent an SLI")
		}
	})
}

// data headers in every shape: L, S, O with padding, and P.
func TestQ57EveryShapeOfTheDataHeader(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.XL2TPD())
		id := byte(100)
		for shape := range 16 {
			for _, head := range [][]byte{{0xff, 0x03}, nil} {
				id++
				frame := append(bytes.Clone(head), 0xc0, 0x21, peers.EchoRequest, id, 0, 8, 0x39, 0x5a, 0x11, 0x7c)
				peer.Raw(shaped(shape, peer.ServerTunnel, peer.ServerSession, frame))
				peer.Run(100 * time.Millisecond)
				replies := peer.Frames(peers.LCP, peers.EchoReply)
				if len(replies) == 0 || replies[len(replies)-1].ID != id {
					t.Errorf("shape %04b is not answered", shape)
				}
			}
		}
	})
}

// shaped makes a data message with the header fields that the bits 1 (L), 2 (S), 4 (O) and 8 (P) ask for.
func shaped(bits int, tunnel, session uint16, payload []byte) []byte {
	flags := [2]byte{0, 2}
	var b []byte
	put := func(n uint16) { b = append(b, byte(n>>8), byte(n)) }
	if bits&1 != 0 {
		flags[0] |= 0x40
		put(0)
	}
	put(tunnel)
	put(session)
	if bits&2 != 0 {
		flags[0] |= 0x08
		put(7)
		put(0)
	}
	if bits&4 != 0 {
		flags[0] |= 0x02
		put(5)
		b = append(b, "pads!"...)
	}
	if bits&8 != 0 {
		flags[0] |= 0x01
	}
	b = append(append(flags[:], b...), payload...)
	if bits&1 != 0 {
		b[2], b[3] = byte(len(b)>>8), byte(len(b))
	}
	return b
}

// PAP comes while LCP is still open to talks, and again after the answer.
func TestQ58PAPTooEarlyAndAgain(t *testing.T) {
	p := peers.XL2TPD()
	p.Methods = []peers.Method{peers.MethodPAP}
	inLab(t, nil, func(l *lab) {
		peer := l.peer(p)
		pap := func(id uint8) {
			data := append([]byte{byte(len(userName))}, userName...)
			data = append(append(data, byte(len(password))), password...)
			peer.Frame(peers.Frame{Protocol: peers.PAP, Code: 1, ID: id, Data: data})
		}
		peer.OnFrame = func(f peers.Frame) bool {
			if f.Protocol == peers.LCP && f.Code == peers.ConfigureRequest {
				pap(1)
			}
			return false
		}
		peer.After(500*time.Millisecond, func() { pap(2) })
		l.dial(peer)
		peer.Run(time.Second)
		before := len(peer.Frames(peers.PAP, 2))
		pap(3)
		peer.Run(time.Second)
		acks := peer.Frames(peers.PAP, 2)
		if len(acks) != before+1 || acks[len(acks)-1].ID != 3 || len(l.logins.asked()) != 1 {
			t.Errorf("%v, asked %d times\n%s", acks, len(l.logins.asked()), peer.Transcript())
		}
	})
}

// a router opens IPV6CP, and then terminates it. IPv4 stays.
func TestQ59IPV6CPEndsAndIPv4Stays(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.XL2TPD())
		for id := range uint8(3) {
			peer.Frame(peers.Frame{Protocol: peers.IPV6CP, Code: peers.TerminateRequest, ID: 50 + id})
			peer.Run(2 * time.Second)
		}
		if s := l.wantSessions(1)[0]; s.Phase != "open" || len(l.path.Specs()) != 1 || !peer.Up() {
			t.Errorf("%+v\n%s", s, peer.Transcript())
		}
	})
}

// an echo larger than what the peer takes itself comes back shorter.
func TestQ60LargeEcho(t *testing.T) {
	p := peers.XL2TPD()
	p.Link = []peers.Option{peers.Opt(1, 0, 200)}
	inLab(t, nil, func(l *lab) {
		peer := l.connect(p)
		peer.Echo(42, make([]byte, 1000))
		peer.Run(time.Second)
		replies := peer.Frames(peers.LCP, peers.EchoReply)
		if len(replies) != 1 || len(replies[0].Data) > 200-4 {
			t.Errorf("%v", replies)
		}
	})
}

// the challenge has a name in it, whatever the method; a Peer notes one without as a fault.
func TestQ61TheChallengeHasAName(t *testing.T) {
	for _, methods := range [][]peers.Method{{peers.MethodCHAP}, {peers.MethodMSCHAPv2}} {
		p := peers.XL2TPD()
		p.Methods = methods
		inLab(t, nil, func(l *lab) {
			peer := l.connect(p)
			if c := peer.Frames(peers.CHAP, 1); len(c) == 0 || !bytes.HasSuffix(c[0].Data, []byte("LNS")) {
				t.Error(peer.Transcript())
			}
		})
	}
}

// The lab itself must be able to fail: a peer that is told nonsense notes it.
func TestAPeerNotesWhatItWouldNotUnderstand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := peers.New(peers.Android(), peers.Login{}, func([]byte) {})
		peer.Dial()
		good := peers.Control{Tunnel: peer.Tunnel, Nr: 1, AVPs: peers.Message(peers.SCCRP, peers.Number(9, 5))}
		bad := map[string][]byte{
			"padding":      append(good.Octets(), 0),
			"offset bit":   append([]byte{0xca}, good.Octets()[1:]...),
			"first AVP":    peers.Control{Tunnel: peer.Tunnel, Nr: 1, AVPs: good.AVPs[1:]}.Octets(),
			"other tunnel": peers.Control{Tunnel: peer.Tunnel + 1, Nr: 1, AVPs: good.AVPs}.Octets(),
			"window":       peers.Control{Tunnel: peer.Tunnel, Ns: 1, Nr: 1, AVPs: good.AVPs}.Octets(),
		}
		for name, b := range bad {
			before := len(peer.Faults())
			peer.Deliver(b)
			peer.Run(time.Millisecond)
			if len(peer.Faults()) != before+1 {
				t.Errorf("%s is no fault", name)
			}
		}
		if got := fmt.Sprint(peer.Faults()); len(peer.Faults()) != len(bad) {
			t.Error(got)
		}
	})
}
