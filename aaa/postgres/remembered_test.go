package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/test/pgtest"
)

// remembering makes a back end whose watcher listens.
func remembering(t testing.TB, dsn string, cfg Config) (*Backend, *heard) {
	t.Helper()
	b, h := New(openPool(t, dsn, false), cfg), &heard{}
	background(t, NewWatcher(WatcherConfig{Connect: connectConfig(t, dsn), Backend: b, Changed: h.hear, Log: quiet}).Run)
	until(t, "it remembers", 10*time.Second, func() bool { return b.remembered.certain(time.Now()) })
	return b, h
}

func authorize(b *Backend, name string) (aaa.Grant, error) {
	return b.Authorize(context.Background(), queryPAP(name, ""))
}

// hashed is a password that nobody has to seal.
const hashed = `INSERT INTO credentials (account, kind, value) SELECT name, 'bcrypt', convert_to(crypt('x', gen_salt('bf', 4)), 'UTF8') FROM accounts`

// Whatever is changed, and however: within a second the answer is the one that the database gives.
func TestWhatIsRememberedFollowsEveryTable(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	for _, sql := range []string{
		`INSERT INTO domains (name) VALUES ('sales')`, `INSERT INTO pools (name) VALUES ('p1')`,
		`INSERT INTO profiles (name, mtu, pools) VALUES ('gold', 1400, '{p1}')`,
		`INSERT INTO accounts (name, profile) VALUES ('bob@sales', 'gold'), ('eve@sales', NULL)`,
		`INSERT INTO accounts (name) SELECT 'many' || i FROM generate_series(1, 200) i`, hashed,
	} {
		run(t, pool, sql)
	}
	b, _ := remembering(t, dsn, Config{})
	plain := New(openPool(t, dsn, false), Config{})
	for _, sql := range []string{
		`UPDATE accounts SET disabled = true WHERE name = 'bob@sales'`,
		`UPDATE accounts SET disabled = false WHERE name = 'bob@sales'`,
		`UPDATE accounts SET rate_up = 1000, max_sessions = 3, session_timeout = '1 h' WHERE name = 'bob@sales'`,
		`INSERT INTO static_addresses (account, address) VALUES ('bob@sales', '10.0.0.7')`,
		`UPDATE static_addresses SET address = '10.0.0.8'`,
		`UPDATE static_addresses SET account = 'eve@sales'`,
		`DELETE FROM static_addresses`,
		`UPDATE profiles SET mtu = 1300, dns = '{9.9.9.9}'`,
		`UPDATE profiles SET name = 'silver'`,
		`UPDATE pools SET name = 'p2'`,
		`INSERT INTO profiles (name, idle_timeout) VALUES ('other', '5 min')`,
		`UPDATE accounts SET profile = 'other' WHERE name = 'bob@sales'`,
		`UPDATE accounts SET mtu = 1200`, // of all: nobody is named
		`INSERT INTO filters (name) VALUES ('f1')`,
		`UPDATE accounts SET filter = 'f1' WHERE name = 'bob@sales'`,
		`UPDATE profiles SET routes = '{192.168.9.0/24}'`,
		`UPDATE accounts SET routes = '{192.168.50.0/24}' WHERE name = 'bob@sales'`,
		`UPDATE filters SET name = 'f2'`,
		`DELETE FROM credentials WHERE account = 'bob@sales'`,
		`INSERT INTO credentials (account, kind, value) SELECT 'bob@sales', kind, value FROM credentials WHERE account = 'eve@sales'`,
		`UPDATE credentials SET value = convert_to(crypt('other', gen_salt('bf', 4)), 'UTF8') WHERE account = 'bob@sales'`,
		`UPDATE domains SET methods = '{chap}'`,
		`UPDATE domains SET methods = '{}'`,
		`SELECT set_password('bob@sales', 'x')`,
		`UPDATE accounts SET valid_until = now() - interval '1 s' WHERE name = 'bob@sales'`,
		`UPDATE accounts SET valid_until = NULL WHERE name = 'bob@sales'`,
		`UPDATE accounts SET name = 'rob@sales' WHERE name = 'bob@sales'`,
		`UPDATE accounts SET name = 'bob@sales' WHERE name = 'eve@sales'`,
		`DELETE FROM accounts WHERE name = 'bob@sales'`,
		`INSERT INTO accounts (name, rate_down) VALUES ('bob@sales', 77)`,
		`TRUNCATE accounts, credentials, static_addresses`,
	} {
		for range 2 {
			authorize(b, "bob@sales")
			authorize(b, "eve@sales")
		}
		run(t, pool, sql)
		changed := time.Now()
		for {
			wrong := ""
			for _, name := range []string{"bob@sales", "eve@sales", "rob@sales"} {
				wrong += differs(b, plain, name)
			}
			if wrong == "" {
				break
			}
			if time.Since(changed) > time.Second {
				t.Fatalf("%s: a second later %s", sql, wrong)
			}
		}
	}
}

