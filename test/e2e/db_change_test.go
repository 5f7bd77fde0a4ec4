package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/admin"
)

// atOnce is how long a change in the database may take to be so on every node.
const atOnce = time.Second

// othersInSQL is a second department, which no change is about.
const othersInSQL = `
	INSERT INTO domains (name) VALUES ('tech.example');
	INSERT INTO domain_pools (domain, pool) VALUES ('tech.example', 'sales');
	INSERT INTO accounts (name, password) VALUES ('bob@tech.example', 'Bob@1234');
	`

// One statement in psql ends a real session on whichever node has it, and no other.
func TestDatabaseChangeEndsASessionOnAnyNode(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL, othersInSQL)
	first, second := c.site("hq1"), c.site("hq2")
	bob := first.dial(first.client, "bob@tech.example", "Bob@1234", "--tun", "vpn0", "--route", "10.20.0.0/24")
	bob.up()
	for _, change := range []struct{ sql, undo, cause, terminate string }{
		{`UPDATE accounts SET disabled = true WHERE name = 'alice@sales.example'`,
			`UPDATE accounts SET disabled = false WHERE name = 'alice@sales.example'`, "account disabled", "NAS-Request"},
		{`DELETE FROM accounts WHERE name = 'alice@sales.example'`,
			`INSERT INTO accounts (name, password) VALUES ('alice@sales.example', 'Alice@123')`, "unknown user", "NAS-Request"},
		{`UPDATE domains SET blocked = true WHERE name = 'sales.example'`,
			`UPDATE domains SET blocked = false WHERE name = 'sales.example'`, "blocked", "NAS-Request"},
		{`SELECT end_session(id, 'moved to Berlin') FROM sessions WHERE account = 'alice@sales.example'`,
			``, "moved to Berlin", ""},
	} {
		call, up := second.online(alice, alicePassword)
		second.ping(second.client, hqAddress)
		c.becomes("1", `SELECT count(*) FROM sessions WHERE account = $1`, alice)
		began := time.Now()
		c.sql(change.sql)
		call.endsWithin(atOnce, began)
		second.says("session closed", "user", alice, "cause", change.cause)
		c.becomes("0", `SELECT count(*) FROM sessions WHERE account = $1`, alice)
		c.becomes("hq2", `SELECT node FROM accounting WHERE account = $1 AND address = $2::inet AND cause LIKE '%' || $3 || '%'
			AND ($4 = '' OR terminate_cause = $4) AND stopped_at - started_at < '1 min' AND octets_up > 0`,
			alice, up.Address.String(), change.cause, change.terminate)
		if change.undo != "" {
			again := second.dial(second.client, alice, alicePassword, "--once")
			if end, code := again.gone(); code == 0 || end.OK {
				t.Errorf("after %s the account still logs in", change.sql)
			}
			c.sql(change.undo)
			eventually(t, "the account may log in again", func() bool {
				return second.dial(second.client, alice, alicePassword, "--once").ended() == 0
			})
		}
	}
	first.ping(first.client, hqAddress)
	bob.hangUp()
}

// What a row says of time and of room is so at once, for sessions that are up and for the next login.
func TestDatabaseChangeAppliesToOpenSessions(t *testing.T) {
	t.Parallel()
	c := newCompany(t, strings.Replace(salesInSQL, "10.10.1.0/24", "10.10.1.7", 1), othersInSQL)
	p := c.site("hq1")
	call, up := p.online(alice, alicePassword)
	if up.Address.String() != "10.10.1.7" {
		t.Errorf("the address is %s, not the only one of the pool", up.Address)
	}
	bob := func() *caller { return p.dial(p.client, "bob@tech.example", "Bob@1234") }
	if end, code := bob().gone(); code == 0 || end.OK {
		t.Fatal("a pool of one address has two")
	}
	p.says("session not opened", "user", "bob@tech.example", "cause", "no free address")

	c.sql(`INSERT INTO pool_ranges (pool, range) VALUES ('sales', '10.10.2.9')`)
	within(t, atOnce, "the new range is known", func() bool { return p.pools()[0].Size == 2 })
	second := bob()
	if got := second.up().Address.String(); got != "10.10.2.9" {
		t.Errorf("the address is %s, not the new one", got)
	}

	c.sql(`UPDATE pool_ranges SET draining = true WHERE range = '10.10.1.7'`)
	within(t, atOnce, "the range empties", func() bool { return p.pools()[0].Free == 0 })
	p.ping(p.client, hqAddress)

	c.sql(`INSERT INTO filters (name, default_action) VALUES ('open', 'allow');
		UPDATE accounts SET rate_up = 2000000, rate_down = 3000000, filter = 'open' WHERE name = '` + alice + `'`)
	within(t, atOnce, "rates and filter apply", func() bool {
		s := p.session(alice)
		return s.RateUp == 2000000 && s.RateDown == 3000000 && s.Filter == "open"
	})
	p.ping(p.client, hqAddress)
	c.sql(`INSERT INTO filter_rules (filter, action, protocol) VALUES ('open', 'deny', 'icmp')`)
	within(t, atOnce, "the new rule acts", func() bool {
		_, _, output := p.tryPing(p.client, hqAddress, "-c", "1", "-W", "0.2")
		return !strings.Contains(output, "icmp_seq=1 ttl")
	})

	before := p.session(alice).UpSince
	began := time.Now()
	c.sql(fmt.Sprintf(`UPDATE accounts SET session_timeout = '%d s' WHERE name = '%s'`, int(time.Since(before).Seconds())+3, alice))
	call.endsWithin(5*time.Second, began)
	p.says("session closed", "user", alice, "cause", "session timeout")
	c.becomes("Session-Timeout", `SELECT terminate_cause FROM accounting WHERE account = $1`, alice)
	second.hangUp()
}

