package datapathtest

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"

	"lnsgate/lns/datapath"
)

// RunFilters checks only what a data path does with filters. [Run] does it too.
func RunFilters(t *testing.T, newRig func(*testing.T) Rig) { run(t, newRig, filterTests) }

var filterTests = map[string]func(*testing.T, *bench){
	"filter/every kind of rule, both ways": filterRules,
	"filter/figures":                       filterFigures,
	"filter/swapped while packets flow":    filterSwap,
}

// segment is an IPv4 packet whose payload begins as the protocols do that have ports. What it lacks of a sound payload
// only its receiver would see.
type segment struct {
	protocol     datapath.Protocol
	near, far    uint16 // ports of the client and of the server; of ICMP, far is the type
	flags        byte
	offset       uint16
	octets       int
	nearby, away string // addresses, if other than those of client and server
}

// bytes is the packet on its way up or down.
func (s segment) bytes(way datapath.Direction, id uint16) []byte {
	b := make([]byte, 20+max(s.octets, 32))
	b[0], b[8], b[9] = 0x45, 64, byte(s.protocol)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], s.offset)
	from, to, ports := s.nearby, s.away, [2]uint16{s.near, s.far}
	if from == "" {
		from = client
	}
	if to == "" {
		to = server
	}
	if way == datapath.Down {
		from, to, ports = to, from, [2]uint16{s.far, s.near}
	}
	copy(b[12:], netip.MustParseAddr(from).AsSlice())
	copy(b[16:], netip.MustParseAddr(to).AsSlice())
	if s.offset == 0 {
		binary.BigEndian.PutUint16(b[20:], ports[0])
		binary.BigEndian.PutUint16(b[22:], ports[1])
		b[32], b[33] = 5<<4, s.flags
		if s.protocol == datapath.ICMP {
			b[20], b[21] = byte(s.far), 0
		}
	}
	binary.BigEndian.PutUint16(b[10:], Checksum(b[:20]))
	s.sum(b)
	return b
}

// sum fills in the checksum of what the packet carries, from which a path may make that of its datagram.
func (s segment) sum(b []byte) {
	if s.offset != 0 {
		return
	}
	switch s.protocol {
	case datapath.ICMP:
		binary.BigEndian.PutUint16(b[22:], 0)
		binary.BigEndian.PutUint16(b[22:], Checksum(b[20:]))
	case datapath.TCP:
		pseudo := append(append([]byte{}, b[12:20]...), 0, byte(s.protocol))
		pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(len(b)-20))
		binary.BigEndian.PutUint16(b[36:], Checksum(append(pseudo, b[20:]...)))
	}
}

// carry sends a packet one way and waits for it on the other side.
func (b *bench) carry(way datapath.Direction, s segment) {
	b.Helper()
	b.port++
	packet := s.bytes(way, b.port)
	if way == datapath.Up {
		b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, packet)
		b.expectUp(packet)
		return
	}
	b.ToPeers(packet)
	length := byte(12 + len(packet))
	b.expectSent(peer, []byte{0x40, 2, byte((12 + len(packet)) >> 8), length, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}, packet)
}

// filtered sends a packet that must be dropped and counted. Another one, which passes, is sent until it has been: it shows
// that nothing came out before it.
func (b *bench) filtered(s datapath.Session, way datapath.Direction, denied, passes segment) {
	b.Helper()
	reason := datapath.Filtered.String()
	total, own := b.DataPath().Drops()[reason], s.Counters().Drops
	b.port++
	packet := denied.bytes(way, b.port)
	if way == datapath.Up {
		if !b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, packet) {
			b.Errorf("%+v was left to the engine", denied)
		}
	} else {
		b.ToPeers(packet)
	}
	for range 100 { // packets of different flows may be read from different queues
		b.carry(way, passes)
		if b.DataPath().Drops()[reason] != total {
			break
		}
	}
	if got := b.DataPath().Drops()[reason] - total; got != 1 {
		b.Errorf("%s of %+v was counted %d times", way, denied, got)
	}
	if got := s.Counters().Drops - own; got != 1 {
		b.Errorf("%s of %+v was counted %d times for the session", way, denied, got)
	}
}

