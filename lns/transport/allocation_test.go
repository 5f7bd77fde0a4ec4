//go:build !race

// The race detector makes sync.Pool forget at random, so these figures hold without it only.

package transport

import (
	"net/netip"
	"testing"

	"lnsgate/lns/datapath"
)

// sink takes datagrams and keeps nothing.
type sink struct{ datagrams int }

func (s *sink) Datagram(datapath.Path, []byte) { s.datagrams++ }
func (s *sink) Keep()                          {}
func (s *sink) Flush()                         {}

// readBatch does once what the reader's goroutine does.
func (r *reader) readBatch(t testing.TB) {
	if err := r.socket.raw.Read(r.read); err != nil || r.errno != 0 {
		t.Fatal(err, r.errno)
	}
	r.deliver()
}

func TestNoAllocationsPerDatagram(t *testing.T) {
	for _, listen := range []netip.AddrPort{loopback4, loopback6, any4, any6} {
		transport := newTransport(t, Config{Listen: []netip.AddrPort{listen}, SocketsPerAddress: 1, GSO: On, GRO: On})
		r := newReader(transport.sockets[0], 0)
		into := &sink{}
		r.receiver = into
		local := listen.Addr()
		if local.IsUnspecified() {
			local = map[bool]netip.Addr{true: loopback4.Addr(), false: loopback6.Addr()}[local.Is4()]
		}
		p := datapath.Path{Remote: netip.AddrPortFrom(local, transport.Addrs()[0].Port()), Local: local}
		batch := sized(repeated(40, 1400)...)
		for name, send := range map[string]func() error{
			"Send":      func() error { return transport.Send(p, batch[0]) },
			"SendBatch": func() error { return transport.SendBatch(p, batch) },
		} {
			into.datagrams = 0
			allocations := testing.AllocsPerRun(200, func() {
				if err := send(); err != nil {
					t.Fatal(err)
				}
				r.readBatch(t)
			})
			if allocations != 0 {
				t.Errorf("%s on %s: %v allocations for sending and receiving", name, listen, allocations)
			}
			if want := map[string]int{"Send": 201, "SendBatch": 201 * len(batch)}[name]; into.datagrams != want {
				t.Errorf("%s on %s: %d datagrams arrived, want %d", name, listen, into.datagrams, want)
			}
		}
	}
}
