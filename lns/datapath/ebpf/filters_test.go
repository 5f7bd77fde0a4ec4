package ebpf

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// Few addresses, protocols and ports, so that rules and packets meet often.
var (
	drawn4        = []string{"8.0.0.0", "8.0.0.1", "8.0.0.255", "8.0.1.0", "8.0.128.0", "9.255.255.255", "10.0.0.0"}
	drawn6        = []string{"2001:db8:86dd::", "2001:db8:86dd::1", "2001:db8:86dd:1::", "2001:db8:86dd:0:ffff::1", "2001:db9:86dd::", "2600::1"}
	drawnProtocol = []datapath.Protocol{datapath.AnyProtocol, datapath.TCP, datapath.TCP, datapath.UDP, datapath.SCTP, datapath.ICMP,
		datapath.ICMPv6, datapath.GRE, 253}
)

func drawRule(t *rapid.T) datapath.Rule {
	r := datapath.Rule{
		Action:    datapath.Action(rapid.IntRange(0, 1).Draw(t, "action")),
		Direction: datapath.Direction(rapid.IntRange(0, 2).Draw(t, "direction")),
		Protocol:  rapid.SampledFrom(drawnProtocol).Draw(t, "protocol"),
	}
	switch rapid.IntRange(0, 4).Draw(t, "family") {
	case 0, 1:
		a := netip.MustParseAddr(rapid.SampledFrom(drawn4).Draw(t, "address"))
		r.Prefix, _ = a.Prefix(rapid.SampledFrom([]int{0, 1, 8, 23, 24, 31, 32}).Draw(t, "bits"))
	case 2, 3:
		a := netip.MustParseAddr(rapid.SampledFrom(drawn6).Draw(t, "address"))
		r.Prefix, _ = a.Prefix(rapid.SampledFrom([]int{0, 1, 31, 32, 48, 63, 64, 65, 127, 128}).Draw(t, "bits"))
	}
	if r.Prefix.Addr().Is4() && r.Protocol == datapath.ICMPv6 || r.Prefix.Addr().Is6() && r.Protocol == datapath.ICMP {
		r.Protocol = datapath.AnyProtocol
	}
	for range rapid.IntRange(0, 3).Draw(t, "ranges") {
		first := rapid.Uint16Range(0, 40).Draw(t, "first")
		if r.Protocol.HasPorts() {
			r.Ports = append(r.Ports, datapath.PortRange{First: first, Last: first + rapid.Uint16Range(0, 10).Draw(t, "more")})
		}
		if r.Protocol.HasTypes() {
			r.Types = append(r.Types, uint8(first))
		}
	}
	r.Established = r.Protocol == datapath.TCP && rapid.IntRange(0, 3).Draw(t, "established") == 0
	return r
}

// drawPacket makes a packet of the session: from its address to one of those drawn, or the other way about. The kernel wants an
// Ethernet header even where the interface has none: where it reads the type of such a header lies a part of the source address,
// which has been chosen so.
func drawPacket(t *rapid.T, way datapath.Direction) []byte {
	near, far := "10.10.1.10", rapid.SampledFrom(drawn4).Draw(t, "far")
	if rapid.Bool().Draw(t, "IPv6") {
		near, far = "2001:db8:1::10", rapid.SampledFrom(drawn6).Draw(t, "far")
	}
	from, to := netip.MustParseAddr(near), netip.MustParseAddr(far)
	if way == datapath.Down {
		from, to = to, from
		if from.Is4() && from.AsSlice()[0] != 8 || from.Is6() && from.AsSlice()[4] != 0x86 {
			return drawPacket(t, way)
		}
	}
	protocol := rapid.SampledFrom(drawnProtocol[1:]).Draw(t, "protocol")
	payload := make([]byte, rapid.SampledFrom([]int{19, 20, 24, 60}).Draw(t, "payload"))
	if way == datapath.Up { // down, so much is needed for the kernel to find two headers of IP there
		payload = payload[:rapid.SampledFrom([]int{2, 4, 8, 12, len(payload)}).Draw(t, "cut")]
	}
	if len(payload) >= 4 {
		binary.BigEndian.PutUint16(payload, rapid.Uint16Range(0, 55).Draw(t, "source port"))
		binary.BigEndian.PutUint16(payload[2:], rapid.Uint16Range(0, 55).Draw(t, "destination port"))
		if protocol.HasTypes() {
			payload[0] = payload[1]
		}
	}
	if len(payload) > 13 {
		payload[12], payload[13] = 5<<4, byte(rapid.IntRange(0, 31).Draw(t, "flags"))
	}
	if from.Is4() {
		b := []byte{0x45, 0, 0, byte(20 + len(payload)), 0, 1, 0, 0, 64, byte(protocol), 0, 0}
		b = append(append(b, from.AsSlice()...), to.AsSlice()...)
		binary.BigEndian.PutUint16(b[10:], datapathtest.Checksum(b))
		return append(b, payload...)
	}
	b := []byte{0x60, 0, 0, 0, 0, byte(len(payload)), byte(protocol), 64}
	return append(append(append(b, from.AsSlice()...), to.AsSlice()...), payload...)
}

