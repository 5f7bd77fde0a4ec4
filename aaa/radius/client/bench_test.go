//go:build !race

package client

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
	"lnsgate/test/radtest"
)

// echo is a server that answers as fast as one thread can.
func echo(t testing.TB) string {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadBuffer(1 << 20)
	done := make(chan struct{})
	go func() {
		defer close(done)
		key, in, out := wire.NewKey(secret), make([]byte, 4096), make([]byte, 0, 4096)
		for {
			_, from, err := conn.ReadFromUDPAddrPort(in)
			if err != nil {
				return
			}
			p := radius.Packet{Code: radius.CodeAccessAccept, Identifier: in[1]}
			copy(p.Authenticator[:], in[4:20])
			out, _ = key.AppendReply(out[:0], &p)
			conn.WriteToUDPAddrPort(out, from)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return conn.LocalAddr().String()
}

var benchAttributes = radius.Attributes{text(1, "alice"), text(32, "nas"), text(44, "session-00000001")}

func build(p *radius.Packet) error {
	p.Attributes = append(p.Attributes, benchAttributes...)
	return nil
}

// TestAllocationsPerRequest holds the whole way of a request to its budget, without what Build does.
func TestAllocationsPerRequest(t *testing.T) {
	g := group(t, Config{Servers: []Server{{Address: echo(t)}}})
	ctx, r := context.Background(), Request{Code: radius.CodeAccessRequest, Build: build}
	if n := testing.AllocsPerRun(500, func() {
		if _, err := g.Exchange(ctx, r); err != nil {
			t.Fatal(err)
		}
	}); n > 6 {
		t.Errorf("%v allocations per request", n)
	}
}

func (c *benchmark) run(b *testing.B) {
	for _, workers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("%s/%d", c.name, workers), func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism((workers + 1) / 2)
			if workers == 1 {
				for b.Loop() {
					c.one(b)
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						c.one(b)
					}
				})
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
		})
	}
}

type benchmark struct {
	name string
	one  func(b *testing.B)
}

// both runs ours and layeh's own Exchange against one server.
func both(b *testing.B, address, secret string) {
	g := group(b, Config{Servers: []Server{{Address: address, Secret: aaa.NewSecret(secret)}}})
	ctx := context.Background()
	ours := benchmark{"group", func(b *testing.B) {
		if _, err := g.Exchange(ctx, Request{Code: radius.CodeAccessRequest, Build: build}); err != nil {
			b.Error(err)
		}
	}}
	theirs := benchmark{"layeh", func(b *testing.B) {
		p := radius.New(radius.CodeAccessRequest, []byte(secret))
		build(p)
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		if _, err := radius.Exchange(ctx, p, address); err != nil {
			b.Error(err)
		}
	}}
	ours.run(b)
	theirs.run(b)
	s := g.Stats()[0]
	b.Logf("%d sockets, %d sent again, round trip %v, thrown away %v", s.Sockets, s.Resent, s.RTT, s.Discarded)
}

func BenchmarkEcho(b *testing.B) { both(b, echo(b), secret) }

func BenchmarkFreeRADIUS(b *testing.B) {
	srv := radtest.Start(b, radtest.Options{Users: "DEFAULT Auth-Type := Accept\n"})
	both(b, srv.Auth().String(), srv.Secret())
}

// BenchmarkRoundTrip is a bare datagram to the echo and back, with a packet that is made already.
func BenchmarkRoundTrip(b *testing.B) {
	conn, err := net.Dial("udp", echo(b))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	p := radius.New(radius.CodeAccessRequest, []byte(secret))
	rfc2865.UserName_SetString(p, "alice")
	octets, err := wire.NewKey(secret).AppendRequest(nil, p)
	if err != nil {
		b.Fatal(err)
	}
	in := make([]byte, 4096)
	for b.Loop() {
		conn.Write(octets)
		conn.Read(in)
	}
}