// differs tells what one says of an account that the other does not.
func differs(b, plain *Backend, name string) string {
	want, refused := authorize(plain, name)
	got, err := authorize(b, name)
	if reflect.DeepEqual(want, got) && causeOf(refused) == causeOf(err) {
		_, refused = login(plain, aaa.PAP, name, "x")
		_, err = login(b, aaa.PAP, name, "x")
		if causeOf(refused) == causeOf(err) {
			return ""
		}
	}
	return fmt.Sprintf("%s: %+v, %v instead of %+v, %v; ", name, got, err, want, refused)
}

// Rows are read while they change. No answer is older than a second.
func TestNoAnswerIsOlderThanASecond(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	const accounts = 8
	run(t, pool, `INSERT INTO accounts (name, rate_up) SELECT 'user' || i, 1 FROM generate_series(0, $1::int - 1) i`, accounts)
	b, _ := remembering(t, dsn, Config{})
	var committed [accounts]atomic.Int64 // what was true a second ago is at least what is here
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	var remembered, asked atomic.Int64
	parallel(4, 4, func(worker int) {
		for n := int64(2); ctx.Err() == nil; n++ {
			i := rand.IntN(accounts)
			if worker == 1 {
				run(t, pool, `UPDATE accounts SET rate_up = rate_up + 1 WHERE name = $1`, fmt.Sprint("user", i))
				truth := one[int64](t, pool, `SELECT rate_up FROM accounts WHERE name = $1`, fmt.Sprint("user", i))
				time.AfterFunc(time.Second, func() { committed[i].Store(truth) })
				pause(ctx, 2*time.Millisecond)
				continue
			}
			if b.recall(queryPAP(fmt.Sprint("user", i), "")) != nil {
				remembered.Add(1)
			} else {
				asked.Add(1)
			}
			least := committed[i].Load()
			if g, err := authorize(b, fmt.Sprint("user", i)); err != nil || int64(g.RateUp) < least {
				t.Errorf("user%d has %d, and had %d a second ago; %v", i, g.RateUp, least, err)
			}
		}
	})
	if remembered.Load() == 0 || asked.Load() == 0 {
		t.Errorf("%d remembered, %d asked for", remembered.Load(), asked.Load())
	}
	until(t, "the truth is known", 5*time.Second, func() bool {
		for i := range accounts {
			if committed[i].Load() != 0 && committed[i].Load() < one[int64](t, pool, `SELECT rate_up FROM accounts WHERE name = $1`, fmt.Sprint("user", i)) {
				return false
			}
		}
		return true
	})
}

// certainly opens a memory for a test.
func certainly(most int, at time.Time) *remembered {
	m := newRemembered(most)
	m.open()
	m.sure(at)
	return m
}

func known(name string) *account {
	return &account{id: 1, name: name, forms: []form{{kind: kindSealed, key: "k1"}}, now: time.Unix(5000, 0)}
}

// What is heard between the question and the answer may be newer than the answer.
func TestAnAnswerThatWasOvertakenIsNotRemembered(t *testing.T) {
	now := time.Now()
	for table := range Table(len(tables)) {
		for op := Unknown; op <= Expired; op++ {
			for _, c := range []Change{{table, op, "bob", false, ""}, {table, op, "eve", false, ""}, {table, op, "", true, ""}} {
				m := certainly(100, now)
				if m.slot("bob") == m.slot("eve") {
					continue // taken for the same, which does no harm
				}
				m.put(m.now("bob"), "bob", "d", known("bob"), now)
				t2 := m.now("bob")
				m.heard(c)
				byName := table == Accounts || table == Credentials || table == StaticAddresses
				none := table == Sessions || table == PoolRanges || table == DomainPools || table == DomainAliases || table == NASes
				keeps := none || byName && c.Key == "eve"
				if got := m.get("bob", "d", now) != nil; got != keeps {
					t.Errorf("%+v: remembered is %t", c, got)
				}
				m.clear()
				m.all-- // as if it had not been cleared
				m.put(t2, "bob", "d", known("bob"), now)
				if got := m.get("bob", "d", now) != nil; got != keeps {
					t.Errorf("%+v: what was being read is remembered: %t", c, got)
				}
			}
		}
	}
}