func TestTheKernelJudgesAsUserSpaceDoes(t *testing.T) {
	b := newQuestions(t)
	var judged [2]struct{ denied, passed int }
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SliceOfN(rapid.Custom(drawRule), 0, 20).Draw(t, "rules")
		f, err := datapath.NewFilter("drawn", datapath.Action(rapid.IntRange(0, 1).Draw(t, "default")), rules)
		if err != nil {
			t.Fatal(err)
		}
		c, ok := compile(f)
		if !ok {
			t.Fatalf("%d rules do not fit", len(rules))
		}
		if err := b.path.objects.Filters.Put(b.entry.Filter, c); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			way := datapath.Direction(rapid.IntRange(1, 2).Draw(t, "way"))
			packet := drawPacket(t, way)
			taken, denied := b.run(t, way, packet)
			allowed := f.Allows(way, packet)
			switch {
			case denied && allowed, taken && !denied && !allowed:
				t.Fatalf("%s of %x: taken %v, denied %v; user space allows it: %v", way, packet, taken, denied, allowed)
			case denied:
				judged[way-datapath.Up].denied++
			case taken:
				judged[way-datapath.Up].passed++
			}
		}
	})
	for i, n := range judged {
		if n.denied < 100 || n.passed < 100 {
			t.Errorf("%s the kernel has denied %d packets and let %d pass: too few to show anything", datapath.Up+datapath.Direction(i), n.denied, n.passed)
		}
	}
}

func filterOf(t *testing.T, name string, ports ...uint16) *datapath.Filter {
	t.Helper()
	rule := datapath.Rule{Protocol: datapath.TCP}
	for _, port := range ports {
		rule.Ports = append(rule.Ports, datapath.PortRange{First: port, Last: port})
	}
	f, err := datapath.NewFilter(name, datapath.Allow, []datapath.Rule{rule})
	must(t, err)
	return f
}

func TestFiltersWithTheSameRulesAreOne(t *testing.T) {
	now, puts := time.Unix(1e9, 0), 0
	all := filters{most: 3, held: make(map[pathFilter]*heldFilter), put: func(uint32, pathFilter) error { puts++; return nil }}
	take := func(port, wanted uint16) *heldFilter {
		t.Helper()
		h, ok := all.take(filterOf(t, "f", port), now)
		if ok != (wanted != 0) || ok && h.number != uint32(wanted) {
			t.Fatalf("port %d: %+v, want number %d", port, h, wanted)
		}
		return h
	}
	first, again := take(1, 1), take(1, 1)
	second := take(2, 2)
	take(3, 0) // there is no room
	all.leave(second, now)
	take(3, 0) // a program may still look at it
	now = now.Add(settled + 1)
	if third := take(3, 2); third.users != 1 {
		t.Errorf("%+v", third)
	}
	all.leave(first, now)
	now = now.Add(settled + 1)
	take(2, 0) // somebody still has it
	all.leave(again, now)
	take(1, 1) // it has not gone yet
	if puts != 3 {
		t.Errorf("%d were written", puts)
	}
}

func TestAFilterThatDoesNotFitIsNamedOnce(t *testing.T) {
	r := newRig(t, nil)
	var said bytes.Buffer
	r.path.log = slog.New(slog.NewTextHandler(&said, nil))
	spec := datapathtest.Spec("vt1")
	var ports []uint16
	for port := range uint16(mostRules + 1) {
		ports = append(ports, port)
	}
	spec.Filter = filterOf(t, "branch offices", ports...)
	s, err := r.path.Add(spec)
	must(t, err)
	if up, down := r.crossed(); up || down || r.path.Unfit() != 1 || r.path.Carried() != 0 {
		t.Errorf("the kernel carries up %v, down %v; %d do not fit, %d are carried", up, down, r.path.Unfit(), r.path.Carried())
	}
	s.SetFilter(filterOf(t, "short", ports[:mostRules]...))
	if up, down := r.crossed(); !up || !down || r.path.Unfit() != 0 {
		t.Errorf("with a short one the kernel carries up %v, down %v", up, down)
	}
	s.SetFilter(spec.Filter)
	s.Close()
	if r.path.Unfit() != 0 || strings.Count(said.String(), "branch offices") != 1 || !strings.Contains(said.String(), "most=64") {
		t.Errorf("%d do not fit, and the log says %s", r.path.Unfit(), &said)
	}
}
