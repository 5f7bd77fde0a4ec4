package postgres

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

// wire is the way to the server, which a test can cut so that questions arrive and answers do not.
type wire struct {
	deaf atomic.Bool // no answer comes through
	mu   sync.Mutex
	ends []net.Conn // of the clients
}

// wired connects a pool over a wire.
func wired(t *testing.T, dsn string) (*wire, *pgxpool.Pool) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	Configure(cfg, false)
	w, dial := &wire{}, cfg.ConnConfig.DialFunc
	var copying sync.WaitGroup
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		server, err := dial(ctx, network, address)
		if err != nil || w.deaf.Load() {
			return server, err
		}
		near, far := net.Pipe()
		w.mu.Lock()
		w.ends = append(w.ends, far)
		w.mu.Unlock()
		copying.Go(func() { _, _ = io.Copy(server, far) }) // the server is not told that nobody is there any more
		copying.Go(func() { _, _ = io.Copy(&unless{far, &w.deaf}, server); server.Close(); far.Close() })
		t.Cleanup(func() { server.Close(); far.Close() })
		return near, nil
	}
	t.Cleanup(copying.Wait)
	return w, openConfig(t, cfg)
}

// cut ends the connections on the side of the clients.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.ends {
		c.Close()
	}
	w.ends = nil
}

// unless writes until it is switched off.
type unless struct {
	to  io.Writer
	off *atomic.Bool
}

func (u *unless) Write(b []byte) (int, error) {
	if u.off.Load() {
		return len(b), nil
	}
	return u.to.Write(b)
}

func countedNow(t *testing.T, pool *pgxpool.Pool) int {
	t.Helper()
	return one[int](t, pool, `SELECT count(*) FROM session_slots`)
}

// The server counts a session in, and the answer is lost.
func TestASessionThatWasCountedUnheardIsCountedOut(t *testing.T) {
	dsn := sharedDSN(t)
	direct := openPool(t, dsn, false)
	w, pool := wired(t, dsn)
	r := joined(t, pool, "n1")
	ctx := context.Background()
	if err := r.Enter(ctx, entry("s1", "bob", "sales", 5, 0, aaa.RefuseNew)); err != nil {
		t.Fatal(err)
	}
	w.deaf.Store(true)
	soon, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	failed := make(chan error)
	go func() { failed <- r.Enter(soon, entry("s2", "bob", "sales", 5, 0, aaa.RefuseNew)) }()
	until(t, "the server has counted it", 10*time.Second, func() bool { return countedNow(t, direct) == 2 })
	w.cut()
	if err := <-failed; causeOf(err) != aaa.BackendUnavailable && causeOf(err) != aaa.Timeout {
		t.Fatal(err)
	}
	r.settle(ctx)
	if got := one[string](t, direct, `SELECT string_agg(session, ' ') FROM session_slots`); got != "s1" {
		t.Errorf("counted: %s", got)
	}
	clock := time.Now().Add(doubtful)
	r.now = func() time.Time { return clock }
	if r.settle(ctx); len(r.doubts) != 0 {
		t.Errorf("still in doubt: %v", r.doubts)
	}
}

// The server is held up, counts out what is not there yet, and then counts it in.
func TestASessionThatIsCountedLateIsCountedOut(t *testing.T) {
	dsn := pgtest.DSN(t) // the schema is changed
	direct := openPool(t, dsn, false)
	w, pool := wired(t, dsn)
	r := joined(t, pool, "n1")
	ctx := context.Background()
	run(t, direct, `ALTER FUNCTION count_sessions(text[], text, bigint, text[], text[], text[], text[], inet[], timestamptz[], integer[], integer[], boolean[]) SET lock_timeout = 0`)
	tx, err := direct.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx) //nolint:errcheck // as is
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('lnsgate account sessions'), hashtext('bob'))`); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() { failed <- r.Enter(ctx, entry("s1", "bob", "sales", 5, 0, aaa.RefuseNew)) }()
	waiting := `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
	until(t, "the server waits", 10*time.Second, func() bool { return one[int](t, direct, waiting) == 1 })
	w.deaf.Store(true)
	w.cut()
	if err := <-failed; err == nil {
		t.Fatal("it was counted")
	}
	if err := r.Leave(ctx, "s1"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	until(t, "the server has counted it", 10*time.Second, func() bool { return countedNow(t, direct) == 1 })
	background(t, r.node.Run)
	until(t, "it is counted out", 10*time.Second, func() bool { return countedNow(t, direct) == 0 })
}

func TestWhatIsInDoubtMayBeEnteredAgain(t *testing.T) {
	pool := sharedPool(t)
	r := joined(t, pool, "n1")
	ctx := context.Background()
	r.doubt("s1")
	if err := r.Enter(ctx, entry("s1", "bob", "sales", 1, 0, aaa.RefuseNew)); err != nil {
		t.Fatal(err)
	}
	if r.settle(ctx); countedNow(t, pool) != 1 {
		t.Error("it was counted out")
	}
	r.doubt("s2")
	if err := r.Enter(ctx, entry("s2", "bob", "sales", 1, 0, aaa.RefuseNew)); causeOf(err) != aaa.SessionLimit {
		t.Fatal(err)
	}
	if len(r.doubts) != 1 {
		t.Error("one that was refused may still be counted late")
	}
	for i := range maxDoubts + 10 {
		r.doubt(string(rune(i)))
	}
	if len(r.doubts) > maxDoubts {
		t.Errorf("%d in doubt", len(r.doubts))
	}
}

func TestWhatTheServerRefusedIsKnown(t *testing.T) {
	for code, known := range map[string]bool{"53100": true, lockNotAvailable: true, "57P01": false, "57P02": false, "": false} {
		err := error(&pgconn.PgError{Code: code})
		if isKnown(&aaa.Rejection{Cause: aaa.BackendUnavailable, Err: err}) != known {
			t.Errorf("%q: known %v", code, !known)
		}
	}
	pool := openPool(t, "host=127.0.0.1 port=1 sslmode=disable", false)
	if _, err := pool.Exec(context.Background(), "SELECT 1"); !isKnown(err) {
		t.Errorf("what never left: %v", err)
	}
}
