package postgres

import (
	"context"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

func TestDomainsMakeAGateway(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO pools (name) VALUES ('p1'), ('p2'), ('p3')`)
	run(t, pool, `INSERT INTO domains (name) VALUES ('plain')`)
	run(t, pool, `INSERT INTO domains (name, blocked, authentication, on_backend_error, methods, virtual_template, dns, nbns, session_timeout, idle_timeout,
			mtu, rate_up, rate_down, max_sessions, max_account_sessions, session_policy, accounting_interim, client_routes, dns_suffix)
		VALUES ('Full.Example', true, '{local,postgres}', 'continue', '{pap,mschapv2}', 'vt2', '{10.0.0.1,10.0.0.2}', '{10.0.0.3}', '8 hours', '15 min',
			1400, 1000000, 5000000000, 100, 2, 'replace', '10 min', '{10.20.0.0/16,192.168.7.0/25}', 'corp.example')`)
	run(t, pool, `INSERT INTO domain_aliases (alias, domain) VALUES ('full', 'full.example'), ('aka', 'full.example')`)
	run(t, pool, `INSERT INTO domain_pools (domain, pool, ordinal) VALUES ('full.example', 'p3', 1), ('full.example', 'p1', 2), ('full.example', 'p2', 3)`)
	b := New(pool, Config{})
	got, err := b.Domains(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ip := netip.MustParseAddr
	want := []aaa.Domain{
		{
			Name: "full.example", Aliases: []string{"aka", "full"}, Chain: []string{"local", "postgres"}, ContinueOnError: true,
			Methods: []aaa.Method{aaa.PAP, aaa.MSCHAPv2}, VirtualTemplate: "vt2", Blocked: true, Pools: []string{"p3", "p1", "p2"},
			DNS: [2]netip.Addr{ip("10.0.0.1"), ip("10.0.0.2")}, NBNS: [2]netip.Addr{ip("10.0.0.3")}, SessionTimeout: 8 * time.Hour,
			IdleTimeout: 15 * time.Minute, MTU: 1400, RateUp: 1000000, RateDown: 5000000000, MaxSessions: 100, AccountSessions: 2,
			SessionPolicy: aaa.ReplaceOld, Interim: 10 * time.Minute, Accounting: []string{},
			ClientRoutes: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("192.168.7.0/25")}, DNSSuffix: "corp.example",
		},
		{Name: "plain", Aliases: []string{}, Chain: []string{"postgres"}, Pools: []string{}, Accounting: []string{}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	for i := range got {
		got[i].Chain = []string{Name}
	}
	if _, err := aaa.NewGateway(aaa.Config{Domains: got, Backends: []aaa.Backend{b}}); err != nil {
		t.Error(err)
	}
}

func TestGapsNameWhatCannotBeChecked(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO domains (name, methods) VALUES ('pap', '{pap}'), ('all', '{}'), ('chap', '{chap}')`)
	run(t, pool, `INSERT INTO accounts (name) VALUES ('a@pap'), ('b@pap'), ('a@all'), ('b@all'), ('nodomain')`)
	run(t, pool, `INSERT INTO accounts (name, password) VALUES ('a@chap', 'x')`)
	run(t, pool, `INSERT INTO credentials (account, kind, value) VALUES ('a@pap', 'argon2id', $1), ('a@all', 'argon2id', $1), ('b@all', 'nt', 'sixteen octets!!')`, []byte(cheapArgon2id))
	got, err := New(pool, Config{}).Gaps(context.Background())
	want := []Gap{
		{"", aaa.CHAP, 1, "nodomain"}, {"", aaa.MSCHAPv2, 1, "nodomain"}, {"", aaa.PAP, 1, "nodomain"},
		{"all", aaa.CHAP, 2, "a@all"}, {"all", aaa.MSCHAPv2, 1, "a@all"}, {"pap", aaa.PAP, 1, "b@pap"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, got\n%+v, want\n%+v", err, got, want)
	}
	if s := got[3].String(); !strings.Contains(s, `domain "all" accepts chap, but the stored passwords of 2 accounts`) {
		t.Error(s)
	}
	if s := got[0].String(); s != `names without a domain may come by chap, but the stored password of "nodomain" cannot check it: do not offer it, or set the password again` {
		t.Error(s)
	}
}

// A node needs no more than the role lnsgate_daemon for all of it.
func TestTheRoleOfANodeIsEnough(t *testing.T) {
	dsn := sharedDSN(t)
	admin := openPool(t, dsn, false)
	run(t, admin, `CREATE ROLE node_of_a_test LOGIN`)
	t.Cleanup(func() { run(t, admin, `DROP ROLE node_of_a_test`) })
	run(t, admin, `GRANT lnsgate_daemon TO node_of_a_test`)
	run(t, admin, `INSERT INTO accounts (name, password) VALUES ('bob', 'x')`)
	pool := openPool(t, pgtest.As(t, dsn, "node_of_a_test"), false)
	ring := NewKeyring(testKeys(t, "k1"))
	mustSeal(t, pool, ring.Get())
	ring.Set(testKeys(t, "k2", "k1"))
	if r, err := NewSealer(pool, ring, quiet).RotateKey(context.Background(), nil); err != nil || r.Resealed != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	b := New(pool, Config{Keys: ring})
	if _, err := login(b, aaa.CHAP, "bob", "x"); err != nil {
		t.Error(err)
	}
	if _, err := login(b, aaa.CHAP, "Bob", "x"); causeOf(err) != aaa.UnknownUser {
		t.Error(err)
	}
	if _, err := b.Domains(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := b.Gaps(context.Background()); err != nil {
		t.Error(err)
	}
	r := joined(t, pool, "n1")
	if err := r.Enter(context.Background(), entry("s1", "bob", "d", 1, 1, aaa.ReplaceOld)); err != nil {
		t.Error(err)
	}
	if err := r.Leave(context.Background(), "s1"); err != nil {
		t.Error(err)
	}
	if err := r.node.Beat(context.Background()); err != nil {
		t.Error(err)
	}
	watch(t, pgtest.As(t, dsn, "node_of_a_test"), r.node)
	a := NewAttempts(pool, quiet)
	background(t, a.Run)
	a.Log(attempt(1))
	until(t, "an attempt is written", 5*time.Second, func() bool { return a.Written() == 1 })
}

// What subscribers are told by DHCP fits into an option, and can be told to Windows.
func TestClientRoutesAreChecked(t *testing.T) {
	pool := sharedPool(t)
	many := make([]string, 32)
	for i := range many {
		many[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24).String()
	}
	run(t, pool, `INSERT INTO domains (name, client_routes) VALUES ('most', $1)`, many[:31])
	run(t, pool, `INSERT INTO domains (name, client_routes) VALUES ('default', '{0.0.0.0/0}')`)
	for _, bad := range []string{"{10.0.0.0/8,10.0.0.0/8}", "{2001:db8::/32}", "{NULL}", "{" + strings.Join(many, ",") + "}"} {
		if _, err := pool.Exec(context.Background(), `INSERT INTO domains (name, client_routes) VALUES ('bad', $1::text::cidr[])`, bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	for _, bad := range []string{"", ".", "a..b", "a b", strings.Repeat("a", 64)} {
		if _, err := pool.Exec(context.Background(), `INSERT INTO domains (name, dns_suffix) VALUES ('bad', $1)`, bad); err == nil {
			t.Errorf("the suffix %q was taken", bad)
		}
	}
}
