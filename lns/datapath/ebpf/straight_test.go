package ebpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/test/netns"
)

func TestPacketsGoStraightWhereNobodyLooks(t *testing.T) {
	s := newStreet(t, nil)
	for _, way := range bothWays {
		if !s.crosses(way) {
			t.Errorf("%s: the stack has forwarded the packet", way)
		}
	}
	packet := s.packet(datapath.Up)
	s.enter(datapath.Up, packet)
	if _, f := s.leaves(datapath.Up, s.id); !bytes.Equal(f[:12], slices.Concat(s.farther, s.near)) {
		t.Errorf("the frame has the header %x", f[:14])
	}
	if c := s.session.Counters(); c.RxPackets != 2 || c.RxOctets != 2*68 || c.TxPackets != 1 || c.TxOctets != 68 {
		t.Errorf("counted is %+v", c)
	}
}

// The counters of a virtual template show all that passes, for whoever wants them to.
func TestPacketsPassTheStackWhereTheyAreToldTo(t *testing.T) {
	s := streetOf(t, (&rig{byTheStack: true}).set(t), nil)
	for _, way := range bothWays {
		for range 3 {
			if s.crosses(way) {
				t.Errorf("%s: a packet has gone straight", way)
			}
		}
	}
}

// Whoever could tell that packets do not pass the stack is why they pass it.
func TestPacketsPassTheStackWhereSomebodyLooks(t *testing.T) {
	netns.RequireCommand(t, "nft")
	s := newStreet(t, nil)
	nft := func(kind, hook string) func() func() {
		return func() func() {
			return s.told(fmt.Sprintf("nft add table %s look { chain c { type filter hook %s priority 0; }; }", kind, hook), "nft delete table "+kind+" look")
		}
	}
	program := func(name string, where ebpf.AttachType) func() func() {
		return func() func() { return s.attached(name, where) }
	}
	socket := func(name string, protocol uint16) func() func() {
		return func() func() { return s.listening(name, protocol) }
	}
	setting := func(name string) func() func() {
		return func() func() { return s.told("sysctl -qw "+name+"=1", "sysctl -qw "+name+"=0") }
	}
	for _, c := range []struct {
		what string
		set  func() func()
		now  bool // it is heeded at once
	}{
		{"a firewall that forwards", nft("ip", "forward"), true},
		{"a firewall before routing", nft("inet", "prerouting"), true},
		{"a firewall behind routing", nft("ip", "postrouting"), true},
		{"a policy of IPsec for others", func() func() {
			const policy = " dir fwd src 192.0.2.99/32 dst 192.0.2.98/32"
			return s.told("ip xfrm policy add"+policy+" action allow", "ip xfrm policy del"+policy)
		}, true},
		{"routes by flow", setting("net.ipv4.fib_multipath_hash_policy"), true},
		{"sizes of paths", setting("net.ipv4.ip_forward_use_pmtu"), true},
		{"a firewall at the entrance of the template", nft("netdev", "ingress device vt1"), false},
		{"a firewall at the exit of the template", nft("netdev", "egress device vt1"), false},
		{"a firewall at the entrance of the other interface", nft("netdev", "ingress device far"), false},
		{"a firewall at the exit of the other interface", nft("netdev", "egress device far"), false},
		{"a listener at the template", socket("vt1", unix.ETH_P_ALL), false},
		{"a listener to IPv4 at the template", socket("vt1", unix.ETH_P_IP), false},
		{"a listener everywhere", socket("", unix.ETH_P_ALL), false},
		{"a listener to IPv4 everywhere", socket("", unix.ETH_P_IP), false},
		{"a listener to IPv4 at the other interface", socket("far", unix.ETH_P_IP), false},
		{"a program at the entrance of the template", program("vt1", ebpf.AttachTCXIngress), false},
		{"a program at the exit of the template", program("vt1", ebpf.AttachTCXEgress), false},
		{"a program at the entrance of the other interface", program("far", ebpf.AttachTCXIngress), false},
		{"a program at the exit of the other interface", program("far", ebpf.AttachTCXEgress), false},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, way := range bothWays {
				s.turns(way, true)
			}
			remove := c.set()
			for _, way := range bothWays {
				if c.now && s.crosses(way) {
					t.Errorf("%s: a packet has gone straight", way)
				}
				s.turns(way, false)
			}
			remove()
			for _, way := range bothWays {
				s.turns(way, true)
			}
		})
	}
	t.Run("who listens for something else", func(t *testing.T) {
		const lldp = 0x88CC
		defer s.listening("far", lldp)()
		defer s.listening("far", unix.ETH_P_ALL)()
		for _, way := range bothWays {
			s.turns(way, true)
		}
	})
}

