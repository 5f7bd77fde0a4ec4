package migrations_test

import (
	"fmt"
	"slices"
	"testing"
)

func TestEveryChangeIsAnnouncedAndRecorded(t *testing.T) {
	for _, c := range []struct {
		name, before, statement string
		heard                   []notice
		audit                   string // action, table and key of what was recorded
	}{
		{"domain", "", "INSERT INTO domains(name) VALUES ('A')", []notice{{Table: "domains", Op: "insert", Key: "a"}}, "INSERT domains a"},
		{"domain changed", sales, "UPDATE domains SET blocked = true", []notice{{Table: "domains", Op: "update", Key: "sales.example"}}, "UPDATE domains sales.example"},
		{"no change", sales, "UPDATE domains SET blocked = false", nil, ""},
		{"no row", sales, "DELETE FROM domains WHERE name = 'x'", nil, ""},
		{"alias", sales, "INSERT INTO domain_aliases(alias, domain) VALUES ('x', 'sales.example')", []notice{{Table: "domain_aliases", Op: "insert", Key: "sales.example"}}, "INSERT domain_aliases sales.example"},
		{"account", "", "INSERT INTO accounts(name) VALUES ('bob')", []notice{{Table: "accounts", Op: "insert", Key: "bob"}}, "INSERT accounts bob"},
		{"account disabled", sales, "UPDATE accounts SET disabled = true", []notice{{Table: "accounts", Op: "update", Key: "alice@sales.example"}}, "UPDATE accounts alice@sales.example"},
		{"account deleted", sales, "DELETE FROM accounts", []notice{{Table: "accounts", Op: "delete", Key: "alice@sales.example"}}, "DELETE accounts alice@sales.example"},
		{"account renamed", "INSERT INTO accounts(name) VALUES ('old')", "UPDATE accounts SET name = 'new'",
			[]notice{{Table: "accounts", Op: "update", Key: "new"}, {Table: "accounts", Op: "update", Key: "old"}}, "UPDATE accounts new"},
		{"credential", sales, "INSERT INTO credentials(account, kind, value) VALUES ('alice@sales.example', 'crypt', '$1$')",
			[]notice{{Table: "credentials", Op: "insert", Key: "alice@sales.example"}}, "INSERT credentials alice@sales.example"},
		{"profile", "", "INSERT INTO profiles(name) VALUES ('gold')", []notice{{Table: "profiles", Op: "insert", Key: "gold"}}, "INSERT profiles gold"},
		{"pool", sales, "UPDATE pools SET draining = true", []notice{{Table: "pools", Op: "update", Key: "sales"}}, "UPDATE pools sales"},
		{"range", sales, "INSERT INTO pool_ranges(pool, range) VALUES ('sales', '10.21.0.0/24')", []notice{{Table: "pool_ranges", Op: "insert", Key: "sales"}}, "INSERT pool_ranges sales"},
		{"range deleted", sales, "DELETE FROM pool_ranges", []notice{{Table: "pool_ranges", Op: "delete", Key: "sales"}}, "DELETE pool_ranges sales"},
		{"pool of a domain", sales, "DELETE FROM domain_pools", []notice{{Table: "domain_pools", Op: "delete", Key: "sales.example"}}, "DELETE domain_pools sales.example"},
		{"static address", sales, "INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '10.20.0.7')",
			[]notice{{Table: "static_addresses", Op: "insert", Key: "alice@sales.example"}}, "INSERT static_addresses alice@sales.example"},
		{"cascade", sales + "INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '10.20.0.7')", "DELETE FROM accounts",
			[]notice{{Table: "accounts", Op: "delete", Key: "alice@sales.example"}, {Table: "static_addresses", Op: "delete", Key: "alice@sales.example"}},
			"DELETE accounts alice@sales.example DELETE static_addresses alice@sales.example"},
		{"filter", "", "INSERT INTO filters(name) VALUES ('f')", []notice{{Table: "filters", Op: "insert", Key: "f"}}, "INSERT filters f"},
		{"rule of a filter", "INSERT INTO filters(name) VALUES ('f')", "INSERT INTO filter_rules(filter, action) VALUES ('f', 'allow')",
			[]notice{{Table: "filter_rules", Op: "insert", Key: "f"}}, "INSERT filter_rules f"},
		{"truncate", sales, "TRUNCATE static_addresses", []notice{{Table: "static_addresses", Op: "delete", All: true}}, "TRUNCATE static_addresses "},
		{"bulk of a hundred", "", "INSERT INTO accounts(name) SELECT 'u' || n FROM generate_series(1, 100) n", hundred(), "100 changes"},
		{"bulk", "", "INSERT INTO accounts(name) SELECT 'u' || n FROM generate_series(1, 101) n", []notice{{Table: "accounts", Op: "insert", All: true}}, "101 changes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := open(t, c.before)
			db.do("TRUNCATE audit")
			ears := listen(db)
			db.do(c.statement)
			heard := ears.heard()
			slices.SortFunc(heard, func(a, b notice) int {
				return slices.Compare([]string{a.Table, a.Key}, []string{b.Table, b.Key})
			})
			if !slices.Equal(heard, c.heard) {
				t.Errorf("heard %+v, want %+v", heard, c.heard)
			}
			db.is(c.audit, `SELECT CASE WHEN count(*) > 9 THEN count(*) || ' changes'
				ELSE string_agg(action || ' ' || table_name || ' ' || key, ' ' ORDER BY table_name) END FROM audit`)
		})
	}
}

