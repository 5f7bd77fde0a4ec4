package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// Connections break under the allocator while the database is there. Nobody is refused for that, and nothing is given twice.
func TestABrokenConnectionIsNotNoticed(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := dial(t, dsn)
	define(t, db, makePool(t, "small", 0, "10.0.0.1-10.0.0.200"))
	define(t, db, makePool(t, "big", 0, "10.1.0.0/20"))
	h := newHistory()
	n := open(t, Config{Pool: dial(t, dsn), Lost: func(l []pool.Lease) { t.Errorf("lost %d leases", len(l)) }}, func(n *node) {
		n.sizing = func(size uint64, _, _ int) int { return int(size/1000) * 16 } // only the big one has blocks
	})
	s := &storm{pools: []string{"small", "big"}, limit: 1 << 40}
	var all sync.WaitGroup
	s.workers(t, 16, n, h, &all)
	cut := 0
	for cut < 30 {
		eventually(t, "some work", func() bool { return s.cycles.Load() > int64(200*(cut+1)) })
		cut += one[int](t, db, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`)
	}
	eventually(t, "it goes on", func() bool { return s.cycles.Load() > int64(200*(cut+2)) })
	s.cycles.Store(s.limit)
	all.Wait()
	n.written()
	if st := n.Stats(); s.away.Load() != 0 || st.Mended == 0 || st.Conflicts != 0 || st.Held != 0 {
		t.Errorf("%d were refused: %+v", s.away.Load(), st)
	}
	t.Logf("%d connections cut, mended %d times", cut, n.Stats().Mended)
	eventually(t, "no lease is left", func() bool {
		return one[int](t, db, "SELECT count(*) FROM leases WHERE state = 'bound'") == 0
	})
	judge(t, db, h)
}

// patient is a node on a server of its own that something is about to happen to. Its addresses are all common: each request
// needs the database.
type patient struct {
	*node
	t      *testing.T
	server *pgtest.Server
	held   []pool.Lease
	exact  netip.Addr // the last one that was asked for; invalid: addresses of the pool are asked for, and given back
}

const allocateTimeout = 5 * time.Second

func makePatient(t *testing.T, settings ...string) *patient {
	t.Parallel()
	s := pgtest.Cluster(t, settings...)
	db := s.New()
	define(t, db, makePool(t, "p", 0, "10.0.0.1-10.0.3.255"))
	cfg := Config{Pool: dial(t, s.DSN("lnsgate")), Node: "a", Tick: 10 * time.Millisecond, Timeout: 2 * time.Second}
	cfg.Lost = func(l []pool.Lease) { t.Errorf("lost %d leases", len(l)) }
	return &patient{node: open(t, cfg, sized(0)), t: t, server: s}
}

func (p *patient) allocate() error {
	ctx, cancel := context.WithTimeout(p.t.Context(), allocateTimeout)
	defer cancel()
	began := time.Now()
	r := pool.Request{Pools: []string{"p"}, Account: "x", Holder: fmt.Sprint(began.UnixNano())}
	if p.exact.IsValid() {
		p.exact = p.exact.Next()
		r.Address = p.exact
	}
	l, err := p.Allocate(ctx, r)
	if took := time.Since(began); took >= allocateTimeout {
		p.t.Errorf("it took %v", took)
	}
	if err == nil {
		p.held = append(p.held, l)
	}
	return err
}

// suffers waits until requests fail, and checks that they say why.
func (p *patient) suffers(code string) {
	p.t.Helper()
	var away *UnavailableError
	var said *pgconn.PgError
	eventually(p.t, "a request fails with "+code, func() bool {
		for range 50 {
			err := p.allocate()
			if errors.As(err, &away) && errors.As(err, &said) && said.Code == code {
				return true
			} else if err != nil && !errors.As(err, &away) {
				p.t.Fatal(err)
			}
			for len(p.held) > 10 && !p.exact.IsValid() {
				p.drop(p.held[0])
				p.held = p.held[1:]
			}
		}
		return false
	})
}

// recovers checks that it goes on, and that nothing has been lost or forgotten.
func (p *patient) recovers() {
	p.t.Helper()
	eventually(p.t, "it goes on", func() bool { return p.allocate() == nil })
	p.written()
	db := dial(p.t, p.server.DSN("lnsgate"))
	const bound = "SELECT count(*) FROM leases WHERE state = 'bound'"
	eventually(p.t, "what is held is bound, and nothing else", func() bool { return one[int](p.t, db, bound) == len(p.held) })
	for _, l := range p.held {
		p.drop(l)
	}
	p.written()
	if n, s := one[int](p.t, db, bound), p.Stats(); n != 0 || s.Held != 0 || s.Conflicts != 0 {
		p.t.Errorf("%d rows are bound, %+v", n, s)
	}
}

func TestTheDiskOfTheDatabaseIsFull(t *testing.T) {
	p := makePatient(t, "autovacuum=off")
	data := dataOf(t, p)
	folder := filepath.Join(filepath.Dir(data.folder), "tiny")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=2m"); err != nil {
		if os.Getenv("LNSGATE_TEST_ALL") == "1" {
			t.Fatalf("mount: %v", err)
		}
		t.Skipf("needs the right to mount (CAP_SYS_ADMIN): %v", err)
	}
	t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) })
	if err := os.Chown(folder, data.owner, -1); err != nil {
		t.Fatal(err)
	}
	db := dial(t, p.server.DSN("lnsgate"))
	do(t, db, fmt.Sprintf("CREATE TABLESPACE tiny LOCATION '%s'", folder))
	do(t, db, "ALTER TABLE leases SET TABLESPACE tiny")
	ballast, err := os.Create(filepath.Join(folder, "ballast"))
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	ballast.Close()
	p.exact = address("192.0.2.0") // every address that is asked for needs a new row
	p.suffers("53100")
	if err := unix.Mount("tmpfs", folder, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	p.recovers()
}

func TestTheDatabaseHasNoConnectionLeft(t *testing.T) {
	p := makePatient(t, "max_connections=12", "superuser_reserved_connections=0")
	var mine []*pgx.Conn
	var pids []int32
	grab := func() {
		for {
			c, err := pgx.Connect(t.Context(), p.server.DSN("lnsgate"))
			if err != nil {
				return
			}
			mine, pids = append(mine, c), append(pids, int32(c.PgConn().PID()))
		}
	}
	eventually(t, "the node has none", func() bool {
		grab()
		if _, err := mine[0].Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND NOT pid = ANY ($1)", pids); err != nil {
			t.Fatal(err)
		}
		grab()
		return !p.Stats().Attached
	})
	p.suffers("53300")
	for _, c := range mine {
		c.Close(context.Background())
	}
	p.recovers()
}

// After a failover to the wrong server, or before the right one is promoted.
func TestTheDatabaseIsInRecovery(t *testing.T) {
	p := makePatient(t)
	data := dataOf(t, p)
	if err := p.allocate(); err != nil {
		t.Fatal(err)
	}
	p.server.Stop()
	standby := filepath.Join(data.folder, "standby.signal")
	if err := errors.Join(os.WriteFile(standby, nil, 0o600), os.Chown(standby, data.owner, -1)); err != nil {
		t.Fatal(err)
	}
	p.server.Start()
	p.suffers("25006")
	db := dial(t, p.server.DSN("lnsgate"))
	do(t, db, "SELECT pg_promote()")
	p.recovers()
}

type dataFolder struct {
	folder string
	owner  int
}

// dataOf finds the files of the server.
func dataOf(t *testing.T, p *patient) dataFolder {
	t.Helper()
	folder := one[string](t, dial(t, p.server.DSN("lnsgate")), "SHOW data_directory")
	info, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	return dataFolder{folder, int(info.Sys().(*syscall.Stat_t).Uid)}
}
