package foreign_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/foreign/foreigntest"
	"lnsgate/pool"
	"lnsgate/pool/memory"
)

// nowhere are foreign.Records that keep nothing.
type nowhere struct{}

func (nowhere) Take(aaa.Record) error      { return nil }
func (nowhere) Sync(context.Context) error { return nil }

// BenchmarkLife is the life of a session: login, Start, Interim, Stop, with an address, and a limit that is counted here. What is stored
// is stored in memory.
func BenchmarkLife(b *testing.B) {
	list, _ := pool.ParseRange("10.0.0.0-10.3.255.255")
	allocator, err := memory.New(memory.Config{Pools: []pool.Pool{{Name: "p", Ranges: []pool.Range{list}}}})
	if err != nil {
		b.Fatal(err)
	}
	p := &people{answers: map[string]aaa.Decision{"ann": decision("ann")}, faults: map[string]error{}}
	s, err := foreign.New(foreign.Config{Pools: allocator, Records: nowhere{}, Store: foreigntest.NewMemory(nil), AAA: p})
	if err != nil {
		b.Fatal(err)
	}
	auth := s.Around(fixed(decision("ann")))
	var n atomic.Int64
	ctx := context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			name := fmt.Sprintf("nas/%d", n.Add(1))
			q := &aaa.Request{Session: name, Name: "ann", NAS: &aaa.NAS{Name: "nas", Client: "nas"}, Peer: netip.MustParseAddrPort("192.0.2.1:1")}
			d, err := auth.Authenticate(ctx, q)
			if err != nil {
				b.Error(err)
				return
			}
			r := aaa.Record{Kind: aaa.RecordStart, Session: name, Sequence: 1, Name: "ann", Account: "ann", Domain: "d", NAS: q.NAS, Address: d.Address,
				Started: time.Now(), At: time.Now()}
			for kind := aaa.RecordStart; kind <= aaa.RecordStop; kind++ {
				rec := r
				rec.Kind, rec.Sequence = kind, uint32(kind)
				if err := s.Account(ctx, &rec); err != nil {
					b.Error(err)
				}
			}
		}
	})
}

// fixed lets everybody in.
type fixed aaa.Decision

func (f fixed) Authenticate(context.Context, *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision(f), nil
}
func (f fixed) Authorize(context.Context, *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision(f), nil
}
