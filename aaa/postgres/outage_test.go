package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/test/pgtest"
)

func queryPAP(name, password string) *aaa.Query {
	return aaatest.NewQuery(name, aaatest.NewProof(aaa.PAP, name, password))
}

// Whatever happens to the server, logins fail before their deadline with a verdict that names it, and work again once it
// is back, without anybody doing anything.
func TestTheDatabaseGoesAwayAndComesBack(t *testing.T) {
	server := pgtest.Cluster(t, "fsync=off") // a process that dies loses nothing without it
	pool := server.New()
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob')`)
	run(t, pool, hashed)
	node := openPool(t, server.DSN("lnsgate"), false)
	b, r := New(node, Config{Timeout: 2 * time.Second}), joined(t, node, "n1")
	h := &heard{}
	background(t, NewWatcher(WatcherConfig{Connect: connectConfig(t, server.DSN("lnsgate")), Backend: b, Changed: h.hear, Log: quiet}).Run)
	until(t, "accounts are remembered", 10*time.Second, func() bool { return b.remembered.certain(time.Now()) })
	a := NewAttempts(node, quiet)
	background(t, a.Run)
	ask := func() (time.Duration, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		began := time.Now()
		_, err := b.Authenticate(ctx, queryPAP("bob", "x"))
		return time.Since(began), err
	}
	for range 2 {
		if _, err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	for what, end := range map[string]func(){"stopped": server.Stop, "crashed": server.Crash} {
		if b.recall(queryPAP("bob", "")) == nil {
			t.Errorf("%s: the account is not remembered before", what)
		}
		end()
		until(t, what+": nobody is remembered", time.Second, func() bool { return b.recall(queryPAP("bob", "")) == nil })
		for range 3 {
			took, err := ask()
			var no *aaa.Rejection
			if !errors.As(err, &no) || !no.Retryable() || took > 2500*time.Millisecond || !strings.Contains(err.Error(), "/lnsgate: look up an account") {
				t.Errorf("%s: %v after %s", what, err, took)
			}
		}
		if err := r.Enter(context.Background(), entry("s1", "bob", "", 1, 0, aaa.RefuseNew)); causeOf(err) != aaa.BackendUnavailable {
			t.Errorf("%s: Enter: %v", what, err)
		}
		if err := r.Leave(context.Background(), "s1"); causeOf(err) != aaa.BackendUnavailable {
			t.Errorf("%s: Leave: %v", what, err)
		}
		a.Log(attempt(len(what)))
		h.clear()
		server.Start()
		if took := until(t, what+": the watcher listens again", 15*time.Second, func() bool { return h.has(Change{All: true}) }); took > 3*backoffMost/2 {
			t.Errorf("%s: it listens again %s after the server does", what, took)
		}
		until(t, what+": logins work again", 10*time.Second, func() bool { _, err := ask(); return err == nil })
		until(t, what+": accounts are remembered again", 10*time.Second, func() bool { ask(); return b.recall(queryPAP("bob", "")) != nil })
	}
	until(t, "the attempts are written", 10*time.Second, func() bool { return a.Written() == 2 })
	if a.Lost() != 0 {
		t.Errorf("%d lost", a.Lost())
	}
}

func TestAServerThatDoesNotAnswerInTimeIsATimeout(t *testing.T) {
	dsn := sharedDSN(t)
	admin, pool := openPool(t, dsn, false), openPool(t, dsn, false)
	b := New(pool, Config{Timeout: 100 * time.Millisecond})
	tx, err := admin.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // it changed nothing
	if _, err := tx.Exec(context.Background(), `LOCK accounts`); err != nil {
		t.Fatal(err)
	}
	_, err = b.Authenticate(context.Background(), queryPAP("bob", "x"))
	if causeOf(err) != aaa.Timeout || !strings.Contains(err.Error(), "no answer in time") {
		t.Error(err)
	}
}

func TestAllConnectionsInUseIsSaidInWords(t *testing.T) {
	cfg := openPool(t, sharedDSN(t), false).Config()
	cfg.MaxConns = 1
	pool := openConfig(t, cfg)
	held, err := pool.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	_, err = New(pool, Config{Timeout: 50 * time.Millisecond}).Authenticate(context.Background(), queryPAP("bob", "x"))
	if causeOf(err) != aaa.Timeout || !strings.Contains(err.Error(), "all 1 connections of this node are in use") {
		t.Error(err)
	}
}

// What the database says is told with what to do about it, and never with a password.
func TestRejectionsNameTheDatabaseAndWhatToDo(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	run(t, pool, `CREATE ROLE nobody_`+strings.ToLower(t.Name())+` LOGIN`)
	stranger := openPool(t, pgtest.As(t, dsn, "nobody_"+strings.ToLower(t.Name())), false)
	t.Cleanup(func() { run(t, pool, `DROP ROLE nobody_`+strings.ToLower(t.Name())) })
	_, err := login(New(stranger, Config{}), aaa.PAP, "bob", "hunter2")
	if causeOf(err) != aaa.BackendUnavailable || !strings.Contains(err.Error(), "GRANT lnsgate_daemon") || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	_, err = login(New(openPool(t, pgtest.Empty(t), false), Config{}), aaa.PAP, "bob", "x")
	if causeOf(err) != aaa.BackendUnavailable || !strings.Contains(err.Error(), "lnsgate db migrate") {
		t.Error(err)
	}
	_, err = login(New(openPool(t, "postgres://u:hunter2@127.0.0.1:1,127.0.0.1:2/db?sslmode=prefer&target_session_attrs=read-write", false), Config{}), aaa.PAP, "bob", "x")
	if causeOf(err) != aaa.BackendUnavailable || !strings.Contains(err.Error(), "database 127.0.0.1:1,127.0.0.1:2/db: ") || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	for code, advice := range map[string]string{readOnly: "target_session_attrs", tooManyConnections: "max_connections", statementIsThere: "prepared statements off"} {
		db := newDatabase(pool, 0)
		err := db.failure(context.Background(), "do it", &pgconn.PgError{Code: code, Message: "no"})
		if !strings.Contains(err.Error(), advice) {
			t.Error(err)
		}
	}
}

func TestOnlyWhatIsSafeIsAskedAgain(t *testing.T) {
	db := newDatabase(openPool(t, "host=/nowhere", false), time.Second) // nobody asks it
	for code, want := range map[string]int{serializationFailure: tries, deadlockDetected: tries, "23505": 1, "57P01": 1, readOnly: 1} {
		asked := 0
		err := db.ask(context.Background(), "do it", func(context.Context) error {
			asked++
			return &pgconn.PgError{Code: code}
		})
		if asked != want || err == nil {
			t.Errorf("%s: asked %d times, %v", code, asked, err)
		}
	}
	asked := 0
	if err := db.ask(context.Background(), "do it", func(context.Context) error {
		if asked++; asked == 1 {
			return &pgconn.PgError{Code: deadlockDetected}
		}
		return nil
	}); err != nil || asked != 2 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}
