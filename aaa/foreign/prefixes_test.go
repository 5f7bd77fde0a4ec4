package foreign_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
)

// six is a decision with prefixes of the pools beside the address.
func six(name string) aaa.Decision {
	d := decision(name)
	d.IPv6Pools, d.DelegatedPools = []string{"links"}, []string{"sites"}
	return d
}

func (r *rig) expires(address string, want time.Duration) {
	r.Helper()
	l := r.pools.lease(r, address)
	if got := time.Until(l.Expires); l.Holder == "" || got < want-5*time.Second || got > want+5*time.Second {
		r.Errorf("%s is of %q for %v, want %v", address, l.Holder, got, want)
	}
}

const (
	firstLink = "2001:db8::"
	firstSite = "2001:db8:1::"
)

// The prefixes live as the address does: offered, bound, kept, and given back by the Stop, whether the NAS tells of them or not.
func TestPrefixesLiveAsTheAddressDoes(t *testing.T) {
	for _, tells := range []bool{true, false} {
		run(t, func(r *rig) {
			r.people.set("ann", six("ann"))
			q, d := r.mustLogin("nas", "ann")
			link, site := netip.MustParsePrefix(firstLink+"/64"), netip.MustParsePrefix(firstSite+"/56")
			if len(d.IPv6.Prefixes) != 1 || d.IPv6.Prefixes[0] != link || len(d.IPv6.Delegated) != 1 || d.IPv6.Delegated[0] != site ||
				d.IPv6Pools != nil || d.DelegatedPools != nil || !d.Address.IsValid() || d.Lent != (aaa.RecordIPv6{Prefix: link, Delegated: site}) {
				t.Fatalf("%+v", d)
			}
			r.expires(firstLink, 110*time.Second)
			r.expires(firstSite, 110*time.Second)
			start := startOf(q, d)
			if !tells {
				start.IPv6 = aaa.RecordIPv6{}
			}
			r.tell(start)
			if got := r.books.last(r).IPv6; got.Prefix != link || got.Delegated != site {
				t.Errorf("the record tells of %+v", got)
			}
			r.expires(firstLink, 24*time.Hour) // it has sent no Interim so far
			for range 5 {
				r.pass(5 * time.Minute)
				r.tell(later(start, aaa.RecordInterim))
				r.expires(firstLink, 17*time.Minute)
				r.expires(firstSite, 17*time.Minute)
			}
			r.tell(later(start, aaa.RecordStop))
			if r.pools.holder(r, firstLink)+r.pools.holder(r, firstSite) != "" {
				t.Error("a session that is over has prefixes")
			}
			if usage, _ := r.pools.Usage(r.Context()); usage[1].Quarantined != 1 || usage[2].Quarantined != 1 {
				t.Errorf("%+v", usage)
			}
		}, func(c *foreign.Config) { c.Shared = !tells })
	}
}

func TestPrefixesNobodyTookFallBack(t *testing.T) {
	run(t, func(r *rig) {
		r.people.set("ann", six("ann"))
		r.mustLogin("nas", "ann")
		r.pass(2 * time.Minute)
		if leases, _ := r.pools.Leases(r.Context()); len(leases) > 0 {
			t.Errorf("%+v", leases)
		}
	})
}

// Without the prefix of its link a session has no IPv6 of ours, and without the other one it is none the worse.
func TestAPoolOfPrefixesThatIsDry(t *testing.T) {
	for name, c := range map[string]struct {
		dry             string
		links, sites    int
		address, refuse bool
	}{
		"links":               {"links", 0, 0, true, false},
		"sites":               {"sites", 1, 0, true, false},
		"links, no addresses": {"links", 0, 0, false, true},
		"sites, no addresses": {"sites", 1, 0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				for i := range 8 {
					d := decision(fmt.Sprint("user", i))
					d.Pools, d.IPv6Pools = nil, []string{c.dry}
					r.people.set(d.Account, d)
					r.mustLogin("nas", d.Account)
				}
				d := six("ann")
				if !c.address {
					d.Pools = nil
				}
				r.people.set("ann", d)
				_, got, err := r.login("nas", "ann")
				if no := (*aaa.Rejection)(nil); c.refuse != errors.As(err, &no) || c.refuse && no.Cause != aaa.NoAddress {
					t.Fatalf("%v", err)
				}
				if len(got.IPv6.Prefixes) != c.links || len(got.IPv6.Delegated) != c.sites || got.Address.IsValid() != c.address {
					t.Errorf("%+v", got)
				}
				if n := r.Stats().Logins; n != 8 && c.refuse || n != 9 && !c.refuse {
					t.Errorf("%d logins", n)
				}
			})
		})
	}
}

