package foreign_test

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/pool"
	"lnsgate/pool/memory"
)

// A NAS that hears none of our answers has its users try again and again. They do not empty the pool, and no two of their tries
// get one address: any of them may have been heard after all.
func TestANASThatHearsNothingDoesNotEmptyThePool(t *testing.T) {
	run(t, func(r *rig) {
		try := func(name string, line int) (*aaa.Request, aaa.Decision, error) {
			q, n := request("nas", name, line), len(r.people.asked)
			q.Session += "/" + time.Duration(n).String()
			logins.Store(q.Session, time.Now().Truncate(time.Second))
			d, err := r.auth.Authenticate(r.Context(), q)
			return q, d, err
		}
		given := map[netip.Addr]bool{}
		var first, last *aaa.Request
		var one, other aaa.Decision
		for n := range 4 {
			q, d, err := try("ann", 7)
			if err != nil || given[d.Address] {
				t.Fatalf("try %d: %v, %v", n, d.Address, err)
			}
			given[d.Address] = true
			if last, other = q, d; n == 0 {
				first, one = q, d
			}
			r.pass(time.Second)
		}
		r.pass(10 * time.Second) // the Start of none of them is only late
		_, _, err := try("ann", 7)
		no := (*aaa.Rejection)(nil)
		if !errors.As(err, &no) || no.Cause != aaa.NoAddress || no.Domain != "d" || !strings.Contains(no.Detail, "does not seem to hear") {
			t.Fatalf("a try too many: %v", err)
		}
		if u, _ := r.pools.Usage(r.Context()); u[0].Leased != 4 || r.Stats().Logins != 4 {
			t.Errorf("%+v, %+v", u, r.Stats())
		}
		for name, line := range map[string]int{"bob": 7, "ann": 8} {
			if _, d, err := try(name, line); err != nil || given[d.Address] {
				t.Errorf("%s on line %d: %v, %v", name, line, d.Address, err)
			}
		}
		r.tell(startOf(first, one))
		r.tell(startOf(last, other)) // both were heard
		if len(r.nases.orders()) != 0 {
			t.Errorf("told %+v", r.nases.orders())
		}
		for range 2 {
			if _, d, err := try("ann", 7); err != nil || given[d.Address] {
				t.Errorf("after Starts: %v, %v", d.Address, err)
			}
		}
		r.pass(11 * time.Second)
		if _, _, err := try("ann", 7); cause(err) != aaa.NoAddress {
			t.Errorf("the next: %v", err)
		}
		r.pass(122 * time.Second)
		if _, _, err := try("ann", 7); err != nil {
			t.Errorf("when nobody waits any more: %v", err)
		}
	})
}

// A session that is asked about again before its Start keeps what it was offered, for as long as if it were asked about for the first time.
func TestAnOfferThatIsAskedForAgainLastsLonger(t *testing.T) {
	run(t, func(r *rig) {
		exact := decision("bob")
		exact.Address = netip.MustParseAddr("10.0.0.9")
		r.people.set("bob", exact)
		for _, name := range []string{"ann", "bob"} {
			q, first := r.mustLogin("nas", name)
			r.pass(100 * time.Second)
			again, err := r.auth.Authenticate(r.Context(), q)
			if err != nil || again.Address != first.Address || r.Stats().Logins != 1 {
				t.Fatalf("%s: %v, %v, %+v", name, again.Address, err, r.Stats())
			}
			r.pass(100 * time.Second)
			for line := range 10 { // the others that there are
				if _, d, err := r.login("nas", "cid"); err == nil && d.Address == first.Address {
					t.Errorf("line %d has the address of %s", line, name)
				}
			}
			r.tell(startOf(q, again))
			if h := r.pools.holder(t, first.Address.String()); h != q.Session || len(r.nases.orders()) != 0 {
				t.Errorf("%s: %q has the address; told %+v", name, h, r.nases.orders())
			}
			r.tell(later(startOf(q, again), aaa.RecordStop))
			r.pass(5 * time.Minute)
		}
	})
}

// Many people who share an account log in at the same moment, and their NAS says nothing of their lines. Their Starts are only late;
// but there is an end of it.
func TestLoginsOfOneAccountAtTheSameMoment(t *testing.T) {
	list, err := pool.ParseRange("10.0.0.1-10.0.1.250")
	if err != nil {
		t.Fatal(err)
	}
	large, err := memory.New(memory.Config{Pools: []pool.Pool{{Name: "p", Ranges: []pool.Range{list}}}})
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(r *rig) {
		let, refused := map[netip.Addr]bool{}, 0
		atOnce := func(first, count int) {
			var mu sync.Mutex
			var all sync.WaitGroup
			for n := range count {
				q := request("nas", "ann", first+n)
				q.CallingNumber, q.NAS.Port = "", 0
				all.Go(func() {
					d, err := r.auth.Authenticate(r.Context(), q)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						let[d.Address] = true
					} else if cause(err) == aaa.NoAddress {
						refused++
					}
				})
			}
			all.Wait()
		}
		atOnce(1000, 200)
		if len(let) != 200 || refused != 0 {
			t.Errorf("of 200 %d are let in, %d are not", len(let), refused)
		}
		atOnce(2000, 100)
		if len(let)+refused != 300 || len(let) < 256 || len(let) > 280 { // some get in at the same moment
			t.Errorf("of 300 %d are let in, %d are not", len(let), refused)
		}
		r.pass(122 * time.Second)
		clear(let)
		refused = 0
		atOnce(3000, 40)
		r.pass(11 * time.Second) // none of them was heard of
		atOnce(4000, 40)
		if len(let) != 40 || refused != 40 {
			t.Errorf("of 80, half of them later, %d are let in, %d are not", len(let), refused)
		}
		exact := decision("bob")
		exact.Address = netip.MustParseAddr("10.9.9.9")
		r.people.set("bob", exact)
		for range 300 { // its own address gives way to it
			if _, _, err := r.login("nas", "bob"); err != nil {
				t.Fatal(err)
			}
		}
		for range 40 {
			if _, _, err := r.login("wifi", "ann"); err != nil {
				t.Fatal(err)
			}
		}
	}, func(c *foreign.Config) { c.Pools = large })
}

// Somebody who asks anew again and again, whose login never lapses, keeps no other's from it.
func TestALoginThatIsAskedForAgainHoldsUpNoOther(t *testing.T) {
	run(t, func(r *rig) {
		limited := decision("bob")
		limited.MaxSessions = 1
		r.people.set("bob", limited)
		q, _ := r.mustLogin("nas", "ann")
		r.mustLogin("nas", "bob")
		for range 10 {
			r.pass(time.Minute)
			if _, err := r.auth.Authenticate(r.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if stats := r.Stats(); stats.Logins != 1 || stats.Lapsed != 1 {
			t.Errorf("%+v", stats)
		}
		if _, _, err := r.login("nas", "bob"); err != nil {
			t.Errorf("the place of a login without a Start is kept: %v", err)
		}
	})
}
