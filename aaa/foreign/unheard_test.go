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

// A NAS that says nothing of its lines has one for all: there may be many of an account at the same time.
func TestLoginsThatHaveNoLineAreCountedTogether(t *testing.T) {
	list, err := pool.ParseRange("10.0.0.1-10.0.0.200")
	if err != nil {
		t.Fatal(err)
	}
	large, err := memory.New(memory.Config{Pools: []pool.Pool{{Name: "p", Ranges: []pool.Range{list}}}})
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(r *rig) {
		var mu sync.Mutex
		let, refused := map[netip.Addr]bool{}, 0
		var all sync.WaitGroup
		for n := range 100 {
			q := request("nas", "ann", n+1000)
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
		if len(let)+refused != 100 || len(let) > 32 || len(let) < 10 {
			t.Errorf("%d are let in, %d are not", len(let), refused)
		}
		exact := decision("bob")
		exact.Address = netip.MustParseAddr("10.9.9.9")
		r.people.set("bob", exact)
		for range 40 { // its own address gives way to it
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
