package e2e

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// A change in the database ends the session of an l2tpns that lnsgate does not run, and the person at the far end is off; what l2tpns
// answers is on record.
func TestDatabaseChangeReachesL2TPNS(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL, `INSERT INTO nas (name, source, secret) VALUES ('l2tpns', '10.20.0.1', '`+nasSecret+`');
		INSERT INTO accounts (name, password) SELECT 'user' || n || '@sales.example', 'User@1234' FROM generate_series(0, 3) n`)
	w := newWorld(t)
	s := w.prepare(c.asked("hq"))
	s.in = w.hq
	s.launch(exec.Command(program, "serve", "-c", s.config))
	nas := w.startL2TPNS()
	for i, change := range []struct{ what, sql string }{
		{"disabled", `UPDATE accounts SET disabled = true WHERE name = '%s'`},
		{"deleted", `DELETE FROM accounts WHERE name = '%s'`},
		{"an address of its own", `INSERT INTO static_addresses (account, address) VALUES ('%s', '10.10.9.9')`},
		{"kick", ""},
	} {
		user := fmt.Sprintf("user%d@sales.example", i)
		call := w.dial(w.client, user, "User@1234")
		call.up()
		c.becomes("l2tpns", `SELECT nas FROM sessions WHERE account = $1`, user)
		began := time.Now()
		if change.sql == "" {
			if output, code := s.command("kick", user); code != 0 {
				t.Errorf("kick: %d, %s", code, output)
			}
		} else {
			c.sql(fmt.Sprintf(change.sql, user))
			began = time.Now()
		}
		call.endsWithin(hearsWithin, began)
		c.becomes("disconnect true acknowledged", `SELECT kind || ' ' || ok || ' ' || answer FROM nas_orders WHERE account = $1`, user)
		s.says("foreign: the NAS did what it was told", "user", user, "nas", "l2tpns", "answer", "acknowledged")
		c.becomes("0", `SELECT count(*) FROM sessions WHERE account = $1`, user)
		c.becomes("1", `SELECT count(*) FROM accounting WHERE account = $1 AND stopped_at IS NOT NULL`, user)
	}

	// It acknowledges a change as well, though it knows nothing of timeouts.
	call := w.dial(w.client, alice, alicePassword)
	call.up()
	c.becomes("l2tpns", `SELECT nas FROM sessions WHERE account = $1`, alice)
	c.sql(`UPDATE accounts SET session_timeout = '2 h' WHERE name = '` + alice + `'`)
	c.becomes("change true acknowledged", `SELECT kind || ' ' || ok || ' ' || answer FROM nas_orders WHERE account = $1`, alice)
	call.hangUp()
	s.empty()
	nas.signal(syscall.SIGTERM)
	s.stop()
}
