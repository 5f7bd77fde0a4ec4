package tun

import (
	"runtime"
	"testing"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/test/netns"
)

func TestAnIdleSessionCostsLessThanAKilobyte(t *testing.T) {
	d, _ := newIdle(t, deaf{})
	sessions := make([]datapath.Session, 10_000)
	before := heap()
	for n := range sessions {
		s, err := d.Add(specOf(n))
		must(t, err)
		sessions[n] = s
	}
	each := (heap() - before) / uint64(len(sessions))
	t.Logf("%d octets per session", each)
	if each > 1024 {
		t.Errorf("a session costs %d octets", each)
	}
	runtime.KeepAlive(sessions)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// eachFilter runs a benchmark with 10,000 sessions without a filter and with one of 20 rules.
func eachFilter(b *testing.B, run func(*testing.B, *DataPath, *port)) {
	for name, filter := range map[string]*datapath.Filter{"no filter": nil, "20 rules": twentyRules(b)} {
		b.Run(name, func(b *testing.B) {
			d, p := newIdle(b, deaf{})
			for n := range 10_000 {
				spec := specOf(n)
				spec.Filter = filter
				if _, err := d.Add(spec); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			run(b, d, p)
		})
	}
}

func BenchmarkUp(b *testing.B) {
	eachFilter(b, func(b *testing.B, d *DataPath, _ *port) {
		in, spec, datagram := d.Ingress(), specOf(777), up(777, 1000, false)
		b.ResetTimer()
		for i := range b.N {
			in.Receive(spec.Path, datagram)
			if i%64 == 63 {
				in.Flush()
			}
		}
	})
}

func BenchmarkDown(b *testing.B) {
	eachFilter(b, func(b *testing.B, d *DataPath, p *port) {
		e := newEgress(d, p, 0)
		packet := datapathtest.Packet{Source: "192.0.2.80", Destination: specOf(777).Address.String(), Payload: 1000}.Bytes()
		const batch = 40
		for i := range batch {
			at := headroom + i*(headroom+len(packet))
			e.packets[i] = extent{Offset: at, Size: copy(e.slab[at:], packet)}
		}
		b.ResetTimer()
		for range b.N/batch + 1 {
			e.batch(batch)
		}
	})
}

// BenchmarkUpToTheKernel includes the system calls; the kernel drops the packets, because nothing forwards them.
func BenchmarkUpToTheKernel(b *testing.B) {
	for name, flows := range map[string]int{"one flow": 1, "64 flows": 64} {
		b.Run(name, func(b *testing.B) { benchmarkKernel(b, flows) })
	}
}

func benchmarkKernel(b *testing.B, flows int) {
	netns.RequireTUN(b)
	host := netns.NewTest(b)
	var d *DataPath
	if err := host.Do(func() (err error) {
		d, err = New(Config{Interface: "vt1", Sender: deaf{}, Offload: true})
		return err
	}); err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := host.Up("vt1"); err != nil {
		b.Fatal(err)
	}
	const batch = 64
	var datagrams, buffers [batch][]byte
	for i := range batch {
		n := i % flows
		if _, err := d.Add(specOf(n)); i < flows && err != nil {
			b.Fatal(err)
		}
		datagrams[i] = up(n, 1000, false)
		buffers[i] = make([]byte, len(datagrams[i]))
	}
	in, path := d.Ingress(), specOf(0).Path
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		copy(buffers[i%batch], datagrams[i%batch])
		in.Receive(path, buffers[i%batch])
		if i%batch == batch-1 {
			in.Flush()
		}
	}
}
