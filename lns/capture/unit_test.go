package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
)

var (
	peer  = netip.MustParseAddrPort("198.51.100.7:1701")
	ours  = netip.MustParseAddrPort("192.0.2.1:1701")
	now   = time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)
	route = datapath.Path{Remote: peer, Local: ours.Addr()}
)

// blocks cuts a file into its blocks, and checks that each says its length twice.
func blocks(t *testing.T, file []byte) (kinds []uint32, bodies [][]byte) {
	t.Helper()
	for len(file) > 0 {
		if len(file) < 12 {
			t.Fatalf("%d octets are left", len(file))
		}
		n := int(order.Uint32(file[4:]))
		if n < 12 || n%4 != 0 || n > len(file) || int(order.Uint32(file[n-4:])) != n {
			t.Fatalf("a block of %d octets: %x", n, file[:min(len(file), 40)])
		}
		kinds, bodies = append(kinds, order.Uint32(file)), append(bodies, file[8:n-4])
		file = file[n:]
	}
	return kinds, bodies
}

func TestBlocksOfAFile(t *testing.T) {
	file := appendStart(nil, "lnsgate 1", "lnsgate", "words")
	for n := range 6 { // every padding
		file = appendRecord(file, record{at: now, incoming: n%2 == 0, octets: make([]byte, n), whole: n + 9, comment: "comment"[:n]})
	}
	file = appendEnd(file, now, 6, 2)
	kinds, bodies := blocks(t, file)
	if want := []uint32{blockSection, blockInterface, 6, 6, 6, 6, 6, 6, blockStatistics}; fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Fatalf("blocks %v", kinds)
	}
	b := bodies[5] // of 3 octets
	at := uint64(order.Uint32(b[4:]))<<32 | uint64(order.Uint32(b[8:]))
	if at != uint64(now.UnixNano()) || order.Uint32(b[12:]) != 3 || order.Uint32(b[16:]) != 12 {
		t.Errorf("a packet of 3 octets, 12 on the wire: %x", b)
	}
	if !bytes.Contains(b, []byte("\x01\x00\x03\x00com\x00")) || !bytes.Contains(b, []byte{2, 0, 4, 0, outbound, 0, 0, 0}) {
		t.Errorf("its options: %x", b[24:])
	}
}

func TestUDPHasTheHeadersThatWereOnTheWire(t *testing.T) {
	six := netip.MustParseAddrPort("[2001:db8::7]:40000")
	for _, c := range []struct {
		from, to netip.AddrPort
		header   int
	}{
		{peer, ours, 28},
		{six, netip.MustParseAddrPort("[2001:db8::1]:1701"), 48},
		{netip.AddrPortFrom(netip.Addr{}, 1701), peer, 28},
		{netip.AddrPortFrom(netip.Addr{}, 1701), six, 48},
		{netip.MustParseAddrPort("[::]:1701"), peer, 28},
	} {
		b, n := appendUDP(nil, c.from, c.to, []byte("odd"), 3)
		if n != c.header+3 || len(b) != n {
			t.Errorf("%s to %s: %d octets, %d on the wire", c.from, c.to, len(b), n)
		}
		udp := b[c.header-8:]
		if binary.BigEndian.Uint16(udp) != c.from.Port() || binary.BigEndian.Uint16(udp[2:]) != c.to.Port() || binary.BigEndian.Uint16(udp[4:]) != 11 {
			t.Errorf("%s to %s: UDP %x", c.from, c.to, udp)
		}
		addresses := b[12 : c.header-8]
		if c.header == 48 {
			addresses = b[8 : c.header-8]
		} else if fold(sum(0, b[:20])) != 0 {
			t.Errorf("%s to %s: checksum of IP", c.from, c.to)
		}
		if fold(sum(sum(17+11, addresses), udp)) != 0 {
			t.Errorf("%s to %s: checksum of UDP", c.from, c.to)
		}
	}
	b, n := appendUDP(nil, peer, ours, []byte("cut"), 1000)
	if len(b) != 31 || n != 1028 || binary.BigEndian.Uint16(b[2:]) != 1028 {
		t.Errorf("cut: %d octets of %d", len(b), n)
	}
}

func TestHeadersOfUserPackets(t *testing.T) {
	tcp := make([]byte, 60)
	tcp[0], tcp[9], tcp[32] = 0x45, protocolTCP, 0x80
	six := make([]byte, 60)
	six[0], six[6] = 0x60, protocolUDP
	fragment := bytes.Clone(tcp)
	fragment[7] = 1
	for name, c := range map[string]struct {
		packet []byte
		want   int
	}{"TCP": {tcp, 52}, "UDP over IPv6": {six, 48}, "fragment": {fragment, 20}, "short": {tcp[:15], 0}, "none": {nil, 0}, "cut": {tcp[:40], 40}, "other": {[]byte{0x10}, 0}} {
		if got := headersOf(c.packet); got != c.want {
			t.Errorf("%s: %d octets, want %d", name, got, c.want)
		}
	}
}