func hundred() []notice {
	var list []notice
	for n := range 100 {
		list = append(list, notice{Table: "accounts", Op: "insert", Key: fmt.Sprint("u", n+1)})
	}
	slices.SortFunc(list, func(a, b notice) int { return slices.Compare([]string{a.Key}, []string{b.Key}) })
	return list
}

func TestHotTablesAnnounceNothing(t *testing.T) {
	db := open(t, "TRUNCATE audit")
	ears := listen(db)
	db.do(`INSERT INTO nodes(name) VALUES ('n'); UPDATE nodes SET heartbeat_at = now();
		INSERT INTO leases(address, holder, node, epoch) VALUES ('10.0.0.1', 's', 'n', 1);
		INSERT INTO sessions(id, node, epoch, name, account) VALUES ('s', 'n', 1, 'a', 'a');
		INSERT INTO accounting(session, started_at, node, name, account) VALUES ('s', now(), 'n', 'a', 'a');
		INSERT INTO logins(attempt, verdict, name, node) VALUES ('1', 'granted', 'a', 'n');
		INSERT INTO pool_blocks(routing_context, pool, first_address, last_address) VALUES ('default', 'p', '10.0.0.0', '10.0.0.1')`)
	if heard := ears.heard(); heard != nil {
		t.Errorf("heard %v", heard)
	}
	db.is("0", "SELECT count(*) FROM audit")
}

func TestRollbackAnnouncesAndRecordsNothing(t *testing.T) {
	db := open(t)
	ears := listen(db)
	db.do("BEGIN; INSERT INTO pools(name) VALUES ('x'); ROLLBACK")
	if heard := ears.heard(); heard != nil {
		t.Errorf("heard %v", heard)
	}
	db.is("0", "SELECT count(*) FROM audit")
}

func TestAuditTellsWhoAndWhatWithoutSecrets(t *testing.T) {
	db := open(t, sales, "TRUNCATE audit", "SET application_name = 'psql'; UPDATE accounts SET password = 'geheim', disabled = true",
		"INSERT INTO credentials(account, kind, value) VALUES ('alice@sales.example', 'crypt', '$1$geheim')",
		"UPDATE credentials SET value = '$1$geheimer'", "UPDATE accounts SET password = NULL", "DELETE FROM accounts")
	db.is("postgres|(set)|(set)|false|true", `SELECT actor, before ->> 'password', after ->> 'password', before ->> 'disabled', after ->> 'disabled'
		FROM audit ORDER BY id LIMIT 1`)
	db.is("(set)|", "SELECT before ->> 'password', after ->> 'password' FROM audit WHERE action = 'UPDATE' AND table_name = 'accounts' ORDER BY id DESC LIMIT 1")
	db.is("UPDATE|crypt|crypt", "SELECT action, before ->> 'kind', after ->> 'kind' FROM audit WHERE table_name = 'credentials' AND action = 'UPDATE'")
	db.is("0", `SELECT count(*) FROM audit WHERE to_jsonb(audit)::text ~ 'geheim|secret|\\x'`)
	db.is("6", "SELECT count(*) FROM audit")
	db.is("t", "SELECT bool_and(at BETWEEN now() - interval '1 minute' AND clock_timestamp()) FROM audit")
	db.is("psql", "SELECT application FROM audit ORDER BY id LIMIT 1")
}

func TestBulkImportIsRecordedRowByRowAndAnnouncedOnce(t *testing.T) {
	db := open(t, sales)
	ears := listen(db)
	db.do("INSERT INTO accounts(name, password) SELECT 'u' || n || '@sales.example', 'x' FROM generate_series(1, 20000) n")
	db.do("UPDATE accounts SET rate_up = 1000000")
	db.is("40002", "SELECT count(*) FROM audit WHERE table_name = 'accounts'")
	if heard := ears.heard(); len(heard) != 2 || !heard[0].All || !heard[1].All {
		t.Errorf("heard %d notices", len(heard))
	}
}
