package foreign_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
)

func TestOfferIsBoundByStartKeptByInterimAndRestsAfterStop(t *testing.T) {
	run(t, func(r *rig) {
		q, d := r.mustLogin("nas", "ann")
		if !d.Address.IsValid() || d.Pools != nil {
			t.Fatalf("the answer has address %v, pools %v", d.Address, d.Pools)
		}
		address := d.Address.String()
		if l := r.pools.lease(t, address); l.Holder != q.Session || time.Until(l.Expires) != 110*time.Second {
			t.Errorf("offered is %+v", l)
		}
		r.pass(100 * time.Second)
		start := startOf(q, d)
		r.tell(start)
		if l := r.pools.lease(t, address); time.Until(l.Expires) != 24*time.Hour {
			t.Errorf("of a NAS that may send no Interims, bound is %+v", l)
		}
		r.live(start.Session)
		last := r.books.last(t)
		if last.Node != "n1" || last.Pool != "p" || last.Terms == nil || last.Terms.Interim != 5*time.Minute || last.Terms.RateUp != 1000 {
			t.Errorf("recorded is %+v, %+v", last, last.Terms)
		}
		for range 30 {
			r.pass(5 * time.Minute)
			r.tell(later(start, aaa.RecordInterim))
		}
		if l := r.pools.lease(t, address); l.Holder != q.Session || time.Until(l.Expires) != 17*time.Minute {
			t.Errorf("kept is %+v", l)
		}
		r.live(start.Session)
		r.tell(later(start, aaa.RecordStop))
		r.live()
		if h := r.pools.holder(t, address); h != "" {
			t.Errorf("%s still has it", h)
		}
		if last := r.books.last(t); last.Kind != aaa.RecordStop || last.Terms == nil || last.Pool != "p" {
			t.Errorf("the Stop is %+v", last)
		}
		if u, _ := r.pools.Usage(r.Context()); u[0].Quarantined != 1 {
			t.Errorf("usage %+v", u)
		}
		if got := r.Stats(); got.Logins != 0 || got.Known != 0 || got.Owed != 0 {
			t.Errorf("left in memory: %+v", got)
		}
	})
}

func TestUnconfirmedOfferIsBackWithinTwoMinutes(t *testing.T) {
	run(t, func(r *rig) {
		d := decision("ann")
		d.MaxSessions = 1
		r.people.set("ann", d)
		_, first := r.mustLogin("nas", "ann")
		if _, _, err := r.login("nas", "ann"); cause(err) != aaa.SessionLimit {
			t.Errorf("a second login: %v", err)
		}
		r.pass(2*time.Minute + time.Second)
		if h := r.pools.holder(t, first.Address.String()); h != "" {
			t.Errorf("%s still has the address", h)
		}
		if got := r.Stats(); got.Logins != 0 || got.Lapsed != 1 {
			t.Errorf("%+v", got)
		}
		r.mustLogin("nas", "ann")
		if n := len(r.books.records()); n != 0 {
			t.Errorf("%d records of a session that never was", n)
		}
	})
}

// What was granted could not be said, so that the NAS heard no: address and place are free at once, and those of a session that
// lives are not.
func TestWithdrawnLoginTakesNothing(t *testing.T) {
	run(t, func(r *rig) {
		d := decision("ann")
		d.MaxSessions = 1
		r.people.set("ann", d)
		q, first := r.mustLogin("nas", "ann")
		r.Withdrawn(r.Context(), q.Session)
		if h := r.pools.holder(t, first.Address.String()); h != "" || r.Stats().Logins != 0 {
			t.Errorf("%q has the address; %+v", h, r.Stats())
		}
		q, d = r.mustLogin("nas", "ann")
		r.tell(startOf(q, d))
		r.Withdrawn(r.Context(), q.Session)
		r.live(q.Session)
		if h := r.pools.holder(t, d.Address.String()); h != q.Session {
			t.Errorf("%q has the address of the session that lives", h)
		}
	})
}

