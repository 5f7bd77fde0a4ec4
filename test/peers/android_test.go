package peers_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/datapath"
	"lnsgate/test/peers"
	"lnsgate/test/simnet"
)

// fromServer tells what the server sends, and what it is, by the message type of its control messages.
func fromServer(d simnet.Datagram) (peers.Control, bool) {
	if d.From != serverAddr || len(d.Bytes) == 0 || d.Bytes[0]&0x80 == 0 {
		return peers.Control{}, false
	}
	c, err := peers.ReadControl(d.Bytes)
	return c, err == nil
}

// loseFirst loses the first few messages of a type that the server sends.
func (l *lab) loseFirst(kind uint16, n int) {
	l.net.DropIf(func(d simnet.Datagram) bool {
		if c, ok := fromServer(d); ok && c.Type() == kind && n > 0 {
			n--
			return true
		}
		return false
	})
}

// the shortest SCCRQ of all; every phone is called "anonymous".
func TestQ01AndroidSaysNextToNothing(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		a, b := l.connect(peers.Android()), l.connect(peers.Android())
		l.wantTunnels(2)
		if a.Address == b.Address {
			t.Errorf("both have %s", a.Address)
		}
	})
}

// a window of one. The HELLO that falls due while ICRP is on its way waits behind it.
func TestQ02HelloWaitsBehindICRP(t *testing.T) {
	inLab(t, func(l *lab) { l.config.Groups[0].Hello, l.config.Groups[0].Profile = 2*time.Second, "off" }, func(l *lab) {
		peer := l.peer(peers.Android())
		deaf := true
		peer.OnControl = func(c peers.Control) bool { return deaf && c.Type() == peers.ICRP }
		peer.Dial()
		peer.Run(6 * time.Second)
		if n := len(peer.Heard(peers.HELLO)); n != 0 || len(peer.Heard(peers.ICRP)) < 2 {
			t.Errorf("%d HELLOs while ICRP is not acknowledged\n%s", n, peer.Transcript())
		}
		deaf = false
		if !peer.Until(10*time.Second, peer.Up) {
			t.Errorf("not up\n%s", peer.Transcript())
		}
		peer.Run(10 * time.Second)
		if len(peer.Heard(peers.HELLO)) == 0 {
			t.Error("no HELLO at all")
		}
		l.understood(peer)
	})
}

// the phone goes on only when SCCCN and ICCN are acknowledged, and starts PPP after that.
func TestQ03Q04AcknowledgedAtOnceAndLinkRepeated(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.peer(peers.Android())
		requests := 0
		peer.OnFrame = func(f peers.Frame) bool { // it is not there yet when the first request comes
			if f.Protocol == peers.LCP && f.Code == peers.ConfigureRequest {
				requests++
			}
			return requests == 1 && f.Code == peers.ConfigureRequest
		}
		begin := time.Now()
		peer.Dial()
		peer.Until(time.Second, func() bool { return peer.ServerSession != 0 })
		peer.Until(time.Second, func() bool { return len(peer.Heard(0)) >= 2 })
		if took := time.Since(begin); took > 60*time.Millisecond { // four round trips of 10 ms
			t.Errorf("the acknowledgements took %s\n%s", took, peer.Transcript())
		}
		if !peer.Until(10*time.Second, peer.Up) || requests < 2 {
			t.Errorf("not up, %d requests\n%s", requests, peer.Transcript())
		}
	})
}

// SCCRP is lost; the peer repeats the same SCCRQ, every two seconds or every second.
func TestQ05Q25SameSCCRPForEveryRepetition(t *testing.T) {
	for _, p := range []peers.Profile{peers.Android(), peers.Windows()} {
		inLab(t, nil, func(l *lab) {
			lost := 3
			var seen [][]byte
			l.net.DropIf(func(d simnet.Datagram) bool {
				c, ok := fromServer(d)
				if !ok || c.Type() != peers.SCCRP {
					return false
				}
				seen = append(seen, d.Bytes)
				lost--
				return lost >= 0
			})
			l.connect(p)
			l.wantTunnels(1)
			for _, b := range seen[1:] {
				if !bytes.Equal(b, seen[0]) {
					t.Errorf("% x is not % x", b, seen[0])
				}
			}
		})
	}
}

