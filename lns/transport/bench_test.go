//go:build !race

package transport

import (
	"net/netip"
	"testing"
	"time"

	"lnsgate/lns/datapath"
)

const benchSize = 1400

// looped makes a sender and a reader on loopback.
func looped(b *testing.B, gso, gro Switch) (*Transport, datapath.Path, *reader, *sink) {
	server := newTransport(b, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1, GRO: gro})
	client := newTransport(b, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1, GSO: gso})
	r := newReader(server.sockets[0], 0)
	into := &sink{}
	r.receiver = into
	return client, datapath.Path{Remote: server.Addrs()[0]}, r, into
}

// BenchmarkReceive tells the time of reading only; ns/op is with sending.
func BenchmarkReceive(b *testing.B) {
	for name, gro := range map[string]Switch{"single": Off, "coalesced": On} {
		b.Run(name, func(b *testing.B) {
			gso := gro // what leaves one by one arrives one by one
			client, p, r, into := looped(b, gso, gro)
			batch := sized(repeated(44, benchSize)...)
			var reading time.Duration
			b.ReportAllocs()
			for b.Loop() {
				if err := client.SendBatch(p, batch); err != nil {
					b.Fatal(err)
				}
				start := time.Now()
				for into.datagrams = 0; into.datagrams < len(batch); {
					r.readBatch(b)
				}
				reading += time.Since(start)
			}
			b.ReportMetric(float64(reading.Nanoseconds())/float64(b.N*len(batch)), "ns/datagram")
		})
	}
}

// BenchmarkSend tells the time of sending only; ns/op is with reading.
func BenchmarkSend(b *testing.B) {
	batch := sized(repeated(44, benchSize)...)
	for _, way := range []struct {
		name string
		gso  Switch
		send func(*Transport, datapath.Path) error
	}{
		{"single", Off, func(t *Transport, p datapath.Path) error {
			for _, d := range batch {
				if err := t.Send(p, d); err != nil {
					return err
				}
			}
			return nil
		}},
		{"sendmmsg", Off, func(t *Transport, p datapath.Path) error { return t.SendBatch(p, batch) }},
		{"GSO", On, func(t *Transport, p datapath.Path) error { return t.SendBatch(p, batch) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			client, p, r, into := looped(b, way.gso, On)
			var sending time.Duration
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				if err := way.send(client, p); err != nil {
					b.Fatal(err)
				}
				sending += time.Since(start)
				for into.datagrams = 0; into.datagrams < len(batch); {
					r.readBatch(b)
				}
			}
			b.ReportMetric(float64(sending.Nanoseconds())/float64(b.N*len(batch)), "ns/datagram")
		})
	}
}