func TestShowKeepsTheLengthAndHidesWhatIsSecret(t *testing.T) {
	const secret = "hunter2"
	frame := func(p ppp.Protocol, packet []byte) []byte {
		head := ppp.AppendFrameHeader(nil, p, ppp.Framing{})
		return append(append(l2tp.AppendDataHeader(nil, l2tp.Header{Length: true, Sequence: true, Tunnel: 1, Session: 2}, len(head)+len(packet)), head...), packet...)
	}
	pap := ppp.Packet{Code: ppp.PAPAuthenticateRequest, Data: ppp.PAPRequest{Name: []byte("alice"), Password: []byte(secret)}.Append(nil)}.Append(nil)
	handedOn := l2tp.ICCN{ProxyAuth: l2tp.ProxyAuth{Present: true, Type: l2tp.ProxyAuthPAP, Name: "alice", Response: l2tp.Secret(secret)}}
	for name, c := range map[string]struct {
		datagram []byte
		name     bool
		length   int // -1: all
	}{
		"PAP":        {frame(ppp.PAP, pap), true, -1},
		"ICCN":       {l2tp.AppendControl(nil, 1, 2, 0, 0, l2tp.Append(nil, handedOn, l2tp.AppendOptions{})), true, -1},
		"no L2TP":    {[]byte("\xc8\x03" + secret + secret), false, 4},
		"bad frame":  {append(l2tp.AppendDataHeader(nil, l2tp.Header{Tunnel: 1}, 0), "\x00\x00"+secret...), false, 6},
		"behind all": {append(frame(ppp.PAP, pap), secret...), true, -1},
	} {
		got, ok := Shown{}.show(c.datagram)
		if c.length < 0 {
			c.length = len(c.datagram)
			if name == "behind all" {
				c.length -= len(secret)
			}
		}
		if !ok || bytes.Contains(got, []byte(secret)) || bytes.Contains(got, []byte("alice")) != c.name || len(got) != c.length {
			t.Errorf("%s: %q (%d octets, want %d)", name, got, len(got), c.length)
		}
		if all, _ := (Shown{Secrets: true}).show(c.datagram); c.name && !bytes.Equal(all, c.datagram) {
			t.Errorf("%s with secrets: %q", name, all)
		}
	}
}

func FuzzShow(f *testing.F) {
	f.Add([]byte("\xc8\x02\x00\x14\x00\x01\x00\x02\x00\x00\x00\x00\x80\x08\x00\x00\x00\x00\x00\x02"))
	f.Add([]byte("\x02\x02\x00\x01\x00\x02\x00\x02xx\xff\x03\xc0\x23\x01\x01\x00\x0a\x02al\x02pw"))
	f.Add([]byte("\x00\x02\x00\x01\x00\x02\x00\x21\x45\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		for _, o := range []Shown{{}, {Secrets: true}, {Data: DataHeaders}, {Data: WholeData}} {
			if got, ok := o.show(b); ok && len(got) > len(b) || !bytes.Equal(b, before) {
				t.Fatalf("%+v shows %d octets of %d, or has written to them", o, len(got), len(b))
			}
		}
		w := newWorld(func(*call) {})
		for _, in := range []bool{true, false} {
			p := passed{in: in, path: route, octets: b}
			if found := w.whose(&p); found != nil {
				w.hold(found, p)
			}
		}
	})
}

// scene is a hub that hears events when a test says so.
type scene struct {
	*Hub
	events chan trace.Event
}

func newScene() *scene {
	s := &scene{events: make(chan trace.Event)}
	s.Hub = New(Config{Program: "test", Watch: func(ctx context.Context) <-chan trace.Event {
		closed := make(chan trace.Event)
		context.AfterFunc(ctx, func() { close(closed) })
		return closed
	}})
	return s
}

func (s *scene) arm(t *testing.T, f Filter) *Capture {
	t.Helper()
	c, err := s.Arm(Request{By: "test", Filter: f})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *scene) packets(t *testing.T, c *Capture) int {
	t.Helper()
	c.Close()
	n := 0
	for {
		b, err := c.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds, _ := blocks(t, b)
		for _, k := range kinds {
			if k == blockPacket {
				n++
			}
		}
	}
}

func message(tunnel l2tp.TunnelID, session l2tp.SessionID, m l2tp.Message) []byte {
	return l2tp.AppendControl(nil, tunnel, session, 0, 0, l2tp.Append(nil, m, l2tp.AppendOptions{}))
}