// the strictest reader of headers, lengths and first AVPs, which ReadControl is, hears a whole life.
func TestQ06Q39NothingIsPaddedAndMessageTypeComesFirst(t *testing.T) {
	inLab(t, func(l *lab) {
		l.config.Groups[0].Secret, l.config.Groups[0].Hello = aaa.NewSecret("tunnel"), 5*time.Second
	}, func(l *lab) {
		for _, p := range []peers.Profile{peers.Android(), peers.XL2TPD()} {
			peer := l.connect(p)
			peer.Run(20 * time.Second)
			for _, c := range append(peer.Heard(peers.SCCRP), peer.Heard(peers.HELLO)...) {
				for _, a := range c.AVPs[1:] {
					if a.Type == 0 || a.Hidden && a.Type == 36 {
						t.Errorf("%s: %+v", c, a)
					}
				}
			}
			peer.HangUp(peers.AVP{Type: 1, Value: []byte{0, 3}})
			peer.Stop(0, 1)
			peer.Run(time.Second)
			l.understood(peer)
		}
	})
}

// the phone has an "L2TP secret": it sends 32 octets of challenge and aborts without the answer.
func TestQ07ChallengeOfThePhone(t *testing.T) {
	challenge := bytes.Repeat([]byte{0x5c}, 32)
	inLab(t, func(l *lab) { l.config.Groups[0].Secret = aaa.NewSecret("tunnel") }, func(l *lab) {
		peer := l.peer(peers.Android())
		peer.Login.Secret, peer.Login.Challenge = "tunnel", challenge
		l.dial(peer)
	})
	inLab(t, nil, func(l *lab) {
		peer := l.peer(peers.Android())
		peer.Login.Secret, peer.Login.Challenge = "tunnel", challenge
		peer.Dial()
		peer.Run(time.Second)
		if peer.Closed() == nil {
			t.Fatalf("no StopCCN\n%s", peer.Transcript())
		}
		if result, _, _ := peer.Closed().Result(); result != 4 {
			t.Errorf("result %d", result)
		}
		if !strings.Contains(l.log.String(), "you want tunnel authentication, but no tunnel secret is configured here") {
			t.Error("the log does not say why")
		}
	})
}

// StopCCN with a Result Code of two octets.
func TestQ08StopWithAShortResultCode(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.Android())
		peer.Stop(0, 6)
		peer.Run(time.Second)
		l.wantSessions(0)
		if !strings.Contains(l.log.String(), "result 6") {
			t.Error("the log does not say result 6")
		}
		peer.Run(time.Minute)
		l.wantTunnels(0)
	})
}

// a phone sleeps for ten minutes and answers nothing; then its traffic goes on.
func TestQ09SleepingPhoneIsStillThere(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.Android())
		peer.Silence(true)
		peer.Run(10 * time.Minute)
		peer.Silence(false)
		l.wantSessions(1)
		peer.Echo(9, nil)
		peer.Run(time.Second)
		if got := peer.Frames(peers.LCP, peers.EchoReply); len(got) != 1 || got[0].ID != 9 {
			t.Errorf("%v\n%s", got, peer.Transcript())
		}
		peer.Silence(true) // for ever: it is not kept
		peer.Run(3 * time.Hour)
		l.wantSessions(0)
	})
}

// incoming data counts as life, whatever becomes of HELLO and echo.
func TestQ09DataCountsAsLife(t *testing.T) {
	inLab(t, func(l *lab) { l.config.Groups[0].Profile = "off" }, func(l *lab) {
		peer := l.connect(peers.Android())
		peer.OnControl = func(c peers.Control) bool { return c.Type() == peers.HELLO }
		peer.OnFrame = func(f peers.Frame) bool { return f.Code == peers.EchoRequest }
		for range 20 {
			for _, spec := range l.path.Specs() {
				l.path.Session(spec.Key).SetCounters(datapath.Counters{RxPackets: 1, LastRx: time.Now()})
			}
			peer.Run(25 * time.Second)
		}
		l.wantSessions(1)
		peer.Run(5 * time.Minute)
		l.wantSessions(0)
	})
}

// records keeps what a server tells of its sessions.
type records struct {
	mu   sync.Mutex
	list []aaa.Record
}

func (r *records) Account(one aaa.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, one)
}