func TestPoolFaultsAreSaid(t *testing.T) {
	run(t, func(r *rig) {
		for range 10 {
			r.mustLogin("nas", "ann")
		}
		_, _, err := r.login("nas", "bob")
		no := (*aaa.Rejection)(nil)
		if !errors.As(err, &no) || no.Cause != aaa.NoAddress || no.Retryable() || no.Domain != "d" {
			t.Fatalf("a full pool: %v", err)
		}
		if no.Detail != "no free address (pool p: 10 of 10 leased, 0 in quarantine, 0 static)" {
			t.Errorf("it says %q", no.Detail)
		}
		d := decision("cid")
		d.Pools = []string{"q"}
		r.people.set("cid", d)
		if _, _, err := r.login("nas", "cid"); cause(err) != aaa.Misconfigured {
			t.Errorf("an unknown pool: %v", err)
		}
		r.pools.fail(errors.New("the database is away"))
		if _, _, err := r.login("nas", "ann"); !errors.As(err, &no) || !no.Retryable() {
			t.Errorf("no pools at all: %v", err)
		}
	})
}

func cause(err error) aaa.Cause {
	if no := (*aaa.Rejection)(nil); errors.As(err, &no) {
		return no.Cause
	}
	return aaa.CauseNone
}

func TestWhoGivesAddresses(t *testing.T) {
	own := netip.MustParseAddr("10.9.9.9")
	run(t, func(r *rig) {
		_, d := r.mustLogin("bras", "ann")
		if d.Address.IsValid() || len(d.Pools) != 1 {
			t.Errorf("named: %v, %v", d.Address, d.Pools)
		}
		if _, d = r.mustLogin("wifi", "ann"); d.Address.IsValid() || d.Pools != nil {
			t.Errorf("none: %v, %v", d.Address, d.Pools)
		}
		exact := decision("ann")
		exact.Address = own
		r.people.set("ann", exact)
		q, d := r.mustLogin("bras", "ann")
		if d.Address != own || d.Pools != nil || r.pools.holder(t, "10.9.9.9") != q.Session {
			t.Errorf("its own: %v, %v", d.Address, d.Pools)
		}
		none := decision("bob")
		none.Pools = nil
		r.people.set("bob", none)
		if _, d := r.mustLogin("nas", "bob"); d.Address.IsValid() {
			t.Errorf("neither pool nor address: %v", d.Address)
		}
	})
}

// A NAS is told names of pools for prefixes where it has such pools, and nowhere else.
func TestWhoHasPoolsOfPrefixes(t *testing.T) {
	run(t, func(r *rig) {
		six := decision("ann")
		six.IPv6Pools, six.DelegatedPools = []string{"links"}, []string{"homes"}
		six.IPv6.Delegated = []netip.Prefix{netip.MustParsePrefix("2001:db8:7::/56")}
		r.people.set("ann", six)
		for client, told := range map[string]bool{"bras": true, "nas": false, "wifi": false} {
			_, d := r.mustLogin(client, "ann")
			if (len(d.IPv6Pools) == 1) != told || (len(d.DelegatedPools) == 1) != told {
				t.Errorf("%s: %v, %v", client, d.IPv6Pools, d.DelegatedPools)
			}
			if !slices.Equal(d.IPv6.Delegated, six.IPv6.Delegated) {
				t.Errorf("%s: its own prefix: %v", client, d.IPv6.Delegated)
			}
		}
	})
}

