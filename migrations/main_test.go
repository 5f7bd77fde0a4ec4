package migrations_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/test/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// database is the schema under test.
type database struct {
	*testing.T
	*pgxpool.Pool
}

// open makes a database and runs the statements in it.
func open(t *testing.T, statements ...string) database {
	t.Helper()
	db := database{t, pgtest.New(t)}
	for _, s := range statements {
		db.do(s)
	}
	return db
}

// sales is a department with everything, by the obvious columns alone.
const sales = `
	INSERT INTO domains(name) VALUES ('sales.example');
	INSERT INTO pools(name) VALUES ('sales');
	INSERT INTO pool_ranges(pool, range) VALUES ('sales', '10.20.0.0/24');
	INSERT INTO domain_pools(domain, pool) VALUES ('sales.example', 'sales');
	INSERT INTO accounts(name, password) VALUES ('alice@sales.example', 'secret');`

func (db database) do(statement string, args ...any) {
	db.Helper()
	if _, err := db.Exec(context.Background(), statement, args...); err != nil {
		db.Fatalf("%s: %v", statement, err)
	}
}

// refused runs a statement that must fail with this SQLSTATE and, if it is not empty, by this constraint.
func (db database) refused(state, constraint, statement string, args ...any) {
	db.Helper()
	_, err := db.Exec(context.Background(), statement, args...)
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != state || (constraint != "" && pg.ConstraintName != constraint) {
		db.Errorf("%s\ngot %v, want SQLSTATE %s by %q", statement, err, state, constraint)
	}
}

// is compares what a query answers, as text, with what it should. Columns are separated by |, rows by a blank.
func (db database) is(want, query string, args ...any) {
	db.Helper()
	if got := text(db.T, db.Pool, query, args...); got != want {
		db.Errorf("%s\ngot  %s\nwant %s", query, got, want)
	}
}

func text(t *testing.T, db *pgxpool.Pool, query string, args ...any) string {
	t.Helper()
	args = append([]any{pgx.QueryExecModeSimpleProtocol}, args...)
	rows, err := db.Query(context.Background(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var cells []string
		for _, raw := range rows.RawValues() {
			cells = append(cells, string(raw))
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(lines, " ")
}

// notice is what a node hears.
type notice struct {
	Table, Op, Key, Cause string
	All                   bool
}

// listener hears the channel.
type listener struct {
	t    *testing.T
	conn *pgx.Conn
	db   database
}

func listen(db database) listener {
	db.Helper()
	conn, err := pgx.ConnectConfig(context.Background(), db.Config().ConnConfig)
	if err != nil {
		db.Fatal(err)
	}
	db.Cleanup(func() { conn.Close(context.Background()) })
	if _, err := conn.Exec(context.Background(), "LISTEN lnsgate"); err != nil {
		db.Fatal(err)
	}
	return listener{db.T, conn, db}
}

// heard returns everything that was announced until now. A notice of our own marks the end.
func (l listener) heard() []notice {
	l.t.Helper()
	l.db.do(`SELECT pg_notify('lnsgate', '{"table": "end of test"}')`)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var list []notice
	for {
		raw, err := l.conn.WaitForNotification(ctx)
		if err != nil {
			l.t.Fatal(err)
		}
		var n notice
		if err := json.Unmarshal([]byte(raw.Payload), &n); err != nil {
			l.t.Fatalf("%s: %v", raw.Payload, err)
		}
		if n.Table == "end of test" {
			return list
		}
		list = append(list, n)
	}
}
