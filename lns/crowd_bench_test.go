package lns_test

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// BenchmarkStranger is what an SCCRQ from a new address costs, when it gets a sketch and when it gets a tunnel.
func BenchmarkStranger(b *testing.B) {
	for name, tunnels := range map[string]int{"sketch": 1, "tunnel": 0} {
		b.Run(name, func(b *testing.B) {
			c := testConfig()
			c.Limits.HalfOpenTunnels = tunnels
			c.Groups[0].Secret, c.Groups[0].Authenticate = aaa.NewSecret("s"), true
			server, err := lns.New(c, lns.Deps{Sender: silent{}, DataPath: datapathtest.NewFake(), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer func() {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				server.Close(ctx)
			}()
			rx, q := server.Receiver(), sccrq(1)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				rx.Datagram(datapath.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{100, byte(i >> 16), byte(i >> 8), byte(i)}), 1701)}, q)
			}
		})
	}
}
