package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	hearsWithin    = 10 * time.Second // on a busy machine; on a quiet one a NAS hears of a change in less than a second
	coaRequest     = 43
	coaACK, coaNAK = 44, 45
	mikrotikVendor = "\x00\x00\x3a\x8c"
)

// order is a request that a NAS has heard, and when.
type order struct {
	*packet
	at time.Time
}

// ordered opens the port of the NAS, answers as it is told, and hands on what it hears.
func (r *router) ordered(w *world, answer func(n int64, request *packet) (byte, []attribute)) <-chan order {
	heard := make(chan order, 100)
	r.listens(w, func(n int64, p *packet) (byte, []attribute) {
		heard <- order{p, time.Now()}
		return answer(n, p)
	})
	return heard
}

// obeys acknowledges everything.
func obeys(_ int64, request *packet) (byte, []attribute) { return request.code + 1, nil }

// hears waits for the next order.
func hears(t *testing.T, heard <-chan order, what string) order {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case o := <-heard:
		return o
	case <-limit.C:
		t.Fatalf("%s: the NAS has heard nothing", what)
		return order{}
	}
}

// rate is what a MikroTik is told of rates, "" when it is not.
func (p *packet) rate() string {
	for _, a := range p.attributes {
		if a.kind == 26 && strings.HasPrefix(string(a.value), mikrotikVendor+"\x08") {
			return string(a.value[6:])
		}
	}
	return ""
}

// changing is a server over a database with a NAS 127.0.0.2 of type mikrotik.
func changing(t *testing.T, sql ...string) (*company, *world, *server, *router) {
	t.Helper()
	c := newCompany(t, append([]string{salesInSQL, `INSERT INTO nas (name, source, secret, type) VALUES ('router1', '127.0.0.2', '` + nasSecret + `', 'mikrotik')`}, sql...)...)
	w := newOffice(t)
	s := w.answer(c.inOffice("hq", "127.0.0.1", ""))
	c.becomes("1", `SELECT count(*) FROM nodes`)
	return c, w, s, w.router("127.0.0.2")
}

// From the commit of a row to the request at the NAS it is less than a second, whichever change it is; and the answer is on record.
func TestNASHearsOfEachChangeOfARow(t *testing.T) {
	t.Parallel()
	c, w, s, r := changing(t, `INSERT INTO accounts (name, password) SELECT 'user' || n || '@sales.example', 'User@1234' FROM generate_series(0, 5) n`)
	heard := r.ordered(w, obeys)
	changes := []struct {
		what, sql string
		code      byte
		answered  string // kind, and what of the reason
	}{
		{"the rate", `UPDATE accounts SET rate_up = 1000000, rate_down = 4000000 WHERE name = $1`, coaRequest, "change its account or domain has changed"},
		{"the rate of the domain", `UPDATE domains SET rate_up = 3000000, rate_down = 5000000 WHERE $1 <> ''`, coaRequest, "change its account or domain has changed"},
		{"its own address", `INSERT INTO static_addresses (account, address) VALUES ($1, '10.10.9.9')`, disconnectRequest, "disconnect its address is now 10.10.9.9"},
		{"disabled", `UPDATE accounts SET disabled = true WHERE name = $1`, disconnectRequest, "disconnect"},
		{"deleted", `DELETE FROM accounts WHERE name = $1`, disconnectRequest, "disconnect"},
		{"kick", "", disconnectRequest, "disconnect"},
	}
	var took []time.Duration
	for i, change := range changes {
		user := fmt.Sprintf("user%d@sales.example", i)
		session := r.opens(user, "User@1234", fmt.Sprint("s", i))
		session.tells(statusStart)
		c.becomes("1", `SELECT count(*) FROM sessions WHERE account = $1`, user)

		began := time.Now()
		if change.sql == "" {
			if output, code := s.command("kick", user); code != 0 {
				t.Errorf("kick: %d, %s", code, output)
			}
		} else {
			c.sql(strings.ReplaceAll(change.sql, "$1", "'"+user+"'"))
			began = time.Now() // it is committed
		}
		o := hears(t, heard, change.what)
		took = append(took, o.at.Sub(began))
		t.Logf("%s: the NAS has heard of it after %s", change.what, o.at.Sub(began).Round(time.Millisecond))
		if o.code != change.code || string(o.get(sessionID)) != session.id || string(o.get(userName)) != user || o.address() != session.address {
			t.Errorf("%s: the NAS is told %+v", change.what, o.packet)
		}
		if got, want := o.rate(), map[int]string{0: "1M/4M", 1: "3M/5M"}[i]; got != want {
			t.Errorf("%s: the NAS is told of rate %q, not %q", change.what, got, want)
		}
		c.becomes("acknowledged", `SELECT answer FROM nas_orders WHERE account = $1 AND ok AND node = 'hq' AND kind || ' ' || reason LIKE $2 || '%'`, user, change.answered)
		s.says("foreign: the NAS did what it was told", "user", user, "answer", "acknowledged")
		session.tells(statusStop)
		c.becomes("0", `SELECT count(*) FROM sessions WHERE account = $1`, user)
	}
	if worst := slices.Max(took); worst > hearsWithin {
		t.Errorf("it took up to %s", worst)
	}
	if len(heard) > 0 {
		t.Errorf("the NAS is told more than was changed: %+v", (<-heard).packet)
	}
	s.stop()
}