// dialIn is what passes when a peer opens tunnel 10 of ours, 1 of its own.
func (s *scene) dialIn(at datapath.Path) {
	s.pass(at, message(0, 0, l2tp.SCCRQ{HostName: "lac", AssignedTunnel: 1}), true)
	s.pass(at, message(1, 0, l2tp.SCCRP{HostName: "lns", AssignedTunnel: 10}), false)
	s.pass(at, message(10, 0, l2tp.SCCCN{}), true)
}

// call is what passes when a call comes up in that tunnel.
func (s *scene) call(at datapath.Path, theirs, ours l2tp.SessionID) {
	s.pass(at, message(10, 0, l2tp.ICRQ{AssignedSession: theirs}), true)
	s.pass(at, message(1, theirs, l2tp.ICRP{AssignedSession: ours}), false)
	s.pass(at, message(10, ours, l2tp.ICCN{}), true)
}

func event(kind trace.EventKind, session, name string) *trace.Event {
	return &trace.Event{Kind: kind, Tunnel: 10, Session: session, Peer: peer, Name: name}
}

// Two calls come up in one tunnel at once, and one of them is wanted: the tunnel's own messages are written, and that call's.
func TestCallsOfOneTunnelAreToldApart(t *testing.T) {
	s := newScene()
	c := s.arm(t, Filter{User: "alice"})
	s.dialIn(route)
	s.call(route, 21, 31)
	s.call(route, 22, 32)
	s.hear(event(trace.AttemptChanged, "10/31", "bob"))
	s.hear(event(trace.SessionOpened, "10/31", "bob"))
	s.hear(event(trace.AttemptChanged, "10/32", "alice"))
	s.pass(route, message(10, 31, l2tp.CDN{}), true)
	s.pass(route, message(10, 32, l2tp.CDN{}), true)
	if n := s.packets(t, c); n != 3+3+1 {
		t.Errorf("%d packets, want those of the tunnel and one call", n)
	}
}

// A peer behind a NAT gets another port in the middle of a call: what is sent there belongs to the same tunnel.
func TestAPeerThatMoves(t *testing.T) {
	s := newScene()
	c := s.arm(t, Filter{User: "alice"})
	s.dialIn(route)
	s.call(route, 21, 31)
	s.hear(event(trace.AttemptChanged, "10/31", "alice"))
	moved := route
	moved.Remote = netip.AddrPortFrom(peer.Addr(), 50000)
	s.pass(moved, message(10, 0, l2tp.Hello{}), true)
	s.pass(moved, message(1, 0, l2tp.ZLB{}), false)
	if n := s.packets(t, c); n != 8 {
		t.Errorf("%d packets, want 8", n)
	}
}

// A client that was restarted dials again with the same id: the new tunnel has the new SCCRQ.
func TestAPeerThatDialsAgainWithTheSameID(t *testing.T) {
	s := newScene()
	c := s.arm(t, Filter{User: "alice"})
	s.dialIn(route)
	s.pass(route, message(0, 0, l2tp.SCCRQ{HostName: "lac", AssignedTunnel: 1}), true)
	s.pass(route, message(1, 0, l2tp.SCCRP{HostName: "lns", AssignedTunnel: 11}), false)
	s.pass(route, message(11, 0, l2tp.ICRQ{AssignedSession: 5}), true)
	e := event(trace.AttemptChanged, "11/6", "alice")
	e.Tunnel = 11
	s.hear(e)
	if n := s.packets(t, c); n != 3 {
		t.Errorf("%d packets, want 3", n)
	}
}

// Whatever strangers send, what is held stays within its bound.
func TestMemoryIsBounded(t *testing.T) {
	s := newScene()
	c := s.arm(t, Filter{Failed: true})
	request := message(0, 0, l2tp.SCCRQ{HostName: "flood", AssignedTunnel: 1, Vendor: string(make([]byte, 900))})
	for i := range 40_000 {
		at := route
		at.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)}), 1701)
		s.pass(at, request, true)
	}
	if held := s.world.octets; held > maxHeld || held < maxHeld/2 {
		t.Errorf("%d octets are held", held)
	}
	s.dialIn(route)
	for range 10_000 {
		s.pass(route, message(10, 0, l2tp.Hello{}), true)
	}
	if held := s.world.ours[10].octets; held > maxHeldTunnel+1000 {
		t.Errorf("one tunnel holds %d octets", held)
	}
	s.hear(&trace.Event{Kind: trace.AttemptFailed, Tunnel: 10, Peer: peer})
	if n := s.packets(t, c); n < maxSetup || s.world != nil {
		t.Errorf("%d packets; a world is left: %t", n, s.world != nil)
	}
}