func TestAuthenticateOnlyAndOwnLoginsTakeNothing(t *testing.T) {
	run(t, func(r *rig) {
		q := request("nas", "ann", 1)
		q.AuthenticateOnly = true
		if d, err := r.auth.Authenticate(r.Context(), q); err != nil || d.Address.IsValid() {
			t.Errorf("%v, %v", d, err)
		}
		q = request("nas", "ann", 2)
		q.NAS = nil
		if d, err := r.auth.Authenticate(r.Context(), q); err != nil || d.Address.IsValid() || len(d.Pools) != 1 {
			t.Errorf("%v, %v", d, err)
		}
		r.people.refuse("ann", &aaa.Challenge{State: []byte{1}})
		_, _, err := r.login("nas", "ann")
		if c := (*aaa.Challenge)(nil); !errors.As(err, &c) {
			t.Errorf("a challenge: %v", err)
		}
		if got := r.Stats(); got.Logins != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestSameSessionAsksAnew(t *testing.T) {
	run(t, func(r *rig) {
		d := decision("ann")
		d.MaxSessions = 1
		r.people.set("ann", d)
		q, first := r.mustLogin("nas", "ann")
		again, err := r.auth.Authenticate(r.Context(), q)
		if err != nil || again.Address != first.Address {
			t.Fatalf("before the Start: %v, %v", again.Address, err)
		}
		start := startOf(q, first)
		r.tell(start)
		r.pass(time.Minute)
		d.RateUp = 7
		r.people.set("ann", d)
		again, err = r.auth.Authenticate(r.Context(), q)
		if err != nil || again.Address != first.Address {
			t.Fatalf("after the Start: %v, %v", again.Address, err)
		}
		r.tell(later(start, aaa.RecordInterim))
		if last := r.books.last(t); last.Terms.RateUp != 7 {
			t.Errorf("its terms are %+v", last.Terms)
		}
		r.pass(5 * time.Minute)
		r.live(q.Session)
		r.tell(later(start, aaa.RecordStop))
		r.mustLogin("nas", "ann")
	})
}

func TestLoginFromTheSamePlaceTakesThePlaceOfTheOneThatHeardNothing(t *testing.T) {
	run(t, func(r *rig) {
		d := decision("ann")
		d.MaxSessions = 1
		r.people.set("ann", d)
		first := request("nas", "ann", 7)
		one, err := r.auth.Authenticate(r.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		second := request("nas", "ann", 7)
		second.Session = "nas/other"
		logins.Store(second.Session, time.Now())
		two, err := r.auth.Authenticate(r.Context(), second)
		if err != nil || two.Address == one.Address {
			t.Fatalf("it tries again: %v, %v", two.Address, err)
		}
		r.tell(startOf(second, two))
		r.tell(startOf(first, one)) // it was up after all: one too many
		if told := r.nases.orders(); len(told) != 1 || told[0].Kind != foreign.Disconnect || told[0].Session.Session != first.Session {
			t.Errorf("told %+v", told)
		}
		r.live(first.Session, second.Session)
	})
}

// Of two logins of an account with an address of its own the newer has it, and the other ends when it begins: also when nobody can be
// asked then who has the address.
func TestTheOlderLoginOfAnAddressEndsThoughThePoolsAreAway(t *testing.T) {
	for _, inOrder := range []bool{true, false} {
		run(t, func(r *rig) {
			d := decision("ann")
			d.Address = netip.MustParseAddr("10.0.0.9")
			r.people.set("ann", d)
			first, one := r.mustLogin("nas", "ann")
			second, two := r.mustLogin("nas", "ann")
			r.pools.fail(errors.New("away"))
			starts := []aaa.Record{startOf(first, one), startOf(second, two)}
			if !inOrder {
				slices.Reverse(starts)
			}
			for _, start := range starts {
				r.tell(start)
			}
			if told := r.nases.orders(); len(told) != 1 || told[0].Kind != foreign.Disconnect || told[0].Session.Session != first.Session {
				t.Errorf("told %+v", told)
			}
			r.pools.fail(nil)
			r.tell(later(startOf(first, one), aaa.RecordStop))
			r.pass(2 * time.Minute)
			if h := r.pools.holder(t, "10.0.0.9"); h != second.Session {
				t.Errorf("the address is %q's", h)
			}
		}, func(c *foreign.Config) { c.Shared = true })
	}
}

// slow is a Store that learns of sessions by way of others, and late.
type slow struct {
	foreign.Store
	mu     sync.Mutex
	behind bool
}

func (s *slow) Find(ctx context.Context, q foreign.Query) ([]aaa.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behind {
		return nil, nil
	}
	return s.Store.Find(ctx, q)
}

func (s *slow) fall(behind bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = behind
}

func TestOrderAboutASessionThatTheStoreDoesNotKnowYet(t *testing.T) {
	store := &slow{}
	run(t, func(r *rig) {
		d := decision("ann")
		d.Address = netip.MustParseAddr("10.0.0.9")
		r.people.set("ann", d)
		first, one := r.mustLogin("nas", "ann")
		second, two := r.mustLogin("nas", "ann")
		r.tell(startOf(second, two))
		store.fall(true)
		r.tell(startOf(first, one)) // its address went to the second
		if told := r.nases.orders(); len(told) != 1 || told[0].Session.Session != first.Session {
			t.Errorf("told %+v", told)
		}
		start := r.open("nas", "bob")
		store.fall(false)
		r.stop()
		store.fall(true)
		if ok, err := store.Order(r.Context(), foreign.Order{Key: "k", Kind: foreign.Disconnect, Session: start, At: time.Now()}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		r.start()
		r.pass(5 * time.Second)
		store.fall(false)
		r.pass(20 * time.Second)
		if told := r.nases.orders(); len(told) != 2 || told[1].Session.Session != start.Session {
			t.Errorf("told %+v", told)
		}
	}, func(c *foreign.Config) { store.Store, c.Store, c.Shared = c.Store, store, true })
}

func TestLimitsOfOneNode(t *testing.T) {
	run(t, func(r *rig) {
		for name, policy := range map[string]aaa.SessionPolicy{"ann": aaa.RefuseNew, "bob": aaa.ReplaceOld} {
			d := decision(name)
			d.MaxSessions, d.SessionPolicy = 2, policy
			r.people.set(name, d)
		}
		first := r.open("nas", "ann")
		r.pass(time.Second)
		r.open("nas", "ann")
		if _, _, err := r.login("nas", "ann"); cause(err) != aaa.SessionLimit {
			t.Errorf("a third: %v", err)
		}
		r.tell(later(first, aaa.RecordStop))
		r.open("nas", "ann")

		oldest := r.open("nas", "bob")
		r.pass(time.Second)
		r.open("nas", "bob")
		r.pass(time.Second)
		r.open("nas", "bob")
		told := r.nases.orders()
		if len(told) != 1 || told[0].Kind != foreign.Disconnect || told[0].Session.Session != oldest.Session {
			t.Errorf("told %+v", told)
		}
	})
}

func TestLimitsOfOneNodeOutliveTheProcess(t *testing.T) {
	run(t, func(r *rig) {
		d := decision("ann")
		d.DomainSessions = 1
		r.people.set("ann", d)
		start := r.open("nas", "ann")
		r.restart()
		if _, _, err := r.login("nas", "ann"); cause(err) != aaa.SessionLimit {
			t.Errorf("after a restart: %v", err)
		}
		if h := r.pools.holder(t, start.Address.String()); h != start.Session {
			t.Errorf("its address is %q's", h)
		}
		r.pass(time.Minute)
		r.tell(later(start, aaa.RecordStop))
		if h := r.pools.holder(t, start.Address.String()); h != "" {
			t.Errorf("its address is still %q's", h)
		}
		r.mustLogin("nas", "ann")
	})
}

// A login gives way to a newer one before its Start has come: it is over when it begins, and never more live than may.
func TestALoginThatGaveWayEndsWhenItBegins(t *testing.T) {
	run(t, func(r *rig) {
		d := decision("ann")
		d.MaxSessions, d.SessionPolicy = 1, aaa.ReplaceOld
		r.people.set("ann", d)
		first, got := r.mustLogin("nas", "ann")
		r.mustLogin("nas", "ann")
		r.tell(startOf(first, got))
		if told := r.nases.orders(); len(told) != 1 || told[0].Session.Session != first.Session || told[0].Kind != foreign.Disconnect {
			t.Errorf("told %+v", told)
		}
	})
}

// late is a Store that has not heard of new sessions yet, as one that learns of them by way of Records.
type late struct {
	foreign.Store
	hidden atomic.Bool
}

func (l *late) Find(ctx context.Context, q foreign.Query) ([]aaa.Record, error) {
	if l.hidden.Load() {
		return nil, nil
	}
	return l.Store.Find(ctx, q)
}

func TestASessionThatHasJustBegunCanBeEnded(t *testing.T) {
	store := &late{}
	run(t, func(r *rig) {
		store.hidden.Store(true)
		start := r.open("nas", "ann")
		if !r.End(r.Context(), start.Session, "moved") || r.End(r.Context(), "nobody", "moved") {
			t.Error("the one has begun, and the other is nobody's")
		}
		store.hidden.Store(false)
		r.pass(time.Minute)
		if told := r.nases.orders(); len(told) != 1 || told[0].Session.NAS.Session != start.NAS.Session {
			t.Errorf("told %+v", told)
		}
	}, func(c *foreign.Config) { store.Store, c.Store, c.Shared = c.Store, store, true })
}