func (r *records) all() []aaa.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// the network changes under the client, and its NAT gives it another port. It sends HELLO over the new way, and the
// tunnel follows; whoever only guesses the ids from elsewhere takes nothing.
func TestQ16FollowsAClientToItsNewPort(t *testing.T) {
	var books records
	inLab(t, func(l *lab) { l.deps.Accounter = &books }, func(l *lab) {
		nat := l.net.NAT(netip.MustParseAddr("203.0.113.9"))
		peer := l.peerAt(peers.Apple(), nat.Endpoint(nil, netip.MustParseAddrPort("10.0.0.2:50000")))
		l.dial(peer)
		before := l.wantSessions(1)[0].Remote
		nat.Rebind()
		peer.Say(0, peers.HELLO, nil)
		peer.Run(5 * time.Second)
		after := l.wantSessions(1)[0].Remote
		if after == before || after.Addr() != before.Addr() {
			t.Fatalf("from %s to %s\n%s", before, after, peer.Transcript())
		}
		if spec := l.path.Specs()[0]; spec.Path.Remote != after {
			t.Errorf("the data path stayed at %s", spec.Path.Remote)
		}
		l.wantCount("tunnels_followed", 1)
		peer.Echo(3, nil)
		peer.Run(time.Second)
		if len(peer.Frames(peers.LCP, peers.EchoReply)) < 2 { // one was for its own at the start
			t.Errorf("the link is dead\n%s", peer.Transcript())
		}
		if n, err := l.server.Kick(t.Context(), userName, "enough"); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		peer.Run(time.Second)
		first, last := books.all()[0], books.all()[len(books.all())-1]
		if first.Peer != before || last.Kind != aaa.RecordStop || last.Peer != after {
			t.Errorf("the records are from %s (%s) and %s (%s)", first.Peer, first.Kind, last.Peer, last.Kind)
		}
	})
}

// a stranger that says HELLO with the ids and numbers of another's tunnel does not hear the question that is put to it.
func TestQ16AStrangerTakesNothing(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.Apple())
		before := l.wantSessions(1)[0].Remote
		stranger := l.net.Endpoint(nil, netip.MustParseAddrPort("203.0.113.66:1701"))
		heard := 0
		stranger.Handle(func(datapath.Path, []byte) { heard++ })
		for ns := range uint16(8) {
			hello := peers.Control{Tunnel: peer.ServerTunnel, Ns: ns, Nr: 2, AVPs: peers.Message(peers.HELLO)}
			if err := stranger.Send(stranger.PathTo(serverAddr), hello.Octets()); err != nil {
				t.Fatal(err)
			}
			peer.Run(time.Second)
		}
		peer.Run(time.Minute)
		if after := l.wantSessions(1)[0].Remote; after != before {
			t.Errorf("the tunnel went to %s", after)
		}
		if heard > 2 {
			t.Errorf("the stranger got %d datagrams", heard)
		}
		l.wantCount("tunnels_followed", 0)
		l.understood(peer)
	})
}

// even a stranger who knows ids and numbers, answers whatever he is asked and finds the client asleep does not get its session:
// the magic number of the link he does not know.
func TestQ16AStrangerDoesNotGetASleepersSession(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.Android())
		before := l.wantSessions(1)[0].Remote
		peer.Silence(true)
		stranger := l.net.Endpoint(nil, netip.MustParseAddrPort("203.0.113.66:1701"))
		say := func(b []byte) {
			if err := stranger.Send(stranger.PathTo(serverAddr), b); err != nil {
				t.Fatal(err)
			}
		}
		echoes := 0
		stranger.Handle(func(_ datapath.Path, b []byte) {
			if c, err := peers.ReadControl(b); err == nil {
				say(peers.Control{Tunnel: peer.ServerTunnel, Ns: 5, Nr: c.Ns + 1}.Octets())
				return
			}
			if f, ok := peers.ReadData(b); ok && f.Protocol == peers.LCP && f.Code == peers.EchoRequest {
				echoes++
				reply := peers.Frame{Protocol: peers.LCP, Code: peers.EchoReply, ID: f.ID, Data: f.Data}
				say(shaped(1, peer.ServerTunnel, peer.ServerSession, append([]byte{0xff, 3, 0xc0, 0x21}, reply.Packet()...)))
			}
		})
		for range 6 {
			say(peers.Control{Tunnel: peer.ServerTunnel, Ns: 4, Nr: 2, AVPs: peers.Message(peers.HELLO)}.Octets())
			peer.Run(12 * time.Second)
		}
		if after := l.wantSessions(1)[0].Remote; after != before || echoes == 0 {
			t.Errorf("%s, %d echoes", after, echoes)
		}
		l.wantCount("tunnels_followed", 0)
	})
}

// what comes for a tunnel from another address than its own is told to the administrator, with both addresses.
func TestQ44AnotherAddressIsNamed(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.KL2TPD())
		other := l.net.Endpoint(nil, netip.MustParseAddrPort("100.64.7.7:1701"))
		for range 50 {
			if err := other.Send(other.PathTo(serverAddr), peers.Control{Tunnel: peer.ServerTunnel, Ns: 77}.Octets()); err != nil {
				t.Fatal(err)
			}
		}
		peer.Run(time.Second)
		l.wantCount("drop_wrong_source", 50)
		lines := strings.Count(l.log.String(), "a message for this tunnel comes from another address")
		if lines == 0 || lines > 5 || !strings.Contains(l.log.String(), "100.64.7.7:1701") {
			t.Errorf("%d lines", lines)
		}
	})
}