// A reader that does not read costs bounded memory, and what it misses is counted.
func TestASlowReaderLosesPackets(t *testing.T) {
	s := newScene()
	c := s.arm(t, Filter{Peer: netip.PrefixFrom(peer.Addr(), 32)})
	s.dialIn(route)
	for range 100_000 {
		s.pass(route, message(10, 0, l2tp.Hello{}), true)
	}
	if st := s.List()[0]; st.Dropped == 0 || st.Dropped+st.Packets < 99_000 || len(c.waiting) > maxWaiting+1000 {
		t.Errorf("%+v with %d octets", st, len(c.waiting))
	}
	s.packets(t, c)
}

func TestArmingHasItsLimits(t *testing.T) {
	s := newScene()
	if _, err := s.Arm(Request{}); !errors.Is(err, ErrEverything) {
		t.Errorf("a capture of everybody: %v", err)
	}
	for range MaxCaptures {
		s.arm(t, Filter{Failed: true})
	}
	if _, err := s.Arm(Request{Filter: Filter{Failed: true}}); !errors.Is(err, ErrTooMany) {
		t.Errorf("one too many: %v", err)
	}
	if first := s.List()[0].ID; !s.Stop(first) || s.Stop(first) {
		t.Error("a capture is stopped once")
	}
	if err := s.Close(); err != nil || len(s.List()) != 0 || s.armed.Load() {
		t.Errorf("after Close: %v, %v", err, s.List())
	}
	if _, err := s.Arm(Request{Filter: Filter{Failed: true}}); err == nil {
		t.Error("armed after Close")
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		filter Filter
		event  trace.Event
		want   answer
	}{
		{Filter{User: "alice"}, trace.Event{Kind: trace.AttemptBegan}, notYet},
		{Filter{User: "alice"}, trace.Event{Kind: trace.AttemptChanged, Name: "anonymous"}, notYet},
		{Filter{User: "alice"}, trace.Event{Kind: trace.AttemptChanged, Name: "anonymous", Account: "alice"}, yes},
		{Filter{User: "alice"}, trace.Event{Kind: trace.AttemptChanged, Name: "bob", Account: "bob"}, no},
		{Filter{User: "alice"}, trace.Event{Kind: trace.AttemptFailed}, no},
		{Filter{User: "alice"}, trace.Event{Kind: trace.AttemptFailed, Name: "alice"}, yes},
		{Filter{Domain: "Sales"}, trace.Event{Kind: trace.AttemptChanged, Domain: "sales"}, yes},
		{Filter{Domain: "Sales"}, trace.Event{Kind: trace.AttemptChanged, Name: "x"}, notYet},
		{Filter{Domain: "Sales"}, trace.Event{Kind: trace.AttemptChanged, Domain: "hq"}, no},
		{Filter{Failed: true}, trace.Event{Kind: trace.AttemptChanged, Name: "x"}, notYet},
		{Filter{Failed: true}, trace.Event{Kind: trace.AttemptFailed}, yes},
		{Filter{Failed: true}, trace.Event{Kind: trace.SessionOpened}, no},
		{Filter{Failed: true, User: "alice"}, trace.Event{Kind: trace.AttemptFailed, Name: "bob"}, no},
		{Filter{User: "a", Peer: netip.MustParsePrefix("10.0.0.0/8")}, trace.Event{Kind: trace.AttemptFailed, Name: "a", Peer: peer}, no},
	} {
		if got := c.filter.judge(&c.event); got != c.want {
			t.Errorf("%+v of %+v: %d, want %d", c.filter, c.event, got, c.want)
		}
	}
}

type sink struct{ n int }

func (s *sink) Send(datapath.Path, []byte) error        { s.n++; return nil }
func (s *sink) SendBatch(datapath.Path, [][]byte) error { s.n++; return nil }
func (s *sink) Datagram(datapath.Path, []byte)          { s.n++ }
func (s *sink) Keep()                                   { s.n++ }
func (s *sink) Flush()                                  { s.n++ }

// Without a capture the taps hand on, and allocate nothing.
func TestNothingIsDoneWhenNoneIsArmed(t *testing.T) {
	h, below := New(Config{}), &sink{}
	sender, receiver := h.Sender(below), h.Receiver(below)
	b := message(0, 0, l2tp.SCCRQ{HostName: "x", AssignedTunnel: 1})
	batch := [][]byte{b}
	if n := testing.AllocsPerRun(100, func() {
		sender.Send(route, b)
		sender.SendBatch(route, batch)
		receiver.Datagram(route, b)
		receiver.Flush()
	}); n != 0 || below.n != 4*101 {
		t.Errorf("%v allocations, %d calls", n, below.n)
	}
}