// The networks of a row are reached through the session, and other ones end it, for the next login has those.
func TestDatabaseRoutesLeadBehindThePeer(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL, `UPDATE accounts SET routes = '{10.99.0.0/24}'`)
	p := c.site("hq1")
	must(t, p.hq.Route("10.99.0.0/16", "10.20.0.1"))
	call, _ := p.online(alice, alicePassword)
	for _, behind := range []string{"10.99.0.1", "10.99.1.1"} {
		must(t, p.client.Address("vpn0", behind+"/32"))
	}
	p.ping(p.hq, "10.99.0.1")
	p.ping(p.client, hqAddress, "-I", "10.99.0.1")
	p.noPing(p.client, hqAddress, "-I", "10.99.1.1")
	began := time.Now()
	c.sql(`UPDATE accounts SET routes = '{10.99.1.0/24}'`)
	call.endsWithin(atOnce, began)
	p.says("session closed", "user", alice, "cause", "the networks behind it are others now")
	call, _ = p.online(alice, alicePassword)
	must(t, p.client.Address("vpn0", "10.99.1.1/32"))
	p.ping(p.hq, "10.99.1.1")
	p.noPing(p.hq, "10.99.0.1")
	call.hangUp()
}

// manyInSQL are so many accounts that may be used by load runs.
func manyInSQL(prefix string, n int) string {
	return fmt.Sprintf(`INSERT INTO accounts (name, password) SELECT '%s' || i || '@sales.example', 'Load@123' FROM generate_series(1, %d) i`, prefix, n)
}

// Two nodes take logins at the same time, and no address is given twice; all of them come back.
func TestDatabaseGivesNoAddressTwice(t *testing.T) {
	t.Parallel()
	const many = 200
	c := newCompany(t, strings.Replace(salesInSQL, "10.10.1.0/24", "10.10.4.0/22", 1), manyInSQL("a", many), manyInSQL("b", many))
	sites := []*site{c.site("hq1"), c.site("hq2")}
	var calls []*caller
	for i, p := range sites {
		calls = append(calls, p.dial(p.client, []string{"a", "b"}[i]+"%d@sales.example", "Load@123", "--count", strconv.Itoa(many),
			"--sessions-per-tunnel", "20", "--concurrency", "32", "--hold", "forever"))
	}
	held := make(map[string]string)
	for _, p := range sites {
		eventually(t, "all sessions of "+p.node+" are open", func() bool { return countOpen(p.server) == many })
		for _, s := range p.sessions() {
			if other, taken := held[s.Address.String()]; taken {
				t.Errorf("%s is given to %s and to %s", s.Address, other, s.User)
			}
			held[s.Address.String()] = s.User
		}
	}
	c.becomes(strconv.Itoa(2*many), `SELECT count(DISTINCT address) FROM leases WHERE state = 'bound'`)
	c.becomes(strconv.Itoa(2*many), `SELECT count(DISTINCT address) FROM sessions`)
	for i, p := range sites {
		calls[i].hangUp()
		p.empty()
	}
	c.becomes("0", `SELECT count(*) FROM leases WHERE state = 'bound'`)
	c.becomes("0", `SELECT count(*) FROM sessions`)
	c.becomes(strconv.Itoa(2*many), `SELECT count(*) FROM accounting WHERE stopped_at IS NOT NULL`)
	for _, p := range sites {
		within(t, patience, "the pool is whole on "+p.node, func() bool { return wholePool(p.pools()[0]) })
	}
}

func wholePool(p admin.Pool) bool { return p.Leased == 0 && p.Free+p.Quarantined == p.Size }

// A limit of one session holds over all nodes. What happens at the limit is the domain's policy.
func TestDatabaseSessionLimitOverNodes(t *testing.T) {
	for _, policy := range []string{"refuse", "replace"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			c := newCompany(t, salesInSQL, `UPDATE accounts SET max_sessions = 1`, `UPDATE domains SET session_policy = '`+policy+`'`)
			first, second := c.site("hq1"), c.site("hq2")
			old, _ := first.online(alice, alicePassword)
			began := time.Now()
			if policy == "refuse" {
				if end, code := second.dial(second.client, alice, alicePassword).gone(); code == 0 || end.OK {
					t.Errorf("the second login ends with code %d, %+v", code, end)
				}
				e := second.says("session not opened", "user", alice, "cause", "1 of 1 sessions")
				if !strings.Contains(e.text("cause"), "hq1") {
					t.Errorf("the log does not say which node has the session: %s", e.text("cause"))
				}
				first.ping(first.client, hqAddress)
				old.hangUp()
			} else {
				second.online(alice, alicePassword)
				old.endsWithin(patience, began)
				first.says("session closed", "user", alice, "cause", "replaced by session")
				second.ping(second.client, hqAddress)
			}
			if policy == "refuse" {
				first.empty()
				second.online(alice, alicePassword)
			}
			c.becomes("hq2", `SELECT string_agg(node, ' ') FROM sessions WHERE account = $1`, alice)
		})
	}
}
