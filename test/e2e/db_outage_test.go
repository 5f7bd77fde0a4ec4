package e2e

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lnsgate/test/netns"
	"lnsgate/test/pgtest"
)

// localInFile are a domain and a person that need no database.
const localInFile = `
	domains:
	  - {name: office, authentication: [local], pools: [office]}
	pools:
	  - {name: office, ranges: [10.10.9.0/24]}
	users:
	  - {name: root@office, password: "Office@123"}
	limits: {authentication_timeout: 5s}
	`

// The database is stopped while people are online, and comes back: nobody notices who need not, and no record is missing.
func TestDatabaseStoppedAndStartedAgain(t *testing.T) {
	t.Parallel()
	netns.RequireTUN(t)
	postgres := pgtest.Cluster(t)
	c := asCompany(t, postgres.New(), salesInSQL, manyInSQL("a", 10))
	p := c.site("hq1", localInFile)
	call, up := p.online(alice, alicePassword)
	leaving := p.dial(p.client, "a%d@sales.example", "Load@123", "--count", "10", "--hold", "forever")
	eventually(t, "11 sessions are open", func() bool { return countOpen(p.server) == 11 })
	c.becomes("11", `SELECT count(*) FROM accounting`)
	before := p.session(alice)

	postgres.Stop()
	p.ping(p.client, hqAddress)
	began := time.Now()
	refused := p.dial(p.client, "a1@sales.example", "Load@123")
	if end, code := refused.gone(); code == 0 || end.OK || time.Since(began) > 6*time.Second {
		t.Errorf("without its database a login ends after %s with code %d, %+v", time.Since(began), code, end)
	}
	p.says("session not opened", "user", "a1@sales.example", "cause", "database")
	local := p.dial(p.client, "root@office", "Office@123")
	local.up()
	leaving.hangUp()
	eventually(t, "the load has left", func() bool { return len(p.sessions()) == 2 })
	brief := p.dial(p.client, "root@office", "Office@123", "--once")
	brief.ended()
	eventually(t, "the brief session is over", func() bool { return len(p.sessions()) == 2 })
	p.ping(p.client, hqAddress)
	checkSame(t, before, p.session(alice))

	postgres.Start()
	c.db.Reset() // our own connections are dead
	eventually(t, "logins work again", func() bool {
		return p.dial(p.client, "a2@sales.example", "Load@123", "--once").ended() == 0
	})
	p.ping(p.hq, up.Address.String())
	checkSame(t, before, p.session(alice))
	c.becomes("10", `SELECT count(*) FROM accounting WHERE name ~ '^a[0-9]+@' AND stopped_at IS NOT NULL AND terminate_cause = 'User-Request'
		AND started_at < $1`, began)
	c.becomes("1", `SELECT count(*) FROM accounting WHERE name = 'root@office' AND stopped_at IS NULL`)
	c.becomes("1", `SELECT count(*) FROM accounting WHERE name = 'root@office' AND stopped_at IS NOT NULL`)
	c.becomes("1", `SELECT count(*) FROM logins WHERE name = 'a1@sales.example' AND verdict <> 'granted'`)
	p.says("database answers again")
	began = time.Now()
	c.sql(`UPDATE accounts SET disabled = true WHERE name = 'alice@sales.example'`)
	call.endsWithin(atOnce, began)
	local.hangUp()
	p.empty()
	c.becomes("0", `SELECT count(*) FROM accounting WHERE stopped_at IS NULL`)
	c.becomes("0", `SELECT count(*) FROM sessions`)
	c.becomes("0", `SELECT count(*) FROM leases WHERE state = 'bound'`)
	p.stop()
}

// After a restart of the database the connections that a node has kept are dead. No login pays for that.
func TestDatabaseRestartedBetweenLogins(t *testing.T) {
	t.Parallel()
	netns.RequireTUN(t)
	postgres := pgtest.Cluster(t)
	c := asCompany(t, postgres.New(), salesInSQL, manyInSQL("a", 40))
	p := c.site("hq1")
	load := func() bool {
		return p.dial(p.client, "a%d@sales.example", "Load@123", "--count", "40", "--sessions-per-tunnel", "20").ended() == 0
	}
	for range 3 {
		eventually(t, "40 logins succeed", load)
		p.empty()
		postgres.Restart()
	}
	eventually(t, "40 logins succeed after the last restart", load)
	for _, e := range p.log() {
		for _, dead := range []string{"broken pipe", "reset by peer", "57P01", "EOF"} {
			if e.text("msg") == "session not opened" && strings.Contains(e.text("cause"), dead) {
				t.Errorf("a login was given a dead connection: %s", e.text("cause"))
			}
		}
	}
}

// A change that is made while a node is cut off is so when it is back.
func TestDatabaseChangeDuringAnOutage(t *testing.T) {
	t.Parallel()
	netns.RequireTUN(t)
	postgres := pgtest.Cluster(t)
	c := asCompany(t, postgres.New(), salesInSQL)
	p := c.site("hq1")
	call, _ := p.online(alice, alicePassword)
	c.becomes("1", `SELECT count(*) FROM sessions`)
	// Whoever listens is thrown out, and the row changes without a word.
	c.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database();
		ALTER TABLE accounts DISABLE TRIGGER ALL;
		UPDATE accounts SET disabled = true WHERE name = 'alice@sales.example';
		ALTER TABLE accounts ENABLE TRIGGER ALL`)
	call.endsWithin(patience, time.Now())
	p.says("session closed", "user", alice, "cause", "account disabled")
}

// A node is killed with its sessions. Its next process closes them in accounting and gives their addresses away again.
func TestDatabaseNodeKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	const many = 20
	c := newCompany(t, strings.Replace(salesInSQL, "10.10.1.0/24", "10.10.1.1-10.10.1."+strconv.Itoa(many), 1),
		`UPDATE pools SET quarantine = '0'`, manyInSQL("a", many))
	p := c.site("hq1")
	load := func() *caller {
		return p.dial(p.client, "a%d@sales.example", "Load@123", "--count", strconv.Itoa(many), "--sessions-per-tunnel", "20", "--hold", "forever")
	}
	calls := load()
	eventually(t, "all are online", func() bool { return countOpen(p.server) == many })
	c.becomes(strconv.Itoa(many), `SELECT count(*) FROM sessions`)
	c.becomes(strconv.Itoa(many), `SELECT count(*) FROM accounting WHERE stopped_at IS NULL`)
	p.signal(syscall.SIGKILL)
	p.ended()
	calls.signal(syscall.SIGKILL)
	calls.ended()
	killed := time.Now()

	p.server = p.serve(c.config("hq1"))
	c.becomes("2", `SELECT epoch FROM nodes WHERE name = 'hq1'`)
	c.becomes(strconv.Itoa(many), `SELECT count(*) FROM accounting WHERE terminate_cause = 'NAS-Reboot' AND cause <> ''
		AND stopped_at BETWEEN started_at AND $1`, killed.Add(time.Minute))
	c.becomes("0", `SELECT count(*) FROM sessions`)
	c.becomes("0", `SELECT count(*) FROM session_slots WHERE epoch < 2`)
	calls = load()
	eventually(t, "all are online again", func() bool { return countOpen(p.server) == many })
	t.Logf("every address is in use again %s after the end of the node", time.Since(killed))
	calls.hangUp()
	p.empty()
}
