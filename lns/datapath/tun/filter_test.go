package tun

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// twentyRules is what a department may have. The last but one lets the packets of the benchmarks pass.
func twentyRules(t testing.TB) *datapath.Filter {
	t.Helper()
	var rules []datapath.Rule
	for i := range byte(18) {
		rules = append(rules, datapath.Rule{
			Action: datapath.Allow, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, i, 0, 0}), 16),
			Protocol: datapath.TCP, Ports: []datapath.PortRange{{First: 443, Last: 443}, {First: 8000, Last: 8100}},
		})
	}
	rules = append(rules, datapath.Rule{Action: datapath.Allow, Prefix: netip.MustParsePrefix("192.0.2.0/24"), Protocol: datapath.UDP,
		Ports: []datapath.PortRange{{First: 0, Last: 65535}}}, datapath.Rule{Prefix: netip.MustParsePrefix("10.0.0.0/8")})
	return filterOf(t, datapath.Deny, rules...)
}

func filterOf(t testing.TB, otherwise datapath.Action, rules ...datapath.Rule) *datapath.Filter {
	t.Helper()
	f, err := datapath.NewFilter("test", otherwise, rules)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFiltersAllocateNothing(t *testing.T) {
	d, p := newIdle(t, deaf{})
	for n, f := range []*datapath.Filter{twentyRules(t), filterOf(t, datapath.Deny)} {
		spec := specOf(n)
		spec.Filter = f
		s, err := d.Add(spec)
		must(t, err)
		in, datagram := d.Ingress(), up(n, 1000, false)
		e := newEgress(d, p, 0)
		packet := datapathtest.Packet{Source: "192.0.2.80", Destination: spec.Address.String(), Payload: 1000}.Bytes()
		if n := testing.AllocsPerRun(200, func() {
			in.Receive(spec.Path, datagram)
			in.Flush()
			e.packets[0] = extent{Offset: headroom, Size: copy(e.slab[headroom:], packet)}
			e.batch(1)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
		c := s.Counters()
		if denies := n == 1; denies != (c.RxPackets+c.TxPackets == 0) || denies != (c.Drops > 0) {
			t.Errorf("filter %d: %+v", n, c)
		}
	}
}

// A filter is asked first, so that what it denies does not use up the rate.
func TestFilteredPacketsDoNotCountAgainstTheRate(t *testing.T) {
	d, _ := newIdle(t, deaf{})
	spec := specOf(1)
	spec.RateUp, spec.Filter = 8_000, filterOf(t, datapath.Deny)
	s, err := d.Add(spec)
	must(t, err)
	in := d.Ingress()
	for range 1000 {
		in.Receive(spec.Path, up(1, 1000, false))
	}
	s.SetFilter(nil)
	in.Receive(spec.Path, up(1, 1000, false))
	in.Flush()
	if c := s.Counters(); c.Drops != 1000 || c.RxPackets != 1 {
		t.Errorf("%+v", c)
	}
}

// TestTCPThroughAFilter runs merged segments through a filter that names the service, and swaps it.
func TestTCPThroughAFilter(t *testing.T) {
	service := filterOf(t, datapath.Deny, datapath.Rule{Action: datapath.Allow, Prefix: netip.MustParsePrefix("192.168.1.80/32"),
		Protocol: datapath.TCP, Ports: []datapath.PortRange{{First: 1024, Last: 65535}}})
	change := func(s *datapath.Spec) {
		if s.Interface == "vt1" {
			s.Filter = service
		}
	}
	eachConfig(t, change, func(t *testing.T, o *office) {
		transferBothWays(t, o, 2<<20)
		if n := o.session.Counters().Drops; n != 0 {
			t.Errorf("%d packets of an allowed service were dropped", n)
		}
		dial := func(wait time.Duration) error {
			var listener net.Listener
			must(t, o.server.Do(func() (err error) { listener, err = net.Listen("tcp4", "192.168.1.80:0"); return err }))
			defer listener.Close()
			return o.client.Do(func() error {
				c, err := net.DialTimeout("tcp4", listener.Addr().String(), wait)
				if err == nil {
					c.Close()
				}
				return err
			})
		}
		o.session.SetFilter(filterOf(t, datapath.Allow, datapath.Rule{Direction: datapath.Down, Protocol: datapath.TCP}))
		if err := dial(200 * time.Millisecond); err == nil || o.session.Counters().Drops == 0 {
			t.Errorf("without answers: %v, %+v", err, o.session.Counters())
		}
		o.session.SetFilter(service)
		must(t, dial(patienceInTests))
	})
}
