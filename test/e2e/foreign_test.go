package e2e

import (
	"fmt"
	"net/netip"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"lnsgate/lns/admin"
)

// asked is lnsgate as a RADIUS server at headquarters over a database, for whoever is across the wire.
func (c *company) asked(node string) string {
	return fmt.Sprintf(`
	node: %s
	database: {url: "%s"}
	default_domain: sales.example
	radius_server:
	  listen: [10.20.0.2:1812]
	  accounting_listen: [10.20.0.2:1813]
	`, node, c.url)
}

// asking is an LNS of ours that knows nobody itself: it asks the server at headquarters, and does what that tells it.
const asking = `
	node: branch
	listen: [0.0.0.0:1701]
	default_domain: sales.example
	virtual_templates:
	  - {name: vt1, address: 10.10.0.1/32, mru: 1460, ppp_authentication: [mschapv2, chap, pap]}
	l2tp_groups:
	  - {name: default, virtual_template: vt1, tunnel_name: LNS}
	domains:
	  - {name: sales.example, authentication: [hq], accounting: [hq], pools: [branch]}
	pools:
	  - {name: branch, ranges: [10.10.7.0/24]}
	filters:
	  - {name: no-ping, default: allow, rules: [{action: deny, protocol: icmp}]}
	radius:
	  - name: hq
	    nas_address: 10.20.0.1` + quick + `
	    servers:
	      - {address: 10.20.0.2, secret: ` + nasSecret + `}
	dynamic_authorization:
	  listen: [10.20.0.1:3799]
	  clients: [{source: 10.20.0.2/32, secret: ` + nasSecret + `}]
	`

// pair is an LNS and the RADIUS server that it asks, each an lnsgate.
type pair struct {
	*world
	c              *company
	server, branch *server
}

func newPair(t *testing.T, sql ...string) *pair {
	t.Helper()
	c := newCompany(t, append([]string{salesInSQL, `INSERT INTO nas (name, source, secret, type) VALUES ('branch', '10.20.0.1', '` + nasSecret + `', 'mikrotik');
		UPDATE domains SET accounting_interim = '60 s'`}, sql...)...)
	w := newWorld(t)
	p := &pair{world: w, c: c}
	p.server = w.prepareAs("hq", c.asked("hq"))
	p.server.in = w.hq
	p.server.launch(exec.Command(program, "serve", "-c", p.server.config))
	p.branch = w.serve(asking)
	return p
}

// What the database says of an account reaches its session on another NAS within a second: here that NAS is an lnsgate too.
func TestDatabaseChangeReachesAnotherNAS(t *testing.T) {
	t.Parallel()
	p := newPair(t, `UPDATE domains SET methods = '{}'`)
	for _, method := range []string{"pap", "chap", "mschapv2"} {
		call, up := p.online(alice, alicePassword, "--auth", method)
		if !netip.MustParsePrefix("10.10.1.0/24").Contains(up.Address) {
			t.Errorf("%s: the address is %v, not of the database's pool", method, up.Address)
		}
		p.ping(p.client, hqAddress)
		call.hangUp()
		p.branch.empty()
		p.server.empty()
	}
	call, up := p.online(alice, alicePassword)
	var shown admin.Session
	eventually(t, "the server shows the session of the NAS", func() bool {
		list := p.server.sessions()
		if len(list) == 1 {
			shown = list[0]
		}
		return len(list) == 1
	})
	if shown.NAS != "branch" || shown.User != alice || shown.Address != up.Address || shown.Domain != "sales.example" {
		t.Errorf("%+v", shown)
	}
	p.c.becomes("branch", `SELECT nas FROM sessions WHERE account = $1`, alice)

	began := time.Now()
	p.c.sql(`UPDATE accounts SET rate_down = 2000000, idle_timeout = '10 min' WHERE name = '` + alice + `'`)
	eventually(t, "the NAS has the new rate and timeout", func() bool {
		s := p.branch.session(alice)
		return s.RateDown == 2_000_000 && s.IdleTimeout == 600
	})
	if took := time.Since(began); took > atOnce {
		t.Errorf("the change took %s", took)
	}
	p.c.becomes("acknowledged", `SELECT answer FROM nas_orders WHERE kind = 'change' AND ok`)

	began = time.Now()
	p.c.sql(`UPDATE accounts SET disabled = true WHERE name = '` + alice + `'`)
	call.endsWithin(atOnce, began)
	p.c.becomes("0", `SELECT count(*) FROM sessions`)
	p.c.becomes("1", `SELECT count(*) FROM nas_orders WHERE kind = 'disconnect' AND ok`)
	p.c.becomes("4", `SELECT count(*) FROM accounting WHERE nas = 'branch' AND stopped_at IS NOT NULL AND octets_up >= 0`)
	p.refused(p.branch, alice, alicePassword, "refused by the RADIUS server")
	p.c.becomes("quarantine", `SELECT string_agg(DISTINCT state, ',') FROM leases WHERE account = $1`, alice)
}

// One session per account, wherever it is: on another NAS, or here.
func TestLimitsCountSessionsOfAllNASes(t *testing.T) {
	t.Parallel()
	p := newPair(t, `UPDATE domains SET max_account_sessions = 1, session_policy = 'replace'`)
	first, _ := p.online(alice, alicePassword)
	p.c.becomes("1", `SELECT count(*) FROM sessions`)
	second := p.dial(p.client, alice, alicePassword)
	second.up()
	if e, _ := first.gone(); !e.ByServer {
		t.Errorf("the first session: %+v", e)
	}
	p.c.becomes("1", `SELECT count(*) FROM sessions`)
	p.c.sql(`UPDATE domains SET session_policy = 'refuse'`)
	eventually(t, "a third login is refused", func() bool {
		return p.dial(p.client, alice, alicePassword, "--once").ended() != 0
	})
	if output, code := p.server.command("kick", alice); code != 0 {
		t.Errorf("kick: %d, %s", code, output)
	}
	second.gone()
	p.server.empty()
	if code := p.dial(p.client, alice, alicePassword, "--once").ended(); code != 0 {
		t.Errorf("after the session was ended nobody is let in: %d", code)
	}
}

// The RADIUS server may stop, be killed and start anew: sessions of NASes go on, and their addresses stay theirs.
func TestSessionsOfNASesOutliveTheirServer(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	call, up := p.online(alice, alicePassword)
	p.c.becomes("1", `SELECT count(*) FROM sessions`)
	p.server.signal(syscall.SIGKILL)
	p.server.ended()
	p.ping(p.client, hqAddress)
	p.server.launch(exec.Command(program, "serve", "-c", p.server.config))
	p.ping(p.client, hqAddress)
	p.c.sql(`INSERT INTO accounts (name, password) VALUES ('bob@sales.example', 'Bob@1234')`)
	var bob *caller
	eventually(t, "another user is let in", func() bool {
		bob = p.dial(p.client, "bob@sales.example", "Bob@1234")
		return poll(patience, func() bool { _, up := bob.find("up"); return up || !bob.running() }) && bob.running()
	})
	if other := bob.up().Address; other == up.Address {
		t.Errorf("two have the address %v", other)
	}
	p.c.becomes("2", `SELECT count(DISTINCT address) FROM leases WHERE state = 'bound'`)
	call.hangUp()
	bob.hangUp()
	p.c.becomes("0", `SELECT count(*) FROM sessions`)
	p.c.becomes("2", `SELECT count(*) FROM accounting WHERE stopped_at IS NOT NULL`)
	p.server.stop()
}
