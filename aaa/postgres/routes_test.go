package postgres

import (
	"net/netip"
	"testing"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

// An account's networks go before its profile's, also when they are none.
func TestRoutesOfAnAccountAndItsProfile(t *testing.T) {
	pool := pgtest.New(t)
	b := New(pool, Config{})
	run(t, pool, `INSERT INTO profiles (name, routes) VALUES ('branch', '{192.168.9.0/24}')`)
	run(t, pool, `INSERT INTO accounts (name, password, profile, routes) VALUES ('a', 'x', 'branch', NULL), ('b', 'x', 'branch', '{192.168.50.0/24,10.8.0.0/16}'),
		('c', 'x', 'branch', '{}'), ('d', 'x', NULL, NULL)`)
	for name, want := range map[string]string{"a": "192.168.9.0/24 ", "b": "192.168.50.0/24 10.8.0.0/16 ", "c": "", "d": ""} {
		first, err := authorize(b, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := behindIt(first.Routes); got != want {
			t.Errorf("%s: %q behind it, want %q", name, got, want)
		}
		if len(first.Routes) > 0 { // a grant is nobody else's
			first.Routes[0].Prefix = netip.Prefix{}
		}
		second, err := authorize(b, name)
		if err != nil || behindIt(second.Routes) != want {
			t.Errorf("%s, again: %v %v", name, second.Routes, err)
		}
	}
}

// behindIt lists the networks of routes that say nothing else.
func behindIt(routes []aaa.Route) (all string) {
	for _, r := range routes {
		all += r.Prefix.String() + " "
	}
	return all
}
