package foreign_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
)

func (r *rig) reauthorize(q foreign.Query) {
	r.Helper()
	if err := r.Reauthorize(r.Context(), q); err != nil {
		r.Fatal(err)
	}
	synctest.Wait()
}

func TestChangedAccountIsFollowed(t *testing.T) {
	own := netip.MustParseAddr("10.0.0.9")
	for _, test := range []struct {
		name   string
		client string
		change func(*aaa.Decision)
		fault  error
		want   foreign.OrderKind
		reason string
	}{
		{"nothing", "nas", func(*aaa.Decision) {}, nil, 0, ""},
		{"rate", "nas", func(d *aaa.Decision) { d.RateUp = 5 }, nil, foreign.Change, "its account or domain has changed"},
		{"filter", "nas", func(d *aaa.Decision) { d.Filter = "shut" }, nil, foreign.Change, "its account or domain has changed"},
		{"domain", "nas", func(d *aaa.Decision) { d.Domain = "e" }, nil, foreign.Disconnect, "its domain is now e"},
		{"address", "nas", func(d *aaa.Decision) { d.Address = own }, nil, foreign.Disconnect, "its address is now 10.0.0.9"},
		{"address where it has none", "wifi", func(d *aaa.Decision) { d.Address = own }, nil, 0, ""},
		{"pools", "nas", func(d *aaa.Decision) { d.Pools = []string{"q"} }, nil, 0, ""}, // as with our own sessions
		{"disabled", "nas", nil, aaa.Reject(aaa.AccountDisabled, "since yesterday"), foreign.Disconnect, "account disabled: since yesterday"},
		{"deleted", "nas", nil, aaa.Reject(aaa.UnknownUser, ""), foreign.Disconnect, "unknown user"},
		{"known only at login", "nas", nil, &aaa.Rejection{Cause: aaa.OnlyAtLogin, Backend: "local"}, 0, ""},
		{"known only at login, to another", "nas", nil, &aaa.Rejection{Cause: aaa.OnlyAtLogin, Backend: "radius"}, foreign.Disconnect,
			"known only at login"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run(t, func(r *rig) {
				start := r.open(test.client, "ann")
				r.pass(time.Second)
				if d := decision("ann"); test.change != nil {
					test.change(&d)
					r.people.set("ann", d)
				} else {
					r.people.refuse("ann", test.fault)
				}
				r.reauthorize(foreign.Query{Account: "ann"})
				told := r.nases.orders()
				if test.want == 0 {
					if len(told) != 0 {
						t.Errorf("told %+v", told)
					}
					return
				}
				if len(told) != 1 || told[0].Kind != test.want || told[0].Reason != test.reason || told[0].Session.Session != start.Session {
					t.Errorf("told %+v, want %s: %s", told, test.want, test.reason)
				}
			})
		})
	}
}

func TestBackEndThatIsAwayChangesNothing(t *testing.T) {
	run(t, func(r *rig) {
		for range 5 {
			r.open("nas", "ann")
		}
		away := aaa.Reject(aaa.BackendUnavailable, "no route")
		r.people.refuse("ann", away)
		if err := r.Reauthorize(r.Context(), foreign.Query{}); !errors.Is(err, away) {
			t.Errorf("%v", err)
		}
		synctest.Wait()
		if told := r.nases.orders(); len(told) != 0 {
			t.Errorf("told %+v", told)
		}
	})
}

func TestQuestionIsThatOfTheLogin(t *testing.T) {
	run(t, func(r *rig) {
		r.clients["nas"] = foreign.Client{ForcedDomain: "f", DefaultDomain: "g"}
		q, d := r.mustLogin("nas", "ann")
		start := startOf(q, d)
		r.tell(start)
		r.reauthorize(foreign.Query{Session: start.Session})
		have := r.people.asked[len(r.people.asked)-1]
		if have.Name != "ann" || have.Backend != "local" || have.ForcedDomain != "f" || have.DefaultDomain != "g" || have.Session != q.Session ||
			have.NAS == nil || have.NAS.Name != "nas" || have.CallingNumber != q.CallingNumber || have.Peer != q.Peer || have.Group != "nas" ||
			have.Proof.Method != aaa.PAP || !have.Proof.Password.IsZero() {
			t.Errorf("asked %+v", have)
		}
	})
}

// A change, its opposite, and the change again: three orders. The same one seen twice: one.
func TestEachChangeIsToldOnce(t *testing.T) {
	run(t, func(r *rig) {
		r.open("nas", "ann")
		for n, rate := range []uint64{5, 1000, 5, 5} {
			d := decision("ann")
			d.RateUp = rate
			r.people.set("ann", d)
			r.reauthorize(foreign.Query{})
			r.reauthorize(foreign.Query{Account: "ann"})
			told := r.nases.orders()
			if len(told) != min(n+1, 3) || told[len(told)-1].Terms.RateUp != rate || told[len(told)-1].Changed.RateDown != nil {
				t.Fatalf("after change %d: told %+v", n, told)
			}
		}
		r.nases.say(refused)
		d := decision("ann")
		d.RateUp = 77
		r.people.set("ann", d)
		for range 3 {
			r.reauthorize(foreign.Query{})
		}
		if told := r.nases.orders(); len(told) != 4 {
			t.Errorf("what was refused was told %d times", len(told)-3)
		}
	})
}

func TestLoginDuringAChangeIsCheckedAgain(t *testing.T) {
	run(t, func(r *rig) {
		q, d := r.mustLogin("nas", "ann")
		r.pass(time.Second)
		r.people.refuse("ann", aaa.Reject(aaa.AccountDisabled, ""))
		r.reauthorize(foreign.Query{Account: "ann"})
		r.pass(time.Second)
		start := startOf(q, d)
		r.tell(start)
		r.pass(5 * time.Second)
		if told := r.nases.orders(); len(told) != 1 || told[0].Kind != foreign.Disconnect {
			t.Errorf("told %+v", told)
		}
	})
}

func TestExactAddressOfARemnantIsGivenToItsSuccessor(t *testing.T) {
	run(t, func(r *rig) {
		d := decision("ann")
		d.Address = netip.MustParseAddr("10.0.0.9")
		r.people.set("ann", d)
		first := r.open("nas", "ann")
		r.nases.say(func(foreign.Order) foreign.Answer {
			stop := later(first, aaa.RecordStop)
			go r.Account(r.Context(), &stop) //nolint:errcheck // nil
			return foreign.Answer{Done: true, OK: true}
		})
		r.pass(time.Minute)
		second := r.open("nas", "ann")
		if second.Address != first.Address || r.pools.holder(t, "10.0.0.9") != second.Session {
			t.Errorf("the second has %s", second.Address)
		}
		r.live(second.Session)
		b := decision("bob")
		b.Address = d.Address
		r.people.set("bob", b)
		if _, _, err := r.login("nas", "bob"); cause(err) != aaa.NoAddress {
			t.Errorf("another's address: %v", err)
		}
		r.people.set("ann", decision("ann"))
		r.nases.say(nil)
		r.reauthorize(foreign.Query{Account: "ann"})
		if told := r.nases.orders(); len(told) != 2 || told[1].Reason != "it has no address of its own any more" {
			t.Errorf("told %+v", told)
		}
	})
}
