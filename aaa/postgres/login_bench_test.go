package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/spool"
	"lnsgate/test/pgtest"
)

// BenchmarkAuthenticate checks proofs of 1000 accounts that were seen lately, and of such that were not.
func BenchmarkAuthenticate(b *testing.B) {
	dsn := sharedDSN(b)
	pool, keys := openPool(b, dsn, false), testKeys(b, "k1")
	run(b, pool, `INSERT INTO accounts (name, password) SELECT 'user' || i, 'password' FROM generate_series(1, 1000) i`)
	mustSeal(b, pool, keys)
	for _, remember := range []int{0, -1} {
		back, _ := remembering(b, dsn, Config{Keys: NewKeyring(keys), Remembered: remember})
		for _, m := range []aaa.Method{aaa.PAP, aaa.CHAP, aaa.MSCHAPv2} {
			queries := make([]*aaa.Query, 1000)
			for i := range queries {
				name := fmt.Sprint("user", i+1)
				queries[i] = aaatest.NewQuery(name, aaatest.NewProof(m, name, "password"))
			}
			b.Run(fmt.Sprintf("%s/remembered=%t", m, remember == 0), func(b *testing.B) {
				var next atomic.Int64
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := back.Authenticate(context.Background(), queries[next.Add(1)%1000]); err != nil {
							b.Error(err)
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
			})
		}
	}
}

// BenchmarkRegistry counts sessions in and out of a domain that has many.
func BenchmarkRegistry(b *testing.B) {
	for _, many := range []int{0, 50_000} {
		dsn := pgtest.DSN(b)
		r := joined(b, openPool(b, dsn, false), "n1")
		run(b, r.db.pool, `INSERT INTO session_slots (session, node, epoch, account, domain, name, since)
			SELECT 'old' || i, 'n1', 1, 'old' || i, 'sales', 'x', now() FROM generate_series(1, $1::int) i`, many)
		run(b, r.db.pool, `ANALYZE session_slots`)
		for _, atOnce := range []int{1, 32} {
			b.Run(fmt.Sprintf("sessions=%d/workers=%d", many, atOnce), func(b *testing.B) {
				before := spent(b, r.db.pool)
				parallel(atOnce, b.N, func(i int) {
					ctx, name := context.Background(), fmt.Sprint("s", i)
					if err := r.Enter(ctx, entry(name, name, "sales", 1, 1_000_000, aaa.RefuseNew)); err != nil {
						b.Error(err)
					}
					if err := r.Leave(ctx, name); err != nil {
						b.Error(err)
					}
				})
				before.report(b, r.db.pool, "enter+leave")
			})
		}
	}
}

func parallel(workers, n int, work func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				work(i)
			}
		})
	}
	wg.Wait()
}

// BenchmarkLogin does all that a login with an account in the database costs in this room: the proof, the count of
// sessions, the record of the attempt, the records of the session through the spool, and the end of it.
func BenchmarkLogin(b *testing.B) {
	server := pgtest.Cluster(b)
	server.New()
	dsn := server.DSN("lnsgate")
	pool, keys := openPool(b, dsn, false), testKeys(b, "k1")
	run(b, pool, `INSERT INTO domains (name) VALUES ('sales')`)
	run(b, pool, `INSERT INTO accounts (name, password) SELECT 'user' || i || '@sales', 'password' FROM generate_series(1, 1000) i`)
	mustSeal(b, pool, keys)
	for _, limited := range []bool{false, true} {
		b.Run(fmt.Sprintf("limits=%t", limited), func(b *testing.B) {
			back, _ := remembering(b, dsn, Config{Keys: NewKeyring(keys)})
			r, a := joined(b, pool, fmt.Sprintf("%t%d", limited, b.N)), NewAttempts(pool, quiet)
			stop := background(b, a.Run)
			s, err := spool.Open(spool.Config{Path: filepath.Join(b.TempDir(), "f"), Sink: NewRecorder(pool, r.node.Epoch)})
			if err != nil {
				b.Fatal(err)
			}
			end := background(b, func(ctx context.Context) { s.Run(ctx) })
			before := spent(b, pool)
			login := func(i int) onlineSession {
				return onlineSession{back, r, a, s, limited, fmt.Sprintf("user%d@sales", 1+i%1000), fmt.Sprintf("%t-%d-%d", limited, b.N, i), time.Now()}
			}
			parallel(256, b.N, func(i int) { login(i).begin(b) })
			drainSpool(b, s) // so that the records of the end come to rows that are there
			parallel(256, b.N, func(i int) { login(i).end(b) })
			stop()
			drainSpool(b, s)
			before.report(b, pool, "login")
			end()
			s.Close()
		})
	}
}

