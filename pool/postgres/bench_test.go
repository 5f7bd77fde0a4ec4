package postgres

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// BenchmarkAssign measures leases per second of one node that are in the table when the clock stops. The server syncs
// every commit to the disk. On a machine with other work to do the processor time of a lease says more, on the side of the
// server and on ours, which includes the sessions that ask.
//
//	fresh     addresses of our own blocks: Allocate does not wait for the commit
//	account   the same, for accounts that the database has to be asked about first
//	sticky    every account gets its last address back: Allocate waits for the commit
//	return    the same after a restart: the database says which one that was
//	few       "account" with groups of a few leases, as on a server that is not busy
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
		{name: "few", ranges: "10.0.0.0/9", account: true, workers: 4},
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
			theirs, ours := serverTime(b, db), ownTime()
			work(c.release)
			theirs, ours = serverTime(b, db)-theirs, ownTime()-ours
			b.StopTimer()
			b.ReportMetric(float64(theirs.Microseconds())/float64(b.N), "server-us/lease")
			b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "node-us/lease")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leases/s")
		})
	}
}

// ownTime is the processor time of this process.
func ownTime() time.Duration { return processorTime("self", 11, 12) }

// serverTime is the processor time of the database's processes, those that have ended included.
func serverTime(b *testing.B, db *pgxpool.Pool) time.Duration {
	var own string
	if err := db.QueryRow(context.Background(), "SELECT pg_backend_pid()::text").Scan(&own); err != nil {
		b.Fatal(err)
	}
	backend := processor(own)
	if len(backend) < 2 {
		b.Fatalf("process %s is not known", own)
	}
	postmaster := backend[1]
	sum := processorTime(postmaster, 11, 12, 13, 14)
	children, err := os.ReadFile("/proc/" + postmaster + "/task/" + postmaster + "/children")
	if err != nil {
		b.Fatal(err)
	}
	for _, child := range strings.Fields(string(children)) {
		sum += processorTime(child, 11, 12)
	}
	return sum
}

// processor is what the kernel tells of a process, from its state on.
func processor(pid string) []string {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil // it has just ended
	}
	_, fields, _ := strings.Cut(string(text), ") ")
	return strings.Fields(fields)
}

// processorTime adds up some of those fields, which count hundredths of a second.
func processorTime(pid string, which ...int) time.Duration {
	var ticks int
	fields := processor(pid)
	for _, i := range which {
		if i < len(fields) {
			n, _ := strconv.Atoi(fields[i])
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
