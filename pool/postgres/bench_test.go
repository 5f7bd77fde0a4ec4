package postgres

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// BenchmarkAssign measures leases per second of one node that are in the table when the clock stops. The server syncs
// every commit to the disk.
//
//	fresh     addresses of our own blocks: Allocate does not wait for the commit
//	account   the same, for accounts that the database has to be asked about first
//	sticky    every account gets its last address back: Allocate waits for the commit
//	return    the same after a restart: the database says which one that was
//	cycle     allocate and release: what comes and goes within one group is written once
//	small     allocate and release on a pool too small for blocks
func BenchmarkAssign(b *testing.B) {
	for _, c := range []struct {
		name, ranges string
		account      bool
		before       int // how often every account has come and gone before
		release      bool
		restart      bool
		workers      int // for each core
	}{
		{"fresh", "10.0.0.0/9", false, 0, false, false, 1024},
		{"account", "10.0.0.0/9", true, 0, false, false, 1024},
		{"sticky", "10.0.0.0/9", true, 1, false, false, 1024},
		{name: "return", ranges: "10.0.0.0/9", account: true, before: 1, restart: true, workers: 1024},
		{"cycle", "10.0.0.0/17", false, 0, true, false, 1024},
		{"small", "10.0.0.0/27", false, 0, true, false, 12},
	} {
		b.Run(c.name, func(b *testing.B) {
			db := pgtest.Cluster(b, "autovacuum=on", "max_wal_size=4GB", "shared_buffers=512MB").New()
			define(b, db, makePool(b, "p", 0, c.ranges))
			n := open(b, Config{Pool: db, Timeout: 10 * time.Second})
			var last atomic.Int64
			work := func(release bool) {
				b.SetParallelism(c.workers)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						i := last.Add(1)
						r := pool.Request{Pools: []string{"p"}, Holder: fmt.Sprint(i)}
						if c.account {
							r.Account = "account" + r.Holder
						}
						l, err := n.Allocate(context.Background(), r)
						if err != nil {
							b.Error(err)
							return
						}
						if release {
							if err := n.Release(context.Background(), l); err != nil {
								b.Error(err)
							}
						}
					}
				})
				n.written()
			}
			for range c.before {
				work(true)
				do(b, db, "DELETE FROM leases WHERE false") // no plan is kept from before
				last.Store(0)
				if c.restart {
					n.close()
					n = open(b, Config{Pool: db, Timeout: 10 * time.Second})
				}
			}
			b.ResetTimer()
			b.ReportAllocs()
			work(c.release)
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leases/s")
		})
	}
}