func (b *bench) filter(otherwise datapath.Action, rules ...datapath.Rule) *datapath.Filter {
	b.Helper()
	f, err := datapath.NewFilter("test", otherwise, rules)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// servers is the network of the server.
var servers = netip.MustParsePrefix("192.0.2.0/24")

func filterRules(t *testing.T, b *bench) {
	s := b.add(nil)
	https := []datapath.PortRange{{First: 443, Last: 443}, {First: 8000, Last: 8100}}
	for name, c := range map[string]struct {
		rule            datapath.Rule
		matches, others segment
	}{
		"prefix": {datapath.Rule{Prefix: servers},
			segment{protocol: datapath.UDP}, segment{protocol: datapath.UDP, away: "198.18.0.1"}},
		"protocol": {datapath.Rule{Protocol: datapath.GRE},
			segment{protocol: datapath.GRE}, segment{protocol: datapath.UDP}},
		"tcp port": {datapath.Rule{Prefix: servers, Protocol: datapath.TCP, Ports: https},
			segment{protocol: datapath.TCP, near: 40000, far: 443}, segment{protocol: datapath.TCP, near: 443, far: 40000}},
		"udp port range": {datapath.Rule{Protocol: datapath.UDP, Ports: https},
			segment{protocol: datapath.UDP, far: 8050}, segment{protocol: datapath.UDP, far: 8101}},
		"sctp port": {datapath.Rule{Protocol: datapath.SCTP, Ports: https},
			segment{protocol: datapath.SCTP, far: 443}, segment{protocol: datapath.SCTP, far: 444}},
		"icmp type": {datapath.Rule{Protocol: datapath.ICMP, Types: []uint8{0, 8}},
			segment{protocol: datapath.ICMP, far: 8}, segment{protocol: datapath.ICMP, far: 13}},
		"established": {datapath.Rule{Protocol: datapath.TCP, Established: true},
			segment{protocol: datapath.TCP, flags: 0x10}, segment{protocol: datapath.TCP, flags: 0x02}},
	} {
		for _, way := range []datapath.Direction{datapath.Up, datapath.Down} {
			c.rule.Action = datapath.Allow
			s.SetFilter(b.filter(datapath.Deny, c.rule))
			b.filtered(s, way, c.others, c.matches)
			c.rule.Action = datapath.Deny
			s.SetFilter(b.filter(datapath.Allow, c.rule))
			b.filtered(s, way, c.matches, c.others)
			if t.Failed() {
				t.Fatalf("that was %s", name)
			}
		}
	}
	// Of one direction only.
	s.SetFilter(b.filter(datapath.Allow, datapath.Rule{Direction: datapath.Down, Prefix: servers}))
	b.carry(datapath.Up, segment{protocol: datapath.UDP})
	b.filtered(s, datapath.Down, segment{protocol: datapath.UDP}, segment{protocol: datapath.UDP, away: "198.18.0.1"})
	// A later fragment has no ports.
	s.SetFilter(b.filter(datapath.Allow, datapath.Rule{Prefix: servers, Protocol: datapath.UDP, Ports: https}))
	later := segment{protocol: datapath.UDP, offset: 100}
	b.filtered(s, datapath.Up, later, segment{protocol: datapath.UDP})
	b.filtered(s, datapath.Down, later, segment{protocol: datapath.UDP})
	s.SetFilter(nil)
	b.carry(datapath.Up, later)
	b.carry(datapath.Down, later)
}

// filterFigures sends packets of two lengths, of which one is denied: the octets tell whether it was counted as carried.
func filterFigures(t *testing.T, b *bench) {
	rule := datapath.Rule{Prefix: servers, Protocol: datapath.TCP, Ports: []datapath.PortRange{{First: 22, Last: 22}}}
	s := b.add(func(spec *datapath.Spec) { spec.Filter = b.filter(datapath.Allow, rule) })
	passes := segment{protocol: datapath.TCP, far: 443, octets: 100}
	denied := segment{protocol: datapath.TCP, far: 22, octets: 1000}
	for _, way := range []datapath.Direction{datapath.Up, datapath.Down} {
		for range 3 {
			b.filtered(s, way, denied, passes)
		}
	}
	c := s.Close()
	if c.RxPackets != 3 || c.RxOctets != 3*120 || c.TxPackets < 2 || c.TxOctets != c.TxPackets*120 || c.Drops != 6 {
		t.Errorf("%+v", c)
	}
}

// filterSwap changes between two filters while packets come that neither, one of them or the other denies.
func filterSwap(t *testing.T, b *bench) {
	port := func(n uint16) datapath.Rule {
		return datapath.Rule{Protocol: datapath.UDP, Ports: []datapath.PortRange{{First: n, Last: n}}}
	}
	filters := []*datapath.Filter{b.filter(datapath.Allow, port(1)), b.filter(datapath.Allow, port(2))}
	s := b.add(func(spec *datapath.Spec) { spec.Filter = filters[0] })
	const packets = 300
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for i := range 10 * packets {
			s.SetFilter(filters[i%2])
		}
	})
	for i := range packets {
		b.port++
		b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, segment{protocol: datapath.UDP, far: uint16(1 + i%3)}.bytes(datapath.Up, b.port))
	}
	swapping.Wait()
	c := s.Counters()
	if c.RxPackets+c.Drops != packets || c.RxPackets < packets/3 {
		t.Errorf("%+v of %d packets", c, packets)
	}
	var passed [4]int
	for range c.RxPackets {
		passed[binary.BigEndian.Uint16(b.FromPeers()[22:])]++
	}
	if passed[3] != packets/3 {
		t.Errorf("of %d packets that no filter denies came %d", packets/3, passed[3])
	}
	s.SetFilter(nil)
	for far := range uint16(3) {
		b.carry(datapath.Up, segment{protocol: datapath.UDP, far: far})
		b.carry(datapath.Down, segment{protocol: datapath.UDP, far: far})
	}
}
