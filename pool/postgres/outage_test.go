package postgres

import (
	"sync"
	"testing"

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
