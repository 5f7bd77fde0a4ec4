package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// BenchmarkLend measures sessions of other NASes per second on one node, with 512 of them at a time. The server syncs every
// commit to the disk, and every call waits for it.
//
//	offer    a lease is offered to an account not seen before
//	start    it is offered and kept
//	interim  it is kept again
//	life     it is offered, kept and released
func BenchmarkLend(b *testing.B) {
	for _, name := range []string{"offer", "start", "interim", "life"} {
		b.Run(name, func(b *testing.B) {
			db := pgtest.Cluster(b, "autovacuum=on", "max_wal_size=4GB", "shared_buffers=512MB").New()
			define(b, db, makePool(b, "p", time.Minute, "10.0.0.0/9"))
			n := open(b, Config{Pool: db, Timeout: 10 * time.Second})
			var last atomic.Int64
			var mu sync.Mutex
			var leases []pool.Lease
			must := func(err error) {
				if err != nil {
					b.Error(err)
				}
			}
			offer := func() pool.Lease {
				holder := fmt.Sprint(last.Add(1))
				r := pool.Request{Pools: []string{"p"}, Holder: holder, Account: "account" + holder, Offer: 2 * time.Minute}
				l, err := n.Allocate(context.Background(), r)
				must(err)
				return l
			}
			keep := func(l pool.Lease) { must(n.Keep(context.Background(), l, time.Now().Add(time.Hour))) }
			if name == "interim" {
				var all sync.WaitGroup
				for range 512 {
					all.Go(func() {
						for range 20 {
							l := offer()
							keep(l)
							mu.Lock()
							leases = append(leases, l)
							mu.Unlock()
						}
					})
				}
				all.Wait()
			}
			b.SetParallelism(256)
			b.ResetTimer()
			b.ReportAllocs()
			theirs, ours := serverTime(b, db), ownTime()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					switch name {
					case "offer":
						offer()
					case "start":
						keep(offer())
					case "interim":
						keep(leases[int(last.Add(1))%len(leases)])
					case "life":
						l := offer()
						keep(l)
						must(n.Release(context.Background(), l))
					}
				}
			})
			b.StopTimer()
			theirs, ours = serverTime(b, db)-theirs, ownTime()-ours
			b.ReportMetric(float64(theirs.Microseconds())/float64(b.N), "server-us/session")
			b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "node-us/session")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
			if s := n.Stats(); s.Conflicts > 0 || slices.Contains([]bool{s.Attached}, false) {
				b.Errorf("%+v", s)
			}
		})
	}
}
