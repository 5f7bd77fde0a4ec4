package ebpf

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// BenchmarkCrowd tells what a packet costs in the programs, by how many sessions there are and what they have. Every packet is of another
// session than the one before it.
//
//	go test ./lns/datapath/ebpf -run '^$' -bench Crowd -benchtime 20000x
func BenchmarkCrowd(b *testing.B) {
	rules := []datapath.Rule{}
	for i := range mostRules - 1 {
		rules = append(rules, datapath.Rule{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{9, 9, byte(i), 0}), 24), Action: datapath.Deny})
	}
	long, err := datapath.NewFilter("long", datapath.Allow, rules)
	must(b, err)
	for _, c := range []struct {
		name   string
		change func(*datapath.Spec)
	}{
		{"plain", func(*datapath.Spec) {}},
		{"rate", func(s *datapath.Spec) { s.RateUp, s.RateDown = 1e12, 1e12 }},
		{"64 rules", func(s *datapath.Spec) { s.Filter = long }},
	} {
		for _, sessions := range []int{1, 100, 10_000, 100_000} {
			for _, way := range []datapath.Direction{datapath.Up, datapath.Down} {
				b.Run(fmt.Sprintf("%s/%d/%s", c.name, sessions, way), func(b *testing.B) { benchmarkCrowd(b, sessions, way, c.change) })
			}
		}
	}
}

func benchmarkCrowd(b *testing.B, sessions int, way datapath.Direction, change func(*datapath.Spec)) {
	r := newRig(b, nil)
	r.path.templates["vt1"] = 1 // a packet of which the kernel is asked seems to be on lo
	spec := datapathtest.Spec("vt1")
	peer := spec.Path
	change(&spec)
	addressOf := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(100 + i>>16), byte(i >> 8), byte(i)}) }
	for i := range sessions {
		spec.Key, spec.Address = datapath.Key{Tunnel: uint16(1 + i/1000), Session: uint16(1 + i%1000)}, addressOf(i)
		_, err := r.path.Add(spec)
		must(b, err)
	}
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	must(b, err)
	defer stats.Close()
	program := r.path.objects.Up
	if way == datapath.Down {
		program = r.path.objects.Down
	}
	out := make([]byte, 2048)
	must(b, r.host.Do(func() error {
		for b.Loop() {
			i := rand.IntN(sessions)
			data := datapathtest.Packet{Source: "8.0.0.1", Destination: addressOf(i).String(), Port: 9, Payload: 36}.Bytes()
			if way == datapath.Up {
				packet := datapathtest.Packet{Source: addressOf(i).String(), Destination: "8.0.0.1", Port: 9, Payload: 36}.Bytes()
				id := []byte{0, 2, 0, byte(1 + i/1000), byte((1 + i%1000) >> 8), byte(1 + i%1000), 0xFF, 3, 0, 0x21}
				data = frame(make(net.HardwareAddr, 6), peer, append(id, packet...))
			}
			if result, err := program.Run(&ebpf.RunOptions{Data: data, DataOut: out}); err != nil || result == 1<<32-1 {
				return fmt.Errorf("a packet was not carried: %w", err)
			}
		}
		return nil
	}))
	info, err := program.Stats()
	must(b, err)
	b.ReportMetric(float64(info.Runtime.Nanoseconds())/float64(info.RunCount), "ns/packet")
	b.ReportMetric(0, "ns/op")
}
