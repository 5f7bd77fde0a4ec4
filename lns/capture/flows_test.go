package capture

import (
	"fmt"
	"net/netip"
	"testing"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/trace"
)

// flowing counts the entries that packets of users are looked up by.
func (s *scene) flowing() (n int) {
	s.flows.all.Range(func(any, any) bool { n++; return true })
	return n
}

// A capture of a wide network with the headers of user data costs bounded memory, however many sources there are; and it has the packets of
// those that it knows no more, too.
func TestAWideCaptureIsBounded(t *testing.T) {
	s := newScene()
	c, err := s.Arm(Request{By: "test", Filter: Filter{Peer: netip.MustParsePrefix("203.0.0.0/8")}, Shown: Shown{Data: DataHeaders}})
	if err != nil {
		t.Fatal(err)
	}
	source := func(i int) datapath.Path {
		at := route
		at.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)}), 1701)
		return at
	}
	const many = 20_000
	for i := range many {
		s.pass(source(i), message(0, 0, l2tp.SCCRQ{HostName: "wide", AssignedTunnel: 1}), true)
	}
	if lines, most := len(c.lines), maxHeld/(costTunnel+costLine); lines > most || s.flowing() > 0 || s.world.octets > maxHeld {
		t.Errorf("%d lines of at most %d, %d flows, %d octets", lines, most, s.flowing(), s.world.octets)
	}
	ping := append(l2tp.AppendDataHeader(nil, l2tp.Header{Tunnel: 77, Session: 1}, 30), append([]byte{0x00, 0x21, 0x45}, make([]byte, 27)...)...)
	s.pass(source(0), ping, true)                   // long forgotten
	s.pass(source(many-1), ping, true)              // still known
	s.pass(datapath.Path{Remote: peer}, ping, true) // not asked for
	if n := s.packets(t, c); n != many+2 {
		t.Errorf("%d packets", n)
	}
	if s.flows.want(source(0).Remote, l2tp.Header{}, true) {
		t.Error("user data is looked at when nobody captures any more")
	}
}

// What one call was looked up by goes with the call, and with the tunnel.
func TestFlowsGoWithTheirCalls(t *testing.T) {
	s := newScene()
	c, err := s.Arm(Request{By: "test", Filter: Filter{User: "alice"}, Shown: Shown{Data: WholeData}})
	if err != nil {
		t.Fatal(err)
	}
	s.dialIn(route)
	for i := range l2tp.SessionID(5) {
		s.call(route, 21+i, 31+i)
		s.hear(event(trace.SessionOpened, fmt.Sprintf("10/3%d", 1+i), "alice"))
	}
	if n := s.flowing(); n != 10 {
		t.Fatalf("%d flows of 5 calls", n)
	}
	s.hear(event(trace.SessionClosed, "10/31", "alice"))
	s.call(route, 90, 32) // another call gets the id of one that we have not heard the end of
	if n := s.flowing(); n != 6 {
		t.Errorf("%d flows of 3 calls", n)
	}
	s.pass(route, message(0, 0, l2tp.SCCRQ{HostName: "lac", AssignedTunnel: 1}), true)
	s.pass(route, message(1, 0, l2tp.SCCRP{HostName: "lns", AssignedTunnel: 11}), false)
	s.world.forget(s.world.ours[10])
	if n := s.flowing(); n != 0 {
		t.Errorf("%d flows of a tunnel that is forgotten", n)
	}
	s.packets(t, c)
}
