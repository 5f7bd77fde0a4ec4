package postgres

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

func TestFiltersOfTheDatabase(t *testing.T) {
	pool := pgtest.New(t)
	b := New(pool, Config{})
	run(t, pool, `INSERT INTO filters (name) VALUES ('shut'); INSERT INTO filters (name, default_action) VALUES ('open', 'allow')`)
	run(t, pool, `INSERT INTO filter_rules (filter, action, direction, network, protocol, ports) VALUES ('open', 'deny', 'up', '10.1.0.0/16', 'tcp', '{25,8000-8100}')`)
	run(t, pool, `INSERT INTO filter_rules (filter, action, protocol, types) VALUES ('open', 'deny', 'icmp', '{5}')`)
	run(t, pool, `INSERT INTO filter_rules (filter, ordinal, action, protocol, established) VALUES ('open', 5, 'allow', 'tcp', true)`)
	got, err := b.Filters(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := []Filter{
		{Name: "open", DefaultAction: "allow", Rules: []FilterRule{
			{Action: "allow", Direction: "both", Protocol: "tcp", Established: true},
			{Action: "deny", Direction: "up", Network: netip.MustParsePrefix("10.1.0.0/16"), Protocol: "tcp", Ports: []string{"25", "8000-8100"}},
			{Action: "deny", Direction: "both", Protocol: "icmp", Types: []uint8{5}},
		}},
		{Name: "shut", DefaultAction: "deny"},
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

// An account's filter goes before its profile's; the domain's comes with the domain, beside where its records go.
func TestFilterOfAnAccountAndItsDomain(t *testing.T) {
	pool := pgtest.New(t)
	b := New(pool, Config{})
	run(t, pool, `INSERT INTO domains (name, filter, accounting) VALUES ('d.example', 'all', '{radius,postgres}')`)
	run(t, pool, `INSERT INTO profiles (name, filter) VALUES ('gold', 'wide')`)
	run(t, pool, `INSERT INTO accounts (name, password, profile) VALUES ('a@d.example', 'x', 'gold')`)
	run(t, pool, `INSERT INTO accounts (name, password, profile, filter) VALUES ('b@d.example', 'x', 'gold', 'own')`)
	for name, filter := range map[string]string{"a@d.example": "wide", "b@d.example": "own"} {
		id, err := aaa.ParseIdentity(name)
		if err != nil {
			t.Fatal(err)
		}
		g, err := b.Authorize(context.Background(), &aaa.Query{Request: &aaa.Request{Name: name}, Identity: id, Domain: "d.example"})
		if err != nil || g.Filter != filter {
			t.Errorf("%s: filter %q, %v", name, g.Filter, err)
		}
	}
	domains, err := b.Domains(context.Background())
	if err != nil || len(domains) != 1 {
		t.Fatal(domains, err)
	}
	if d := domains[0]; d.Filter != "all" || len(d.Accounting) != 2 || d.Accounting[0] != "radius" {
		t.Errorf("%+v", d)
	}
}
