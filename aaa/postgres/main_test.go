package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/secret"
	"lnsgate/test/pgtest"
)

func TestMain(m *testing.M) {
	code := pgtest.Run(allTests{m})
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var quiet = slog.New(slog.DiscardHandler)

// openPool connects as a node does.
func openPool(t testing.TB, dsn string, pooled bool) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	Configure(cfg, pooled)
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func connectConfig(t testing.TB, dsn string) *pgx.ConnConfig {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// run executes statements of an administrator.
func run(t testing.TB, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// one asks for one value.
func one[T any](t testing.TB, pool *pgxpool.Pool, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := pool.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// testKeys has keys by these ids, the first one seals.
func testKeys(t testing.TB, ids ...string) *secret.Keys {
	t.Helper()
	var text strings.Builder
	for _, id := range ids {
		var octets [secret.KeyOctets]byte
		copy(octets[:], "key of a test: "+id)
		text.WriteString(secret.KeyLine(id, octets).Reveal())
	}
	keys, err := secret.ParseKeys([]byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// login asks a back end about a name and password.
func login(b *Backend, m aaa.Method, name, password string) (aaa.Grant, error) {
	return b.Authenticate(context.Background(), aaatest.NewQuery(name, aaatest.NewProof(m, name, password)))
}

// causeOf is the cause of a rejection, CauseNone without one.
func causeOf(err error) aaa.Cause {
	var r *aaa.Rejection
	if errors.As(err, &r) {
		return r.Cause
	}
	return aaa.CauseNone
}

func reasonOf(err error) aaa.Reason {
	var r *aaa.Rejection
	if errors.As(err, &r) {
		return r.Reason
	}
	return aaa.ReasonNone
}

// mustSeal seals all there is.
func mustSeal(t testing.TB, pool *pgxpool.Pool, keys *secret.Keys) {
	t.Helper()
	if left, err := NewSealer(pool, NewKeyring(keys), quiet).Seal(context.Background()); err != nil || left != 0 {
		t.Fatalf("%d remain, %v", left, err)
	}
}

// until waits for a condition by asking again and again.
func until(t testing.TB, what string, most time.Duration, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for !ok() {
		if !pause(ctx, 5*time.Millisecond) {
			t.Fatalf("%s: not within %s", what, most)
		}
	}
	return time.Since(began)
}

// background runs something until the test ends, and waits for it.
func background(t testing.TB, f func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func openConfig(t testing.TB, cfg *pgxpool.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}
