package migrations_test

import (
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/pool"
)

func TestAccountsFindTheirDomain(t *testing.T) {
	db := open(t, sales, "INSERT INTO domain_aliases(alias, domain) VALUES ('verkauf', 'sales.example'); INSERT INTO domains(name) VALUES ('b')")
	for name, want := range map[string]string{
		"bob": "", "bob@SALES.Example": "sales.example", "bob@Verkauf": "sales.example", "a@b@sales.example": "sales.example",
		`verkauf\bob`: "sales.example", `x\y\bob@b`: "b", "sales.example@b": "b",
	} {
		db.do("INSERT INTO accounts(name) VALUES ($1)", name)
		db.is(want, "SELECT domain FROM accounts WHERE name = $1", name)
	}
	db.do("UPDATE accounts SET domain = 'b' WHERE name = 'bob@Verkauf'")
	db.is("sales.example", "SELECT domain FROM accounts WHERE name = 'bob@Verkauf'")
	db.do("UPDATE accounts SET name = 'rob@b' WHERE name = 'bob@Verkauf'")
	db.is("b", "SELECT domain FROM accounts WHERE name = 'rob@b'")
}

// The database and the gateway take names apart alike.
func TestDomainOfIsTheGateways(t *testing.T) {
	db := open(t)
	for _, name := range []string{"a", "a@b", "a@B.c", "a@b@c", `d\a`, `D\e\a`, `d\a@B`, "ä@BÜRO"} {
		id, err := aaa.ParseIdentity(name)
		if err != nil {
			t.Fatal(err)
		}
		db.is(id.Domain, "SELECT domain_of($1)", name)
	}
}

// The database and the pools read ranges alike.
func TestParseRangeIsThePools(t *testing.T) {
	db := open(t)
	for _, s := range []string{"10.1.0.0/24", "10.1.0.0/30", "10.1.0.0/31", "10.1.0.1", "10.1.0.0/32", "10.1.0.5-10.1.0.9", "0.0.0.0/0", "2001:db8::/64", "2001:db8::/127", "2001:db8::1-2001:db8::f"} {
		include, err := pool.ParseRange(s)
		if err != nil {
			t.Fatal(err)
		}
		exclude, err := pool.ParseExclusion(s)
		if err != nil {
			t.Fatal(err)
		}
		for kind, r := range map[string]pool.Range{"include": include, "exclude": exclude} {
			db.is(r.First.String()+"|"+r.Last.String(), "SELECT lower(r), upper(r) FROM parse_range($1, $2) r", s, kind)
		}
	}
}

func TestRenamedDomainKeepsItsPeople(t *testing.T) {
	db := open(t, sales, "UPDATE domains SET name = 'Vertrieb'")
	db.is("vertrieb", "SELECT domain FROM accounts")
	db.is("vertrieb", "SELECT domain FROM domain_pools")
	db.is("sales.example|vertrieb", "SELECT * FROM domain_aliases")
	db.do("INSERT INTO accounts(name) VALUES ('bob@sales.example')")
	db.refused(orphan, "domain_aliases_in_use", "DELETE FROM domain_aliases")
	db.refused(orphan, "domain_aliases_in_use", "UPDATE domain_aliases SET alias = 'x'")
	db.do("UPDATE accounts SET name = replace(name, '@sales.example', '@vertrieb')")
	db.do("DELETE FROM domain_aliases")
	db.do("UPDATE domains SET name = 'sales.example'; UPDATE domains SET description = 'x'")
	db.do("DELETE FROM accounts; UPDATE domains SET name = 'third'")
	db.is("vertrieb", "SELECT string_agg(alias, ' ') FROM domain_aliases")
	db.do("DELETE FROM domains")
	db.is("0", "SELECT count(*) FROM domain_aliases")
}

func TestPoolsOfADomainAreNumbered(t *testing.T) {
	db := open(t, sales, `INSERT INTO pools(name) VALUES ('b'), ('c');
		INSERT INTO domain_pools(domain, pool) VALUES ('Sales.example', 'b'), ('sales.example', 'c')`)
	db.is("sales|1 b|2 c|3", "SELECT pool, ordinal FROM domain_pools ORDER BY ordinal")
	// Two may change places in one statement.
	db.do("UPDATE domain_pools SET ordinal = 3 - ordinal WHERE ordinal < 3")
	db.is("b|1 sales|2 c|3", "SELECT pool, ordinal FROM domain_pools ORDER BY ordinal")
	db.refused(taken, "domain_pools_domain_ordinal_key", "UPDATE domain_pools SET ordinal = 1")
}

func TestChangedAtFollowsChanges(t *testing.T) {
	db := open(t, sales, "INSERT INTO profiles(name) VALUES ('gold'); INSERT INTO credentials(account, kind, value) VALUES ('alice@sales.example', 'crypt', '$1$')")
	for table, set := range map[string]string{
		"domains": "mtu = 1400", "accounts": "mtu = 1400", "profiles": "mtu = 1400", "pools": "sticky = false", "credentials": "value = '$2$'",
	} {
		db.do("UPDATE " + table + " SET changed_at = '2020-01-01'")
		db.is("t", "SELECT changed_at > '2021-01-01' FROM "+table)
		db.do("UPDATE " + table + " SET " + set)
		db.is("t", "SELECT changed_at > now() - interval '1 minute' FROM "+table)
	}
}

func TestSetPassword(t *testing.T) {
	db := open(t, sales, "INSERT INTO credentials(account, kind, value) VALUES ('alice@sales.example', 'crypt', '$1$old')")
	set := func(password string) string {
		t.Helper()
		return text(t, db.Pool, "SELECT set_password('alice@sales.example', $1)", password)
	}
	if got := set("new"); !strings.Contains(got, "accounts.password") {
		t.Errorf("with any method: %s", got)
	}
	db.is("new|0", "SELECT password, (SELECT count(*) FROM credentials) FROM accounts")

	db.do("UPDATE domains SET methods = '{pap}'")
	if got := set("newer"); !strings.Contains(got, "bcrypt") {
		t.Errorf("with pap only: %s", got)
	}
	db.is("|bcrypt|t|f", `SELECT a.password, c.kind, crypt('newer', convert_from(c.value, 'UTF8')) = convert_from(c.value, 'UTF8'),
		crypt('new', convert_from(c.value, 'UTF8')) = convert_from(c.value, 'UTF8') FROM accounts a JOIN credentials c ON c.account = a.name`)

	// bcrypt looks at 72 octets; the rest must not be ignored.
	long := strings.Repeat("ä", 37)
	if got := set(long); !strings.Contains(got, "accounts.password") {
		t.Errorf("74 octets: %s", got)
	}
	db.is(long+"|0", "SELECT password, (SELECT count(*) FROM credentials) FROM accounts")

	db.do("UPDATE domains SET methods = '{pap,chap}'")
	if got := set("x"); !strings.Contains(got, "accounts.password") {
		t.Errorf("with chap: %s", got)
	}
	db.do("INSERT INTO accounts(name) VALUES ('carol'); SELECT set_password('carol', 'x')")
	db.is("x", "SELECT password FROM accounts WHERE name = 'carol'")
	db.refused(noValue, "", "SELECT set_password('carol', '')")
	db.refused(noValue, "", "SELECT set_password('carol', NULL)")
	db.refused(noData, "", "SELECT set_password('nobody', 'x')")
	db.refused(wrong, "accounts_password", "SELECT set_password('carol', repeat('x', 257))")
}