// onlineSession is a session, and what is told of it.
type onlineSession struct {
	back          *Backend
	registry      *Registry
	attempts      *Attempts
	spool         *spool.Spool
	limited       bool
	name, session string
	at            time.Time
}

func (o onlineSession) begin(b *testing.B) {
	ctx := context.Background()
	grant, err := o.back.Authenticate(ctx, aaatest.NewQuery(o.name, aaatest.NewProof(aaa.CHAP, o.name, "password")))
	if err != nil {
		b.Error(err)
	}
	if o.limited {
		if err := o.registry.Enter(ctx, entry(o.session, grant.Account, "sales", 1_000_000, 1_000_000, aaa.RefuseNew)); err != nil {
			b.Error(err)
		}
	}
	o.attempts.Log(aaa.Attempt{Session: o.session, At: o.at, OK: true, Name: o.name, Account: grant.Account, Domain: "sales", Method: aaa.CHAP, Node: "n1", Took: time.Since(o.at)})
	o.spool.Account(o.record(aaa.RecordStart, 1))
}

func (o onlineSession) end(b *testing.B) {
	if o.limited {
		if err := o.registry.Leave(context.Background(), o.session); err != nil {
			b.Error(err)
		}
	}
	o.spool.Account(o.record(aaa.RecordStop, 2))
}

func (o onlineSession) record(kind aaa.RecordKind, sequence uint32) aaa.Record {
	r := newRecord(kind, o.session, sequence)
	r.Name, r.Account = o.name, o.name
	return r
}

// cost is processor time.
type cost struct{ daemon, server time.Duration }

// spent is what this process and the server with all its processes have used so far.
func spent(t testing.TB, pool *pgxpool.Pool) cost {
	t.Helper()
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		t.Fatal(err)
	}
	c := cost{daemon: time.Duration(own.Utime.Nano() + own.Stime.Nano())}
	postmaster := stat(t, one[int](t, pool, `SELECT pg_backend_pid()`))[1]
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		f := stat(t, pid)
		switch {
		case f == nil:
		case pid == postmaster:
			c.server += ticks(f[11] + f[12] + f[13] + f[14]) // with the children that are gone
		case f[1] == postmaster:
			c.server += ticks(f[11] + f[12])
		}
	}
	return c
}

func ticks(n int) time.Duration { return time.Duration(n) * time.Second / 100 }

// stat returns the numbers of /proc/PID/stat from the state on, nil of a process that is gone.
func stat(t testing.TB, pid int) []int {
	t.Helper()
	octets, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	var numbers []int
	for _, f := range strings.Fields(string(octets[strings.LastIndexByte(string(octets), ')')+1:])) {
		n, _ := strconv.Atoi(f)
		numbers = append(numbers, n)
	}
	return numbers
}

func (c cost) report(b *testing.B, pool *pgxpool.Pool, unit string) {
	b.Helper()
	b.StopTimer()
	after, n := spent(b, pool), float64(b.N)
	b.ReportMetric(float64((after.daemon-c.daemon).Microseconds())/n, "daemon-µs/"+unit)
	b.ReportMetric(float64((after.server-c.server).Microseconds())/n, "server-µs/"+unit)
	b.ReportMetric(n/b.Elapsed().Seconds(), unit+"/s")
}