// A pool that changes is nothing to a session that is open: it keeps its address. The next login has one of the other pool.
func TestNASIsNotToldOfAnotherPool(t *testing.T) {
	t.Parallel()
	c, w, s, r := changing(t)
	heard := r.ordered(w, obeys)
	session := r.opens(alice, alicePassword, "1")
	session.tells(statusStart)
	c.becomes("1", `SELECT count(*) FROM sessions`)
	c.sql(`INSERT INTO pools (name) VALUES ('other'); INSERT INTO pool_ranges (pool, range) VALUES ('other', '10.77.0.0/24');
		UPDATE accounts SET pools = '{other}'`)
	soon(t, "the next login has an address of the other pool", func() bool {
		return strings.HasPrefix(r.asks(r.login(alice, alicePassword)).address().String(), "10.77.0.")
	})
	c.sql(`UPDATE accounts SET rate_up = 1000000, rate_down = 2000000`) // the first that the NAS hears is this
	if o := hears(t, heard, "the rate"); o.code != coaRequest || o.rate() != "1M/2M" || o.address() != session.address {
		t.Errorf("the NAS is told %+v", o.packet)
	}
	c.becomes("1", `SELECT count(*) FROM nas_orders`)
	s.stop()
}

// What a NAS does not do is written down, in SQL and in the log, and a request that is lost comes again, octet by octet the same.
func TestAnswersOfNASesAreOnRecord(t *testing.T) {
	t.Parallel()
	c, w, s, r := changing(t, `INSERT INTO accounts (name, password) VALUES ('deaf@sales.example', 'Alice@123'), ('lost@sales.example', 'Alice@123')`)
	const administratively = 501
	heard := r.ordered(w, func(n int64, p *packet) (byte, []attribute) {
		switch user := string(p.get(userName)); {
		case user == alice:
			return p.code + 2, []attribute{number(errorCause, administratively)}
		case user == "lost@sales.example":
			return p.code + 2, []attribute{number(errorCause, sessionNotFound)}
		case n == 3: // of deaf
			return 0, nil
		}
		return p.code + 1, nil
	})
	for i, user := range []string{alice, "lost@sales.example", "deaf@sales.example"} {
		r.opens(user, alicePassword, fmt.Sprint("s", i)).tells(statusStart)
		c.becomes("1", `SELECT count(*) FROM sessions WHERE account = $1`, user)
	}

	c.sql(`UPDATE accounts SET disabled = true WHERE name = '` + alice + `'`)
	hears(t, heard, "disabled")
	const refused = "refused: forbidden by the administrator of the NAS (501)"
	c.becomes("false "+refused, `SELECT ok || ' ' || answer FROM nas_orders WHERE account = $1 AND answered_at IS NOT NULL`, alice)
	s.says("foreign: the NAS did not do what it was told", "user", alice, "answer", refused)
	if shown := s.session(alice); shown.NAS != "router1" {
		t.Errorf("a session that its NAS has kept is shown as %+v", shown)
	}

	c.sql(`DELETE FROM accounts WHERE name = 'lost@sales.example'`)
	hears(t, heard, "deleted")
	c.becomes("0", `SELECT count(*) FROM sessions WHERE account = 'lost@sales.example'`)
	c.becomes("false true refused: session not found (503)", `SELECT ok || ' ' || lost || ' ' || answer FROM nas_orders WHERE account = 'lost@sales.example'`)
	c.becomes("Lost-Service", `SELECT terminate_cause FROM accounting WHERE account = 'lost@sales.example'`)

	c.sql(`UPDATE accounts SET disabled = true WHERE name = 'deaf@sales.example'`)
	first, second := hears(t, heard, "disabled, the first time"), hears(t, heard, "disabled, again")
	if string(first.octets()) != string(second.octets()) {
		t.Errorf("the second request is another one:\n%+v\n%+v", first.packet, second.packet)
	}
	c.becomes("true acknowledged", `SELECT ok || ' ' || answer FROM nas_orders WHERE account = 'deaf@sales.example'`)
	s.stop()
}

// A NAS that does not answer at all is told again, and what is known of it stands in the row meanwhile.
func TestNASThatIsAwayIsToldWhenItIsBack(t *testing.T) {
	t.Parallel()
	c, w, s, r := changing(t)
	session := r.opens(alice, alicePassword, "1")
	session.tells(statusStart)
	c.becomes("1", `SELECT count(*) FROM sessions`)
	c.sql(`UPDATE accounts SET disabled = true`)
	within(t, 3*patience, "the row says that the NAS did not answer", func() bool {
		return strings.HasPrefix(c.value(`SELECT answer FROM nas_orders WHERE answered_at IS NULL AND due_at > now() AND tries > 0`), "no answer from 127.0.0.2:3799: ")
	})
	s.says("foreign: the NAS does not answer; it is told again", "user", alice, "answer", "no answer from 127.0.0.2:3799")
	if shown := s.session(alice); shown.Address != session.address {
		t.Errorf("before the NAS has said that it is over: %+v", shown)
	}
	heard := r.ordered(w, obeys)
	within(t, 3*patience, "the NAS that is back is told", func() bool { return len(heard) > 0 })
	if o := <-heard; o.code != disconnectRequest || string(o.get(sessionID)) != "1" {
		t.Errorf("the NAS is told %+v", o.packet)
	}
	c.becomes("true acknowledged", `SELECT ok || ' ' || answer FROM nas_orders WHERE answered_at IS NOT NULL`)
	session.tells(statusStop)
	s.empty()
	s.stop()
}