// A host can be told to forward only what was sealed.
func TestWhatIsForwardedOnlySealedIsLeftToTheStack(t *testing.T) {
	s := newStreet(t, nil)
	for _, way := range bothWays {
		s.turns(way, true)
		undo := s.told("ip xfrm policy setdefault fwd block", "ip xfrm policy setdefault fwd accept")
		s.enter(way, s.packet(way))
		lost := s.id
		undo()
		s.enter(way, s.packet(way))
		for got := uint16(0); got != s.id; {
			if got = s.whichever(way); got == lost {
				t.Errorf("%s: a packet has gone that was not sealed", way)
			}
		}
	}
}

// The kernel remembers that there were rules for routing.
func TestRulesForRoutingAreForTheStack(t *testing.T) {
	s := newStreet(t, nil)
	for _, way := range bothWays {
		s.turns(way, true)
	}
	ip(t, s.host, "rule", "add", "iif", "vt1", "lookup", "100")
	for _, way := range bothWays {
		if s.crosses(way) {
			t.Errorf("%s: a packet has gone straight", way)
		}
	}
}

// What only the stack can do, or has to say, is left to it.
func TestOddPacketsPassTheStack(t *testing.T) {
	s := newStreet(t, nil)
	for _, way := range bothWays {
		s.turns(way, true)
		for what, change := range map[string]func(p []byte){
			"a class of service, which decides about queues": func(p []byte) { p[1] = 0xb8 },
			"a life that is over":                            func(p []byte) { p[8] = 1 },
			"a wrong checksum":                               func(p []byte) { p[10] ^= 1 },
		} {
			p := s.packet(way)
			sum := p[10] ^ 1
			if change(p); p[10] != sum {
				p[10], p[11] = 0, 0
				binary.BigEndian.PutUint16(p[10:], datapathtest.Checksum(p[:20]))
			}
			s.mustNotGoStraight(way, what, p)
		}
	}
	ip(t, s.host, "route", "del", "blackhole", "default")
	ip(t, s.host, "route", "add", "default", "via", "10.97.0.2")
	for what, source := range map[string]string{
		"the host's own address": "10.97.0.1", "an address of another interface": "198.51.100.9", "loopback": "127.0.0.1", "a group": "224.0.0.5",
	} {
		s.id++
		s.mustNotGoStraight(datapath.Down, what, datapathtest.Packet{Source: source, Destination: "10.10.1.10", Payload: 40, ID: s.id}.Bytes())
	}
}

// mustNotGoStraight has the last packet come in, and another one behind it: the stack forwards both, or drops the first one.
func (s *street) mustNotGoStraight(way datapath.Direction, what string, packet []byte) {
	s.t.Helper()
	odd, before := s.id, s.forwarded()
	s.enter(way, packet)
	s.enter(way, s.packet(way))
	for got := uint16(0); got != s.id; {
		if got = s.whichever(way); got == odd && s.forwarded() == before {
			s.t.Errorf("%s: a packet with %s has gone straight", way, what)
		}
	}
}

// A route that changes, and a neighbour, are heeded.
func TestCoursesFollowTheRoutes(t *testing.T) {
	s := newStreet(t, nil)
	for _, way := range bothWays {
		s.turns(way, true)
	}
	undo := s.told("ip route add blackhole 10.97.0.2/32", "ip route del blackhole 10.97.0.2/32")
	before := s.session.Counters()
	s.enter(datapath.Up, s.packet(datapath.Up))
	lost := s.id
	s.await("a packet is not taken", func() bool { return s.session.Counters().RxPackets > before.RxPackets })
	s.enter(datapath.Down, s.packet(datapath.Down)) // the answer would not come back this way
	undo()
	s.enter(datapath.Up, s.packet(datapath.Up))
	for got := uint16(0); got != s.id; {
		if got = s.whichever(datapath.Up); got == lost {
			t.Error("a packet has gone where there was no route any more")
		}
	}
	s.turns(datapath.Up, true)
	s.turns(datapath.Down, true)
	undo = s.told("ip route add blackhole 10.10.1.10/32", "ip route del blackhole 10.10.1.10/32")
	s.enter(datapath.Down, s.packet(datapath.Down))
	lost = s.id
	undo()
	s.enter(datapath.Down, s.packet(datapath.Down))
	for got := uint16(0); got != s.id; {
		if got = s.whichever(datapath.Down); got == lost {
			t.Error("a packet has gone to a session to which there was no route any more")
		}
	}
	ip(t, s.host, "neigh", "replace", "10.97.0.2", "lladdr", "02:00:00:00:00:66", "dev", "far")
	s.await("packets still go to a neighbour that is another one", func() bool {
		s.enter(datapath.Up, s.packet(datapath.Up))
		_, f := s.leaves(datapath.Up, s.id)
		return f[5] == 0x66
	})
	used := s.path.neighbours(patience)
	found := false
	for n := range used {
		found = found || n.hop == number4Of(10, 97, 0, 2)
	}
	if !found {
		t.Errorf("the neighbour is not in use: %v", used)
	}
}

