package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"lnsgate/lns/admin"
	"lnsgate/test/netns"
	"lnsgate/test/pgtest"
)

// A node whose file names no user, pool or domain lets people in by what four INSERTs say.
func TestDatabaseLoginReachesHeadquarters(t *testing.T) {
	for _, method := range []string{"chap", "pap", "mschapv2"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			netns.RequireTUN(t)
			url := pgtest.Empty(t)
			if output, err := exec.Command(program, "db", "migrate", "--database", url).CombinedOutput(); err != nil {
				t.Fatalf("db migrate: %v\n%s", err, output)
			}
			c := asCompany(t, connect(t, url), salesInSQL)
			p := c.site("hq1")
			call, up := p.online(alice, alicePassword, "--auth", method)
			if pool := netip.MustParsePrefix("10.10.1.0/24"); !pool.Contains(up.Address) || up.Method != method {
				t.Errorf("%s by %s, want an address of %s by %s", up.Address, up.Method, pool, method)
			}
			p.ping(p.client, hqAddress, "-s", "1000")
			p.ping(p.hq, up.Address.String())
			checkShowOfDatabase(t, p.server, up, method)
			c.becomes(up.Address.String()+"/32", `SELECT address FROM sessions WHERE account = $1`, alice)
			c.becomes("granted", `SELECT verdict FROM logins WHERE name = $1`, alice)

			call.hangUp()
			p.empty()
			c.becomes("0", `SELECT count(*) FROM leases WHERE state = 'bound'`)
			c.becomes("User-Request", `SELECT terminate_cause FROM accounting WHERE account = $1 AND stopped_at IS NOT NULL
				AND octets_up > 5000 AND octets_down > 5000`, alice)
			p.stop()
			c.becomes("0", `SELECT count(*) FROM sessions`)
		})
	}
}

func checkShowOfDatabase(t *testing.T, s *server, up event, method string) {
	t.Helper()
	var pools []admin.Pool
	var domains []admin.Domain
	var sessions []admin.Session
	s.show("pools", &pools)
	s.show("domains", &domains)
	s.show("sessions", &sessions)
	if len(pools) != 1 || len(domains) != 1 || len(sessions) != 1 {
		t.Fatalf("%d pools, %d domains, %d sessions; want one of each", len(pools), len(domains), len(sessions))
	}
	if p := pools[0]; p.Name != "sales" || p.Size != 254 || p.Leased != 1 || p.Free != 253 {
		t.Errorf("show pools: %+v", p)
	}
	if d := domains[0]; d.Name != "sales.example" || d.Sessions != 1 || strings.Join(d.Pools, " ") != "sales" {
		t.Errorf("show domains: %+v", d)
	}
	if i := sessions[0]; i.User != alice || i.Domain != "sales.example" || i.Pool != "sales" || i.Address != up.Address || i.Method != method {
		t.Errorf("show sessions: %+v", i)
	}
}

// A refused login is a row that says what the log says. The wire tells nothing of it.
func TestDatabaseKeepsTheVerdictOfEveryLogin(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL, `
		INSERT INTO accounts (name, password, disabled) VALUES ('carol@sales.example', 'Carol@123', true);
		INSERT INTO accounts (name, password, valid_until) VALUES ('dave@sales.example', 'Dave@1234', '2020-01-01')`)
	p := c.site("hq1")
	for _, l := range []struct{ user, password, verdict, cause string }{
		{alice, "Alice@124", "wrong password", "wrong password"},
		{"nobody@sales.example", "Alice@123", "unknown user", "unknown user"},
		{"carol@sales.example", "Carol@123", "account disabled", "disabled"},
		{"dave@sales.example", "Dave@1234", "account not valid at this time", "not valid"},
	} {
		call := p.dial(p.client, l.user, l.password)
		if end, code := call.gone(); code == 0 || end.OK || end.Step != "authentication" {
			t.Errorf("%s: dial ends with code %d, %+v", l.user, code, end)
		}
		p.says("session not opened", "user", l.user, "cause", l.cause)
		c.becomes("true", `SELECT verdict LIKE '%' || $2 || '%' FROM logins WHERE name = $1`, l.user, l.verdict)
		c.becomes("true", `SELECT node = 'hq1' AND peer = $2::inet AND detail <> '' FROM logins WHERE name = $1`, l.user, clientAddress)
	}
	c.becomes("0", `SELECT count(*) FROM accounting`)
	c.becomes("0", `SELECT count(*) FROM leases WHERE state = 'bound'`)
}

// A node that cannot start says why, and ends as it should.
func TestDatabaseNodeThatCannotStart(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL)
	p := c.site("hq1")
	second := t.TempDir() + "/second.yaml"
	must(t, os.WriteFile(second, []byte(fmt.Sprintf("admin_socket: %[1]s/s\nstate_dir: %[1]s/state\n", t.TempDir())+unindent(c.config("hq2"))), 0o600))
	other := p.start(p.lns, exec.Command(program, "serve", "-c", second))
	if code := other.ended(); code != 1 || strings.Contains(other.err.String(), "panic") {
		t.Errorf("a node on a host that is taken ends with code %d:\n%s", code, &other.err)
	}
	c.becomes("0", `SELECT count(*) FROM nodes WHERE name = 'hq2'`)
	p.dial(p.client, alice, alicePassword).up()
}
