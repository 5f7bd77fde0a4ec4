package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

const ipv6Pools = `
INSERT INTO pools (name, prefix_length) VALUES ('links', 64), ('links2', 64), ('homes', 56), ('homes2', 60);
INSERT INTO domains (name, ipv6_pools, delegated_pools, ipv6_dns) VALUES ('sales.example', '{links,links2}', '{homes}', '{2001:db8:f::53}');
INSERT INTO profiles (name, ipv6_pool, ipv6_dns) VALUES ('gold', 'links2', '{2001:db8:f::54,2001:db8:f::55}');
INSERT INTO accounts (name, password) VALUES ('plain@sales.example', 'p');
INSERT INTO accounts (name, password, profile, delegated_pool) VALUES ('gold@sales.example', 'p', 'gold', 'homes2');
INSERT INTO accounts (name, password, profile, ipv6_pool, ipv6_dns) VALUES ('own@sales.example', 'p', 'gold', 'links', '{2001:db8:f::56}');
INSERT INTO static_addresses (account, address, delegated) VALUES ('own@sales.example', '10.0.0.7', false),
    ('own@sales.example', '2001:db8:0:7::/64', false), ('own@sales.example', '2001:db8:1:700::/56', true)`

func TestAccountsAndDomainsSayWhatTheyGetOfIPv6(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, ipv6Pools)
	b := New(pool, Config{})
	domains, err := b.Domains(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(domains[0].IPv6Pools, domains[0].DelegatedPools, domains[0].IPv6DNS); got != "[links links2] [homes] [2001:db8:f::53]" {
		t.Errorf("the domain has %s", got)
	}
	for name, want := range map[string]string{
		"plain@sales.example": "invalid IP [] [] / []",
		"gold@sales.example":  "invalid IP [] [] links2/homes2 [2001:db8:f::54 2001:db8:f::55]",
		"own@sales.example":   "10.0.0.7 [2001:db8:0:7::/64] [2001:db8:1:700::/56] links/ [2001:db8:f::56]",
	} {
		a, err := b.lookup(context.Background(), &aaa.Query{Request: &aaa.Request{}, Identity: aaa.Identity{Raw: name}, Domain: "sales.example"})
		if err != nil {
			t.Fatal(err)
		}
		g := a.yes("")
		if got := fmt.Sprint(g.Address, g.IPv6.Prefixes, g.IPv6.Delegated, " ", g.IPv6.Pool, "/", g.IPv6.DelegatedPool, " ", g.IPv6.DNS); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
}

func TestRecordsAndAttemptsSayWhatASessionHadOfIPv6(t *testing.T) {
	pool := sharedPool(t)
	addNode(t, pool, "n1", 1, "0")
	six := aaa.RecordIPv6{Prefix: netip.MustParsePrefix("2001:db8:0:7::/64"), Delegated: netip.MustParsePrefix("2001:db8:1:700::/56")}
	start := time.Now().Add(-time.Minute)
	record := aaa.Record{Kind: aaa.RecordStart, Session: "s", Node: "n1", Sequence: 1, Started: start, At: start, Name: "a", Account: "a", IPv6: six}
	r := NewRecorder(pool, func() int64 { return 1 })
	for i, id := range []uint64{0, 0x0200_5eff_fe00_5301, 0} { // it is agreed later than the records begin, and not said for ever
		record.Sequence, record.IPv6.InterfaceID = uint32(i+1), id
		if err := r.Write(context.Background(), []aaa.Record{record}); err != nil {
			t.Fatal(err)
		}
		record.Kind = aaa.RecordInterim
	}
	const want = "2001:db8:0:7::/64 2001:db8:1:700::/56 200:5eff:fe00:5301"
	for _, table := range []string{"accounting", "sessions"} {
		if got := one[string](t, pool, "SELECT concat_ws(' ', ipv6_prefix, delegated_prefix, interface_id) FROM "+table); got != want {
			t.Errorf("%s: %s, want %s", table, got, want)
		}
	}
	for _, address := range []string{"2001:db8:0:7::1", "2001:db8:1:7ff::9"} {
		if got := one[string](t, pool, "SELECT account FROM who_had($1::text::inet, now())", address); got != "a" {
			t.Errorf("who had %s: %s", address, got)
		}
	}
	if err := NewAttempts(pool, quiet).insert(t.Context(), []aaa.Attempt{{At: start, Session: "s", Node: "n1", Name: "a", OK: true, IPv6: six}}); err != nil {
		t.Fatal(err)
	}
	book := NewAttemptBook(pool, time.Minute)
	for address, wanted := range map[string]int{"2001:db8:0:7::1": 1, "2001:db8:1:700::": 1, "2001:db8:0:8::1": 0, "10.0.0.1": 0} {
		found, err := book.Find(context.Background(), AttemptQuery{Address: netip.MustParseAddr(address), Limit: 5})
		if err != nil || len(found) != wanted {
			t.Fatalf("%s: %d attempts, %v", address, len(found), err)
		}
		if wanted > 0 && (found[0].IPv6.Prefix != six.Prefix || found[0].IPv6.Delegated != six.Delegated) {
			t.Errorf("%s: %+v", address, found[0].IPv6)
		}
	}
}

func TestIPv6OfFreeRADIUSIsCarriedOver(t *testing.T) {
	found, _ := readRadius(t, radiusSchema, `
INSERT INTO radcheck (username, attribute, op, value) VALUES ('anna', 'Cleartext-Password', ':=', 'p'), ('bert', 'Cleartext-Password', ':=', 'p');
INSERT INTO radreply (username, attribute, op, value) VALUES ('anna', 'Framed-IP-Address', ':=', '10.0.0.7'),
	('anna', 'Framed-IPv6-Prefix', ':=', '2001:db8:0:7::/64'), ('anna', 'Delegated-IPv6-Prefix', ':=', '2001:db8:1:700::/56'),
	('anna', 'DNS-Server-IPv6-Address', '+=', '2001:db8::53'), ('anna', 'DNS-Server-IPv6-Address', '+=', '2001:db8::54'),
	('bert', 'Framed-IPv6-Prefix', ':=', '2001:db8:0:7::/64'), ('bert', 'Delegated-IPv6-Prefix', ':=', '2001:db8::1/56')`)
	dsn := pgtest.DSN(t)
	a, pool := adminAt(t, dsn), openPool(t, dsn, false)
	for range 2 { // the second time changes nothing
		report, err := a.ImportFreeRADIUS(t.Context(), found, Replace, false)
		if err != nil || len(report.Left) != 2 {
			t.Fatalf("%v, %+v", err, report)
		}
		if got := one[string](t, pool, "SELECT concat_ws(' ', addresses, ipv6_prefix, delegated_prefix, ipv6_dns) FROM account_overview WHERE name = 'anna'"); got !=
			"{10.0.0.7} 2001:db8:0:7::/64 2001:db8:1:700::/56 {2001:db8::53,2001:db8::54}" {
			t.Errorf("anna has %s", got)
		}
	}
	if n := one[int](t, pool, "SELECT count(*) FROM static_addresses"); n != 3 {
		t.Errorf("%d fixed addresses", n)
	}
}