func TestNothingIsRememberedWhileNobodyListens(t *testing.T) {
	now := time.Now()
	m := newRemembered(100)
	early := m.now("bob")
	m.put(early, "bob", "d", known("bob"), now)
	m.open()
	m.sure(now)
	m.put(early, "bob", "d", known("bob"), now)
	if m.get("bob", "d", now) != nil {
		t.Error("what was asked for before it listened")
	}
	m.put(m.now("bob"), "bob", "d", known("bob"), now)
	for what, remembers := range map[string]bool{
		"at once":               m.get("bob", "d", now) != nil,
		"before the next sign":  m.get("bob", "d", now.Add(proven-1)) != nil,
		"without the next sign": m.get("bob", "d", now.Add(proven)) == nil,
		"in another domain":     m.get("bob", "e", now) == nil,
	} {
		if !remembers {
			t.Error(what)
		}
	}
	m.sure(now.Add(2 * rememberedFor))
	if m.get("bob", "d", now.Add(rememberedFor)) != nil {
		t.Error("for ever")
	}
	late := m.now("bob")
	m.close()
	m.put(late, "bob", "d", known("bob"), now)
	if m.size() != 0 || m.get("bob", "d", now) != nil {
		t.Error("after it was closed")
	}
}

func TestTimesOfAccountsAreJudgedWhenTheyAreUsed(t *testing.T) {
	now := time.Now()
	m := certainly(10, now)
	a := known("bob")
	a.until = a.now.Add(500 * time.Millisecond)
	m.put(m.now("bob"), "bob", "d", a, now)
	for after, want := range map[time.Duration]bool{0: true, 499 * time.Millisecond: true, 500 * time.Millisecond: false} {
		if got := m.get("bob", "d", now.Add(after)).usual(); got != want {
			t.Errorf("after %s: %t", after, got)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	now := time.Now()
	m := certainly(100, now)
	for i := range 10_000 {
		name := fmt.Sprint(i)
		m.put(m.now(name), name, "d", known(name), now)
		if m.get("0", "d", now) == nil {
			t.Fatalf("who comes all the time is forgotten after %d others", i)
		}
		if m.size() > 100 {
			t.Fatalf("%d rows", m.size())
		}
	}
	m = certainly(100, now)
	for name, a := range map[string]*account{
		"disabled": {id: 1, disabled: true}, "early": {id: 1, now: now, from: now.Add(time.Second)}, "late": {id: 1, now: now, until: now},
	} {
		if m.put(m.now(name), name, "d", a, now); m.size() != 0 {
			t.Errorf("who may not log in is remembered: %s", name)
		}
	}
	off := certainly(0, now)
	off.put(off.now("a"), "a", "d", known("a"), now)
	if off.size() != 0 {
		t.Error("switched off, it remembers")
	}
}

// remembers reports whether a login of a name left its row behind.
func remembers(b *Backend, name string) bool {
	login(b, aaa.PAP, name, "x") //nolint:errcheck // whatever comes of it
	return b.recall(queryPAP(name, "")) != nil
}

func TestNoSecretInClearIsRemembered(t *testing.T) {
	dsn := sharedDSN(t)
	pool, keys := openPool(t, dsn, false), testKeys(t, "k1")
	run(t, pool, `INSERT INTO accounts (name, password) VALUES ('sealed', 'x')`)
	mustSeal(t, pool, keys)
	run(t, pool, `INSERT INTO accounts (name, password) VALUES ('clear', 'x'), ('nt', NULL)`)
	run(t, pool, `INSERT INTO credentials (account, kind, value) VALUES ('nt', 'nt', '\x8846f7eaee8fb117ad06bdd830b7586c')`)
	b, _ := remembering(t, dsn, Config{Keys: NewKeyring(keys)})
	for name, want := range map[string]bool{"sealed": true, "clear": false, "nt": false, "nobody": false, "a\x00b": false} {
		if got := remembers(b, name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
	off, _ := remembering(t, dsn, Config{Keys: NewKeyring(keys), Remembered: -1})
	if remembers(off, "sealed") || remembers(New(pool, Config{Keys: NewKeyring(keys)}), "sealed") {
		t.Error("it remembers what it should not")
	}
}

// A no comes from the database: a password that was changed this very moment works, and no way to fail is quicker.
func TestNobodyIsRefusedFromMemory(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob')`)
	run(t, pool, hashed)
	b := New(pool, Config{})
	b.remembered.open()
	b.remembered.sure(time.Now().Add(time.Hour)) // and nothing will be heard
	checks := 0
	b.check = func(c secret.Credential, name string, p aaa.Proof) (string, error) {
		checks++
		return c.Check(name, p)
	}
	for i, test := range []struct {
		password string
		cause    aaa.Cause
		checks   int
		then     string
	}{
		{"x", aaa.CauseNone, 1, ""},
		{"x", aaa.CauseNone, 0, ""}, // the password was verified a moment ago
		{"y", aaa.WrongPassword, 1, `UPDATE credentials SET value = convert_to(crypt('y', gen_salt('bf', 4)), 'UTF8')`},
		{"y", aaa.CauseNone, 2, `UPDATE accounts SET disabled = true`},
		{"z", aaa.AccountDisabled, 1, `UPDATE accounts SET disabled = false`},
		{"y", aaa.CauseNone, 0, `DELETE FROM accounts`},
		{"z", aaa.UnknownUser, 2, ""},
	} {
		checks = 0
		if _, err := login(b, aaa.PAP, "bob", test.password); causeOf(err) != test.cause || checks != test.checks {
			t.Errorf("%d: %v, %d checks", i, err, checks)
		}
		if test.then != "" {
			run(t, pool, test.then)
		}
	}
}

// A watcher that is held up says nothing, and what nobody vouches for is not believed.
func TestAFeedThatHangsIsNotBelieved(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	run(t, pool, `INSERT INTO domains (name) VALUES ('sales')`)
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob')`)
	b := New(pool, Config{})
	var hang atomic.Bool
	held, release := make(chan struct{}, 1), make(chan struct{})
	background(t, NewWatcher(WatcherConfig{Connect: connectConfig(t, dsn), Backend: b, Log: quiet, Changed: func([]Change) {
		if hang.Load() {
			held <- struct{}{}
			<-release
		}
	}}).Run)
	defer close(release)
	until(t, "it remembers", 10*time.Second, func() bool { authorize(b, "bob"); return b.recall(queryPAP("bob", "")) != nil })
	hang.Store(true)
	run(t, pool, `UPDATE domains SET dns = '{9.9.9.9}'`)
	<-held
	run(t, pool, `UPDATE accounts SET mtu = 1234`)
	until(t, "the truth", time.Second, func() bool { g, err := authorize(b, "bob"); return err == nil && g.MTU == 1234 })
}

func TestALostFeedForgetsAtOnceAndComesBack(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob')`)
	b, h := remembering(t, dsn, Config{})
	for range 3 {
		authorize(b, "bob")
		if b.recall(queryPAP("bob", "")) == nil {
			t.Fatal("nothing is remembered")
		}
		h.clear()
		hangUpListeners(t, pool)
		took := until(t, "it is told that anything may have changed", 5*time.Second, func() bool { return h.has(Change{All: true}) })
		if took > time.Second {
			t.Errorf("it listens again after %s", took)
		}
		until(t, "it remembers again", time.Second, func() bool { return b.remembered.certain(time.Now()) })
		if b.remembered.size() != 0 {
			t.Error("what was known before is believed")
		}
	}
}

// Who hears nothing must not believe: a pooler in between, or another server, answers every question all the same.
func TestAFeedThatIsDeafIsNotBelieved(t *testing.T) {
	dsn := pgtest.DSN(t)
	pool := openPool(t, dsn, false)
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob')`)
	for what, at := range map[string]string{"a pooler": pgtest.Pooler(t, dsn), "another database": pgtest.DSN(t)} {
		b, h := New(openPool(t, dsn, false), Config{}), &heard{}
		background(t, NewWatcher(WatcherConfig{Connect: connectConfig(t, at), Backend: b, Changed: h.hear, Log: quiet}).Run)
		until(t, "it listens", 10*time.Second, func() bool { return h.has(Change{All: true}) })
		most := time.Now().Add(3 * signEvery)
		until(t, "it has had signs of life", 10*time.Second, func() bool {
			authorize(b, "bob")
			if b.recall(queryPAP("bob", "")) != nil {
				t.Fatalf("%s: it remembers", what)
			}
			return time.Now().After(most)
		})
	}
}

// An account whose time is over is not let in because the database took long to tell what time it was.
func TestASlowAnswerIsFromWhenItWasAsked(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob')`)
	b := New(openPool(t, dsn, false), Config{})
	b.remembered.open()
	b.remembered.sure(time.Now().Add(time.Hour)) // and nothing will be heard
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE static_addresses IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{})
	asked := time.Now()
	go func() {
		defer close(answered)
		authorize(b, "bob")
	}()
	const slow = 300 * time.Millisecond
	pause(t.Context(), slow)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-answered
	b.remembered.mu.Lock()
	defer b.remembered.mu.Unlock()
	if late := b.remembered.young["bob"].asked.Sub(asked); late > slow/2 {
		t.Errorf("the row is taken for %s younger than it is", late)
	}
}