// What a decision says by itself goes to the NAS as it is.
func TestPrefixesThatAreNotLent(t *testing.T) {
	own := netip.MustParsePrefix("2001:db8:ff::/64")
	for name, c := range map[string]struct {
		client string
		change func(*aaa.Decision)
		is     func(*aaa.Decision) bool
	}{
		"a prefix of the account's own": {"nas", func(d *aaa.Decision) { d.IPv6.Prefixes = []netip.Prefix{own} }, func(d *aaa.Decision) bool {
			return d.IPv6.Prefixes[0] == own && !d.Lent.Prefix.IsValid() && d.Lent.Delegated.IsValid()
		}},
		"a NAS with pools of these names": {"bras", func(*aaa.Decision) {}, func(d *aaa.Decision) bool {
			return len(d.IPv6.Prefixes) == 0 && d.IPv6Pools[0] == "links" && d.DelegatedPools[0] == "sites"
		}},
		"a NAS without addresses": {"wifi", func(*aaa.Decision) {}, func(d *aaa.Decision) bool {
			return len(d.IPv6.Prefixes) == 0 && d.IPv6Pools == nil && d.DelegatedPools == nil
		}},
		"a pool of the account's own": {"nas", func(d *aaa.Decision) {
			d.IPv6.Pool, d.IPv6Pools = "links", []string{"links"}
		}, func(d *aaa.Decision) bool { return d.IPv6.Pool == "" && d.Lent.Prefix.IsValid() }},
		"a pool that only the NAS knows": {"nas", func(d *aaa.Decision) {
			d.IPv6.Pool, d.IPv6Pools = "theirs", []string{"theirs"}
		}, func(d *aaa.Decision) bool { return d.IPv6.Pool == "theirs" && d.Lent.Delegated.IsValid() }},
		"a pool of single addresses": {"nas", func(d *aaa.Decision) { d.DelegatedPools = []string{"p"} }, func(d *aaa.Decision) bool {
			return d.Lent.Prefix.IsValid() && len(d.IPv6.Delegated) == 0
		}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				d := six("ann")
				c.change(&d)
				r.people.set("ann", d)
				if _, got := r.mustLogin(c.client, "ann"); !c.is(&got) {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// Who asks again keeps what it has: before its Start, and when it lives.
func TestALoginThatAsksAgainKeepsItsPrefixes(t *testing.T) {
	run(t, func(r *rig) {
		r.people.set("ann", six("ann"))
		q, first := r.mustLogin("nas", "ann")
		for range 2 {
			d, err := r.auth.Authenticate(r.Context(), q)
			if err != nil || d.Lent != first.Lent || d.Address != first.Address || len(d.IPv6.Prefixes) != 1 {
				t.Fatalf("%+v, %v", d, err)
			}
			r.tell(startOf(q, d))
		}
		if leases, _ := r.pools.Leases(r.Context()); len(leases) != 3 {
			t.Errorf("%+v", leases)
		}
	})
}

// A NAS that gives prefixes of its own gets ours back at once, and what it has is nobody's business here.
func TestANASWithPrefixesOfItsOwn(t *testing.T) {
	run(t, func(r *rig) {
		r.people.set("ann", six("ann"))
		q, d := r.mustLogin("nas", "ann")
		start := startOf(q, d)
		start.IPv6 = aaa.RecordIPv6{Prefix: netip.MustParsePrefix("2001:db8:ff::/64"), Delegated: netip.MustParsePrefix(firstSite + "/60")}
		r.tell(start)
		r.pass(time.Minute)
		r.tell(later(start, aaa.RecordInterim))
		leases, _ := r.pools.Leases(r.Context())
		if len(leases) != 2 || leases[1].Prefix() != d.Lent.Delegated { // a part of what was lent is that
			t.Errorf("%+v", leases)
		}
		if s := r.Stats(); s.Moved != 1 || s.Conflicts != 0 || s.Owed != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// After a restart, with pools in memory, prefixes of sessions that live and those that are offered are not free.
func TestPrefixesAfterARestart(t *testing.T) {
	run(t, func(r *rig) {
		r.people.set("ann", six("ann"))
		r.people.set("bob", six("bob"))
		start := r.open("nas", "ann")
		q, offered := r.mustLogin("nas", "bob")
		r.restart()
		leases, _ := r.pools.Leases(r.Context())
		if len(leases) != 6 || leases[2].PrefixLength != 64 || leases[4].PrefixLength != 56 {
			t.Fatalf("%+v", leases)
		}
		bob := startOf(q, offered)
		r.tell(bob)
		r.pass(5 * time.Minute)
		start.IPv6 = aaa.RecordIPv6{} // the NAS does not tell
		r.tell(later(start, aaa.RecordInterim))
		r.expires(firstLink, 17*time.Minute)
		r.tell(later(start, aaa.RecordStop))
		r.tell(later(bob, aaa.RecordStop))
		if leases, _ := r.pools.Leases(r.Context()); len(leases) > 0 {
			t.Errorf("%+v", leases)
		}
	})
}

// A Start that comes when the prefix has gone to somebody else ends the session: two must not have it.
func TestAPrefixThatIsAnothersByNow(t *testing.T) {
	run(t, func(r *rig) {
		d := six("ann")
		d.Pools, d.DelegatedPools = nil, nil
		r.people.set("ann", d)
		d.Account = "bob"
		r.people.set("bob", d)
		q, got := r.mustLogin("nas", "ann")
		start := startOf(q, got)
		r.pass(111 * time.Second) // its offer has run out
		for range 8 {
			q, d := r.mustLogin("nas", "bob")
			r.tell(startOf(q, d))
		}
		r.tell(start)
		if told := r.nases.orders(); len(told) != 1 || told[0].Session.Session != q.Session || told[0].Kind != foreign.Disconnect {
			t.Errorf("%+v", told)
		}
	})
}

// A session without our Class is found by what it was lent.
func TestASessionIsFoundByItsPrefix(t *testing.T) {
	run(t, func(r *rig) {
		d := six("ann")
		d.Pools, d.DelegatedPools = nil, nil
		r.people.set("ann", d)
		q, got := r.mustLogin("nas", "ann")
		start := startOf(q, got)
		start.Session, start.Domain = "nas/"+start.NAS.Session, ""
		r.tell(start)
		if l := r.pools.lease(r, firstLink); l.Holder != start.Session || r.Stats().Logins != 0 {
			t.Errorf("%+v %+v", l, r.Stats())
		}
		if got := r.books.last(r); got.Domain != "d" || got.IPv6.Prefix != got.IPv6.Prefix.Masked() {
			t.Errorf("%+v", got)
		}
	})
}

// A NAS that does not hear us does not empty a pool of prefixes. Whoever has an address of its own goes without them then.
func TestPrefixesForANASThatHearsNothing(t *testing.T) {
	for _, fixed := range []bool{true, false} {
		run(t, func(r *rig) {
			d := six("ann")
			d.Pools, d.DelegatedPools = nil, nil
			if fixed {
				d.Address = netip.MustParseAddr("10.0.0.5")
			}
			r.people.set("ann", d)
			in, lent := 0, 0
			q := request("nas", "ann", 1)
			for i := range 7 {
				q.Session = fmt.Sprintf("nas/%06d", i)
				if d, err := r.auth.Authenticate(r.Context(), q); err == nil {
					in++
					lent += len(d.IPv6.Prefixes)
				}
				r.pass(12 * time.Second)
			}
			if leases, _ := r.pools.Leases(r.Context()); lent >= 7 || fixed && in != 7 || !fixed && in != lent || len(leases) > 6 {
				t.Errorf("let in %d, with prefixes %d; %+v", in, lent, leases)
			}
		})
	}
}

// No NAS can change a prefix while a session is up: a session that is to have others is ended.
func TestChangedPrefixesAreFollowed(t *testing.T) {
	one, other := netip.MustParsePrefix("2001:db8:ff::/56"), netip.MustParsePrefix("2001:db8:fe::/56")
	part := netip.MustParsePrefix("2001:db8:ff:7::/64") // that the NAS made of the one
	own := func(link, site netip.Prefix) func(*aaa.Decision) {
		return func(d *aaa.Decision) {
			d.IPv6 = aaa.IPv6{Prefixes: []netip.Prefix{link}, Delegated: []netip.Prefix{site}}
		}
	}
	none := func(*aaa.Decision) {}
	for name, c := range map[string]struct {
		client        string
		before, after func(*aaa.Decision)
		reason        string
	}{
		"nothing":                {"nas", own(one, other), own(one, other), ""},
		"lent, as before":        {"nas", none, none, ""},
		"the link's":             {"nas", own(one, other), own(other, other), "its IPv6 prefix is now 2001:db8:fe::/56"},
		"the delegated one":      {"nas", own(one, other), own(one, one), "its delegated IPv6 prefix is now 2001:db8:ff::/56"},
		"its own instead of one": {"nas", none, own(one, other), "its IPv6 prefix is now 2001:db8:ff::/56"},
		"none any more":          {"nas", own(one, other), none, "it has no IPv6 prefix of its own any more"},
		"by name":                {"bras", own(one, other), own(other, other), "its IPv6 prefix is now 2001:db8:fe::/56"},
		"where it has none":      {"wifi", own(one, other), own(other, other), ""},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				d := six("ann")
				c.before(&d)
				r.people.set("ann", d)
				q, got := r.mustLogin(c.client, "ann")
				start := startOf(q, got)
				if len(d.IPv6.Prefixes) > 0 {
					start.IPv6 = aaa.RecordIPv6{Prefix: part, Delegated: d.IPv6.Delegated[0]}
				}
				r.tell(start)
				d = six("ann")
				c.after(&d)
				r.people.set("ann", d)
				for range 2 {
					r.reauthorize(foreign.Query{Account: "ann"})
				}
				told := r.nases.orders()
				if c.reason == "" && len(told) == 0 {
					return
				}
				if len(told) != 1 || told[0].Kind != foreign.Disconnect || told[0].Reason != c.reason || told[0].Session.Session != start.Session {
					t.Errorf("told %+v, want %q", told, c.reason)
				}
			})
		})
	}
}

// A pool of addresses that somebody names for prefixes too gives the address once more, which stays with its session.
func TestAPoolOfAddressesIsNoneOfPrefixes(t *testing.T) {
	for _, of := range []string{"link", "delegated"} {
		run(t, func(r *rig) {
			d := decision("ann")
			if d.IPv6Pools = []string{"p"}; of == "delegated" {
				d.IPv6Pools, d.DelegatedPools = []string{"links"}, []string{"p"}
			}
			r.people.set("ann", d)
			start := r.open("nas", "ann")
			r.pass(10 * time.Second)
			if h := r.pools.holder(t, start.Address.String()); h != start.Session {
				t.Errorf("%s: %s of %s is of %q", of, start.Address, start.Session, h)
			}
		})
	}
}

// A pool that both prefixes may come from gives one of them; the other comes from the next.
func TestAPoolOfBothPrefixesGivesOne(t *testing.T) {
	for _, pools := range [][2][]string{{{"links"}, {"links", "sites"}}, {{"sites", "links"}, {"sites", "links"}}} {
		run(t, func(r *rig) {
			d := decision("ann")
			d.IPv6Pools, d.DelegatedPools = pools[0], pools[1]
			r.people.set("ann", d)
			q, granted := r.mustLogin("nas", "ann")
			lent := granted.Lent
			if !lent.Prefix.IsValid() || !lent.Delegated.IsValid() || lent.Prefix.Bits() == lent.Delegated.Bits() {
				t.Fatalf("of %v it has %+v", pools, lent)
			}
			again, err := r.auth.Authenticate(r.Context(), q)
			if err != nil || again.Lent != lent {
				t.Errorf("when it asks again it has %+v: %v, and had %+v", again.Lent, err, lent)
			}
			r.tell(startOf(q, again))
			r.pass(time.Minute)
			for _, has := range []netip.Prefix{lent.Prefix, lent.Delegated} {
				if h := r.pools.holder(t, has.Addr().String()); h != q.Session {
					t.Errorf("%v is of %q", has, h)
				}
			}
		})
	}
}
