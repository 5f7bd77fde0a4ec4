package e2e

import (
	"strings"
	"testing"
	"time"

	"lnsgate/test/netns"
	"lnsgate/test/pgtest"
)

// PgBouncer in transaction mode gives each transaction another connection, and cannot carry LISTEN: the node listens at the
// server itself.
func TestDatabaseBehindPgBouncer(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL, manyInSQL("a", 20), `UPDATE domains SET max_account_sessions = 1, session_policy = 'replace'`)
	direct := c.url
	c.url = pgtest.Pooler(t, direct)
	w := newWorld(t)
	config := strings.Replace(c.config("hq1"), `"}`, `", listen_url: "`+direct+`", prepared_statements: off}`, 1)
	p := &site{world: w, server: w.serve(config), c: c, node: "hq1"}
	p.ready()
	first, up := p.online(alice, alicePassword)
	p.ping(p.hq, up.Address.String())
	leaving := p.dial(p.client, "a%d@sales.example", "Load@123", "--count", "20", "--hold", "forever")
	eventually(t, "21 sessions are open", func() bool { return countOpen(p.server) == 21 })
	c.becomes("21", `SELECT count(*) FROM accounting`)
	c.becomes("21", `SELECT count(*) FROM counted_sessions`)

	began := time.Now()
	second := p.dial(p.client, alice, alicePassword)
	second.up()
	first.endsWithin(patience, began) // one session, the newest counts
	began = time.Now()
	c.sql(`UPDATE accounts SET disabled = true WHERE name = 'alice@sales.example'`)
	second.endsWithin(atOnce, began)
	leaving.hangUp()
	p.empty()
	c.becomes("0", `SELECT count(*) FROM accounting WHERE stopped_at IS NULL`)
	c.becomes("0", `SELECT count(*) FROM counted_sessions`)
	for _, e := range p.log() {
		if cause := e.text("cause"); strings.Contains(cause, "prepared statement") {
			t.Errorf("a statement was prepared on another connection: %s", cause)
		}
	}
	p.stop()
}

// The primary goes and the standby takes its place, while people are online. The node has the addresses of both.
func TestDatabaseFailsOver(t *testing.T) {
	t.Parallel()
	netns.RequireTUN(t)
	primary := pgtest.Cluster(t)
	c := asCompany(t, primary.New(), salesInSQL, manyInSQL("a", 11))
	standby := primary.Standby()
	c.url = pgtest.Failover("lnsgate", primary, standby)
	p := c.site("hq1")
	call, up := p.online(alice, alicePassword)
	staying := p.dial(p.client, "a%d@sales.example", "Load@123", "--count", "10", "--hold", "forever")
	eventually(t, "11 sessions are open", func() bool { return countOpen(p.server) == 11 })
	c.becomes("11", `SELECT count(*) FROM accounting`)
	c.becomes("11", `SELECT count(*) FROM leases WHERE state = 'bound'`)
	primary.Replicated()
	before := p.session(alice)

	primary.Stop()
	p.ping(p.client, hqAddress)
	standby.Promote()
	c.db = connect(t, standby.DSN("lnsgate"))
	eventually(t, "logins work with the new primary", func() bool {
		return p.dial(p.client, "a11@sales.example", "Load@123", "--once").ended() == 0
	})
	p.ping(p.hq, up.Address.String())
	checkSame(t, before, p.session(alice))
	if n := countOpen(p.server); n < 11 {
		t.Errorf("%d of 11 sessions are left", n)
	}
	p.says("database answers again")
	var began time.Time
	eventually(t, "the node hears of changes", func() bool {
		began = time.Now()
		c.sql(`UPDATE accounts SET disabled = true WHERE name = 'alice@sales.example'`)
		return len(p.sessions()) <= 10
	})
	call.endsWithin(patience, began)
	staying.hangUp()
	p.empty()
	c.becomes("0", `SELECT count(*) FROM accounting WHERE stopped_at IS NULL`)
	c.becomes("0", `SELECT count(*) FROM leases WHERE state = 'bound'`)
	c.becomes("0", `SELECT count(*) FROM sessions`)
	p.stop()
}
