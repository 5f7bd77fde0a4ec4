package radiusserver

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/udp"
	"lnsgate/aaa/radius/wire"
)

// nowhere counts what is sent.
type nowhere struct{ count atomic.Int64 }

func (n *nowhere) Send([]byte, []byte, netip.AddrPort) { n.count.Add(1) }

// requests makes so many that differ.
func requests(b *testing.B, m aaa.Method, count int) [][]byte {
	list := make([][]byte, count)
	for i := range list {
		if m == aaa.MethodNone {
			list[i] = octetsOf(b, packet(b, radius.CodeAccountingRequest, num(40, 3), str(44, "0001"), str(1, "alice"), num(46, uint32(i)), num(42, 5), num(43, 7)))
			continue
		}
		list[i] = octetsOf(b, proven(b, packet(b, radius.CodeAccessRequest), m, "alice", password))
	}
	return list
}

// BenchmarkTake is the server without the sockets, with a back end that answers at once.
func BenchmarkTake(b *testing.B) {
	for name, m := range map[string]aaa.Method{"pap": aaa.PAP, "chap": aaa.CHAP, "mschapv2": aaa.MSCHAPv2, "accounting": aaa.MethodNone} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, func(c *Config) {
				c.AAA = &yes{}
				c.Records = nothing{}
				c.AtOnce = 1 << 20
			})
			list, role, out := requests(b, m, 4096), forAccess, &nowhere{}
			if m == aaa.MethodNone {
				role = forRecords
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				r.take(context.Background(), datagram{role: role, octets: list[i%4096], from: netip.AddrPortFrom(nasAddress.Addr(), uint16(i/4096)), out: out}, time.Now())
			}
			r.working.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "datagrams/s")
		})
	}
}

// BenchmarkLoopback is the server with its sockets, and a client on the same processors that keeps 200 requests under way.
func BenchmarkLoopback(b *testing.B) {
	for name, m := range map[string]aaa.Method{"pap": aaa.PAP, "chap": aaa.CHAP, "accounting": aaa.MethodNone} {
		b.Run(name, func(b *testing.B) {
			_, auth, acct := serve(b, func(c *Config) {
				c.AAA = &yes{}
				c.Records = nothing{}
			})
			at := auth
			if m == aaa.MethodNone {
				at = acct
			}
			conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			list := requests(b, m, 1<<14)
			b.ResetTimer()
			if err := conn.SetReadBuffer(udp.RoomInKernel); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(exchangedPerSecond(b, conn, list), "datagrams/s")
		})
	}
}

// exchangedPerSecond asks with so many identifiers at a time, each again when it was answered.
func exchangedPerSecond(b *testing.B, conn *net.UDPConn, list [][]byte) float64 {
	const underWay, identifiers = 200, 256
	var turn [identifiers]int
	buffer, sent := make([]byte, wire.MaxLength), 0
	send := func(id int) {
		if sent < b.N {
			if _, err := conn.Write(list[(turn[id]*identifiers+id)%len(list)]); err != nil {
				b.Fatal(err)
			}
			turn[id]++
			sent++
		}
	}
	first := int(list[0][1])
	for i := range underWay {
		send(i)
	}
	for came := range b.N {
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Read(buffer); err != nil {
			b.Fatalf("after %d of %d: %v", came, sent, err)
		}
		send((int(buffer[1]) - first + identifiers) % identifiers)
	}
	return float64(b.N) / b.Elapsed().Seconds()
}

// yes lets everybody in.
type yes struct{}

func (*yes) Authenticate(_ context.Context, r *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision{Account: r.Name, Domain: "default", Backend: "local", Address: netip.AddrFrom4([4]byte{10, 1, 2, 3}), SessionTimeout: time.Hour}, nil
}

func (y *yes) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return y.Authenticate(ctx, r)
}

// nothing keeps no records.
type nothing struct{}

func (nothing) Account(context.Context, *aaa.Record) error         { return nil }
func (nothing) Restarted(context.Context, string, time.Time) error { return nil }
func (nothing) Withdrawn(context.Context, string)                  {}
