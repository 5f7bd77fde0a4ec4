package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"lnsgate/test/netns"
	"lnsgate/test/pgtest"

	"github.com/jackc/pgx/v5/pgxpool"
)

// salesInSQL is what an administrator writes for a department and one of its people.
const salesInSQL = `
	INSERT INTO domains (name) VALUES ('sales.example');
	INSERT INTO pools (name) VALUES ('sales');
	INSERT INTO pool_ranges (pool, range) VALUES ('sales', '10.10.1.0/24');
	INSERT INTO domain_pools (domain, pool) VALUES ('sales.example', 'sales');
	INSERT INTO accounts (name, password) VALUES ('alice@sales.example', 'Alice@123');
	`

// alice is the account that most tests use.
const (
	alice         = "alice@sales.example"
	alicePassword = "Alice@123"
)

// company is a database that nodes share. Its socket is a file, so every network namespace reaches it.
type company struct {
	t   *testing.T
	db  *pgxpool.Pool
	url string
}

func newCompany(t *testing.T, sql ...string) *company {
	t.Helper()
	netns.RequireTUN(t)
	return asCompany(t, pgtest.New(t), sql...)
}

func asCompany(t *testing.T, db *pgxpool.Pool, sql ...string) *company {
	t.Helper()
	c := &company{t: t, db: db, url: db.Config().ConnString()}
	for _, s := range sql {
		c.sql(s)
	}
	return c
}

// sql runs statements, as psql does.
func (c *company) sql(statements string) {
	c.t.Helper()
	_, err := c.db.Exec(context.Background(), statements)
	must(c.t, err)
}

// value asks for one value as text, "" for NULL or no row.
func (c *company) value(query string, args ...any) string {
	c.t.Helper()
	var s *string
	err := c.db.QueryRow(context.Background(), "SELECT (SELECT ("+query+")::text)", args...).Scan(&s)
	must(c.t, err)
	if s == nil {
		return ""
	}
	return *s
}

// becomes waits until a query answers this.
func (c *company) becomes(want, query string, args ...any) {
	c.t.Helper()
	var got string
	if !poll(patience, func() bool { got = c.value(query, args...); return got == want }) {
		c.t.Fatalf("%s: %q, want %q", query, got, want)
	}
}

// config is the file of a node: no users, pools or domains of its own, but what is given here.
func (c *company) config(node string, more ...string) string {
	return fmt.Sprintf(`
	node: %s
	database: {url: "%s"}
	listen: [0.0.0.0:1701]
	virtual_templates:
	  - {name: vt1, address: 10.10.0.1/32, mru: 1460}
	l2tp_groups:
	  - {name: default, virtual_template: vt1, tunnel_name: LNS}
	%s`, node, c.url, strings.TrimLeft(strings.Join(more, ""), "\n\t"))
}

// site is a place with a client, a node and headquarters. All sites of a company share its database.
type site struct {
	*world
	*server
	c    *company
	node string
}

func (c *company) site(node string, more ...string) *site {
	c.t.Helper()
	w := newWorld(c.t)
	p := &site{world: w, server: w.serve(c.config(node, more...)), c: c, node: node}
	p.ready()
	return p
}

// ready waits until the node is among those of the database, in force and listening for changes.
func (p *site) ready() {
	p.c.t.Helper()
	p.c.becomes("true", `SELECT count(*) > 0 FROM nodes WHERE name = $1`, p.node)
}

// connect opens a database that has an address.
func connect(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	db, err := pgxpool.New(context.Background(), url)
	must(t, err)
	t.Cleanup(db.Close)
	return db
}

// endsWithin wants the call over in time, after an action, and returns how long it took and how the call ended.
func (c *caller) endsWithin(bound time.Duration, began time.Time) event {
	c.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case <-c.done:
	case <-deadline.C:
	}
	took := time.Since(began)
	c.t.Logf("%v has ended after %s", c.command.Args[1:], took)
	if took > bound {
		c.t.Errorf("the call has ended after %s, want less than %s", took, bound)
	}
	e, code := c.gone()
	if code == 0 || !e.ByServer {
		c.t.Errorf("dial ends with code %d, %+v", code, e)
	}
	return e
}