func number4Of(b ...byte) uint32 { return binary.NativeEndian.Uint32(b) }

// What is behind a short packet on a wire is not part of it.
func TestPaddingStaysOutside(t *testing.T) {
	s := newStreet(t, nil)
	s.turns(datapath.Down, true)
	packet := s.packet(datapath.Down)
	before := s.forwarded()
	s.enter(datapath.Down, append(bytes.Clone(packet), 1, 2, 3, 4))
	got := s.next(s.wire, func(b []byte) bool { return bytes.HasSuffix(b, []byte{1, 2, 3, 4}) || bytes.HasSuffix(b, packet[20:]) })
	if len(got) != 14+28+12+len(packet) || s.forwarded() != before {
		t.Errorf("%d octets have become %d, straight: %v", len(packet), len(got), s.forwarded() == before)
	}
}

// Large packets go straight too, on their way down.
func TestLargeSegmentsGoStraight(t *testing.T) {
	s := newStreet(t, nil)
	must(t, unix.SetsockoptInt(s.end, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1))
	large := largeTCP(s.near, "10.97.0.2", "10.10.1.10", 2500, 1000)
	before := s.forwarded()
	must(t, unix.Sendto(s.end, large, 0, &unix.SockaddrLinklayer{Ifindex: s.endIndex, Halen: 6}))
	headers := large[10+14:]
	headers[8]--
	headers[10], headers[11] = 0, 0
	binary.BigEndian.PutUint16(headers[10:], datapathtest.Checksum(headers[:20]))
	s.expectSegments(headers, 20, 0x21, 1000)
	if c := s.session.Counters(); c.TxPackets != 3 || c.TxOctets != 2500+3*40 || s.forwarded() != before {
		t.Errorf("counted is %+v, straight: %v", c, s.forwarded() == before)
	}
}

// What a session may, and what is done with its packets, does not depend on their way.
func TestFiltersAndSegmentSizesHoldStraight(t *testing.T) {
	s := newStreet(t, func(spec *datapath.Spec) {
		spec.MSS = 1200
		f, err := datapath.NewFilter("no port 7", datapath.Allow, []datapath.Rule{
			{Protocol: datapath.UDP, Ports: []datapath.PortRange{{First: 7, Last: 7}}}})
		must(t, err)
		spec.Filter = f
	})
	for _, way := range bothWays {
		s.turns(way, true)
		s.id++
		p := datapathtest.Packet{Source: "10.10.1.10", Destination: "10.97.0.2", SYN: true, MSS: 1460, ID: s.id}
		if way == datapath.Down {
			p.Source, p.Destination = p.Destination, p.Source
		}
		before := s.forwarded()
		s.enter(way, p.Bytes())
		got, _ := s.leaves(way, s.id)
		if !datapathtest.SegmentSound(got) || !bytes.Contains(got[40:], []byte{2, 4, 1200 >> 8, 1200 & 0xFF}) {
			t.Errorf("%s: the SYN is %x", way, got)
		}
		if s.forwarded() != before {
			t.Errorf("%s: the stack has forwarded the SYN", way)
		}
		dropped := s.path.Drops()[datapath.Filtered.String()]
		denied := datapathtest.Packet{Source: "10.10.1.10", Destination: "10.97.0.2", Port: 7, Payload: 40}
		if way == datapath.Down {
			denied.Source, denied.Destination = denied.Destination, denied.Source
		}
		s.enter(way, denied.Bytes())
		s.await("a packet that is denied is not dropped", func() bool { return s.path.Drops()[datapath.Filtered.String()] == dropped+1 })
		if s.forwarded() != before {
			t.Errorf("%s: the stack has forwarded a packet that is denied", way)
		}
	}
}
