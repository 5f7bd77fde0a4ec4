package migrations_test

import (
	"strings"
	"testing"
)

// SQLSTATEs.
const (
	overlap  = "23P01"
	taken    = "23505"
	wrong    = "23514"
	orphan   = "23503"
	noRange  = "22P02"
	noValue  = "22023"
	noData   = "P0002"
	derived  = "428C9"
	noRights = "42501"
)

func TestObviousColumnsAreEnough(t *testing.T) {
	db := open(t, sales)
	db.is("sales.example|{postgres}|stop|{}|refuse|f", "SELECT name, authentication, on_backend_error, methods, session_policy, blocked FROM domains")
	db.is("sales|default|4|00:01:00|t|f", "SELECT name, routing_context, family, quarantine, sticky, draining FROM pools")
	db.is("10.20.0.1|10.20.0.254|include|default|4", "SELECT first_address, last_address, kind, routing_context, family FROM pool_ranges")
	db.is("sales.example|sales|1", "SELECT domain, pool, ordinal FROM domain_pools")
	db.is("1|sales.example|secret|f", "SELECT id, domain, password, disabled FROM accounts")
}

func TestPostgreSQLRefusesWrongRanges(t *testing.T) {
	db := open(t, sales, `INSERT INTO pools(name) VALUES ('b');
		INSERT INTO pools(name, routing_context) VALUES ('other', 'elsewhere'); INSERT INTO pools(name, family) VALUES ('six', 6)`)
	for _, c := range []struct{ state, constraint, pool, text string }{
		{overlap, "pool_ranges_overlap", "b", "10.20.0.254"},
		{overlap, "pool_ranges_overlap", "b", "10.20.0.0/16"},
		{overlap, "pool_ranges_overlap", "sales", "10.19.255.255-10.20.0.1"},
		{wrong, "pool_ranges_family", "b", "2001:db8::/64"},
		{wrong, "pool_ranges_family", "six", "10.30.0.0/24"},
		{orphan, "pool_ranges_pool_fkey", "nobody", "10.30.0.0/24"},
		{orphan, "pool_ranges_pool_fkey", "nobody", "2001:db8::1"},
		{noRange, "", "b", "10.30.0.1/24"}, {noRange, "", "b", "10.30.0.9-10.30.0.1"}, {noRange, "", "b", "10.30.0.1-::1"},
		{noRange, "", "b", "10.30.0.1-"}, {noRange, "", "b", "a"}, {noRange, "", "b", ""}, {noRange, "", "b", "1.1.1.1-1.1.1.2-1.1.1.3"},
		{taken, "", "sales", "10.20.0.0/24"},
	} {
		db.refused(c.state, c.constraint, "INSERT INTO pool_ranges(pool, range) VALUES ($1, $2)", c.pool, c.text)
	}
	db.refused(wrong, "pool_ranges_kind", "INSERT INTO pool_ranges(pool, range, kind) VALUES ('b', '10.9.9.9', 'maybe')")
	// Whatever is written into a derived column, the range counts.
	db.do("INSERT INTO pool_ranges(pool, range, first_address, prefix_length) VALUES ('b', '10.9.9.9', '10.0.0.1', 7)")
	db.is("10.9.9.9|10.9.9.9|", "SELECT first_address, last_address, prefix_length FROM pool_ranges WHERE range = '10.9.9.9'")
	db.do("DELETE FROM pool_ranges WHERE range = '10.9.9.9'")
	db.refused(overlap, "pool_ranges_overlap", "UPDATE pools SET routing_context = 'default' WHERE name = 'other'; INSERT INTO pool_ranges(pool, range) VALUES ('other', '10.20.0.7')")
	// What is allowed: the same addresses elsewhere, both families, neighbours, exclusions inside.
	db.do(`INSERT INTO pool_ranges(pool, range) VALUES ('other', '10.20.0.0/24'), ('six', '2001:db8::/64'), ('b', '10.20.0.255 - 10.20.1.5')`)
	db.do(`INSERT INTO pool_ranges(pool, range, kind) VALUES ('sales', '10.20.0.0/28', 'exclude')`)
	db.refused(overlap, "pool_ranges_exclude_overlap", `INSERT INTO pool_ranges(pool, range, kind) VALUES ('sales', '10.20.0.15', 'exclude')`)
	db.refused(overlap, "pool_ranges_overlap", "UPDATE pools SET routing_context = 'default' WHERE name = 'other'")
	// A range that moves to another pool takes over what that pool is.
	db.refused(wrong, "pool_ranges_family", "UPDATE pool_ranges SET pool = 'six' WHERE pool = 'b'")
	db.refused(orphan, "pool_ranges_pool_fkey", "UPDATE pool_ranges SET pool = 'nobody' WHERE pool = 'b'")
	db.do("UPDATE pool_ranges SET pool = 'other' WHERE pool = 'b'")
	db.is("elsewhere", "SELECT routing_context FROM pool_ranges WHERE range = '10.20.0.255 - 10.20.1.5'")
	db.refused(wrong, "pool_ranges_family", "UPDATE pools SET family = 6 WHERE name = 'sales'")
}

func TestRangesMeanWhatTheConfigurationMeans(t *testing.T) {
	db := open(t)
	for _, c := range []struct{ text, include, exclude string }{
		{"10.1.0.0/24", "10.1.0.1|10.1.0.254|254", "10.1.0.0|10.1.0.255|256"},
		{"10.1.0.0/30", "10.1.0.1|10.1.0.2|2", "10.1.0.0|10.1.0.3|4"},
		{"10.1.0.0/31", "10.1.0.0|10.1.0.1|2", "10.1.0.0|10.1.0.1|2"},
		{"10.1.0.0/32", "10.1.0.0|10.1.0.0|1", "10.1.0.0|10.1.0.0|1"},
		{"10.1.0.7", "10.1.0.7|10.1.0.7|1", "10.1.0.7|10.1.0.7|1"},
		{" 10.1.0.0 - 10.1.0.255 ", "10.1.0.0|10.1.0.255|256", "10.1.0.0|10.1.0.255|256"},
		{"0.0.0.0/0", "0.0.0.1|255.255.255.254|4294967294", "0.0.0.0|255.255.255.255|4294967296"},
		{"2001:db8::/126", "2001:db8::1|2001:db8::3|3", "2001:db8::|2001:db8::3|4"},
		{"2001:db8::/127", "2001:db8::|2001:db8::1|2", "2001:db8::|2001:db8::1|2"},
		{"2001:db8::/64", "2001:db8::1|2001:db8::ffff:ffff:ffff:ffff|18446744073709551616", "2001:db8::|2001:db8::ffff:ffff:ffff:ffff|18446744073709551616"},
	} {
		for kind, want := range map[string]string{"include": c.include, "exclude": c.exclude} {
			db.is(want, "SELECT lower(r), upper(r), trim_scale(range_size(lower(r), upper(r))) FROM parse_range($1, $2) r", c.text, kind)
		}
	}
}

func TestPostgreSQLRefusesWrongDomains(t *testing.T) {
	db := open(t, sales, "INSERT INTO domain_aliases(alias, domain) VALUES ('Verkauf', 'SALES.example')")
	for _, name := range []string{"", "a b", "a\tb", "a@b", `a\b`, ".a", "a.", "a..b", "a\u00a0b", "a\x01b", strings.Repeat("a", 254)} {
		db.refused(wrong, "domains_name_characters", "INSERT INTO domains(name) VALUES ($1)", name)
		db.refused(wrong, "domain_aliases_characters", "INSERT INTO domain_aliases(alias, domain) VALUES ($1, 'sales.example')", name)
	}
	db.do("INSERT INTO domains(name) VALUES ($1), ('büro'), ('a_b-c.1')", strings.Repeat("a", 253))
	db.refused(taken, "domains_pkey", "INSERT INTO domains(name) VALUES ('SALES.Example')")
	db.refused(taken, "domain_names_unique", "INSERT INTO domains(name) VALUES ('VerKauf')")
	db.refused(taken, "domain_names_unique", "INSERT INTO domain_aliases(alias, domain) VALUES ('sales.EXAMPLE', 'büro')")
	db.refused(orphan, "", "INSERT INTO domain_aliases(alias, domain) VALUES ('x', 'nobody')")
	for constraint, set := range map[string]string{
		"domains_authentication": "authentication = '{}'", "domains_on_backend_error": "on_backend_error = 'hope'",
		"domains_methods": "methods = '{md5}'", "domains_servers": "dns = '{1.1.1.1,1.1.1.2,1.1.1.3}'",
		"domains_timeouts": "idle_timeout = '-1 s'", "domains_mtu": "mtu = 20", "domains_rates": "rate_up = 0",
		"domains_sessions": "max_sessions = -1", "domains_session_policy": "session_policy = 'ask'",
		"domains_accounting_interim": "accounting_interim = '1 s'",
	} {
		db.refused(wrong, constraint, "UPDATE domains SET "+set)
	}
	db.refused(wrong, "domains_servers", "UPDATE domains SET nbns = '{10.0.0.0/24}'")
	db.refused(wrong, "domains_servers", "UPDATE domains SET dns = '{NULL}'")
	db.refused(orphan, "accounts_domain_fkey", "DELETE FROM domains WHERE name = 'sales.example'")
}

func TestPostgreSQLRefusesWrongAccounts(t *testing.T) {
	db := open(t, sales)
	for _, name := range []string{"", "a b", "@sales.example", `sales.example\`, "a..b", "a\nb", strings.Repeat("a", 254)} {
		db.refused(wrong, "accounts_name_characters", "INSERT INTO accounts(name) VALUES ($1)", name)
	}
	db.refused(taken, "accounts_pkey", "INSERT INTO accounts(name) VALUES ('alice@sales.example')")
	db.refused(orphan, "accounts_domain_fkey", "INSERT INTO accounts(name) VALUES ('alice@nowhere')")
	db.refused(orphan, "accounts_domain_fkey", "INSERT INTO accounts(name) VALUES ('alice@')")
	db.refused(orphan, "accounts_profile_fkey", "INSERT INTO accounts(name, profile) VALUES ('x', 'nothing')")
	db.refused(orphan, "accounts_pools_fkey", "INSERT INTO accounts(name, pools) VALUES ('x', '{sales,nothing}')")
	db.refused(orphan, "accounts_pools_fkey", "INSERT INTO accounts(name, pools) VALUES ('x', '{NULL}')")
	db.refused(orphan, "profiles_pools_fkey", "INSERT INTO profiles(name, pools) VALUES ('x', '{nothing}')")
	for _, table := range []string{"accounts", "profiles"} {
		db.do("INSERT INTO " + table + "(name) VALUES ('y')")
		for constraint, set := range map[string]string{
			"_servers": "dns = '{10.0.0.0/8}'", "_timeouts": "session_timeout = '-1 s'", "_mtu": "mtu = 67",
			"_rates": "rate_down = -1", "_sessions": "max_sessions = -1",
		} {
			db.refused(wrong, table+constraint, "UPDATE "+table+" SET "+set)
		}
	}
	db.refused(wrong, "accounts_password", "UPDATE accounts SET password = ''")
	db.refused(wrong, "accounts_password", "UPDATE accounts SET password = repeat('x', 257)")
	db.refused(wrong, "accounts_validity", "UPDATE accounts SET valid_from = now(), valid_until = now()")
	db.refused(derived, "", "UPDATE accounts SET id = 7")
	db.refused(wrong, "profiles_name", "INSERT INTO profiles(name) VALUES ('a b')")
}

func TestPostgreSQLRefusesWrongCredentials(t *testing.T) {
	db := open(t, sales)
	const insert = "INSERT INTO credentials(account, kind, value, key_id) VALUES ('alice@sales.example', $1, $2, $3)"
	for _, c := range []struct {
		constraint, kind, value string
		key                     any
	}{
		{"credentials_kind", "md5", "x", nil},
		{"credentials_key", "sealed", "x", nil},
		{"credentials_key", "bcrypt", "$2b$10$" + strings.Repeat("x", 53), "k"},
		{"credentials_key", "nt", "seventeen octets!", nil},
		{"credentials_form", "bcrypt", "$2b$10$short", nil},
		{"credentials_form", "argon2id", "$argon2i$", nil},
		{"credentials_form", "crypt", "", nil},
	} {
		db.refused(wrong, c.constraint, insert, c.kind, []byte(c.value), c.key)
	}
	db.refused(orphan, "credentials_account_fkey", "INSERT INTO credentials(account, kind, value) VALUES ('nobody', 'crypt', 'x')")
	for kind, value := range map[string]string{"bcrypt": "$2y$10$" + strings.Repeat("x", 53), "argon2id": "$argon2id$v=19$...", "crypt": "$6$x$y", "nt": "sixteen octets!!"} {
		db.do(insert, kind, []byte(value), nil)
	}
	db.do(insert, "sealed", []byte{0, 1, 2}, "k1")
	// What an administrator writes by hand is taken as it is.
	db.do(`UPDATE credentials SET value = '$6$salt$hash' WHERE kind = 'crypt'`)
	db.is("$6$salt$hash", "SELECT convert_from(value, 'UTF8') FROM credentials WHERE kind = 'crypt'")
	db.do("DELETE FROM accounts")
	db.is("0", "SELECT count(*) FROM credentials")
}

func TestNoAddressIsInTwoHands(t *testing.T) {
	db := open(t, sales, "INSERT INTO accounts(name) VALUES ('bob')")
	const lease = "INSERT INTO leases(address, holder, node, epoch, routing_context) VALUES ('10.20.0.1', $1, 'n1', 1, $2)"
	db.do(lease, "s1", "default")
	db.refused(taken, "leases_pkey", lease, "s2", "default")
	db.do(lease, "s2", "elsewhere")
	db.refused(wrong, "leases_state", "UPDATE leases SET state = 'lost', expires_at = now()")
	db.refused(wrong, "leases_quarantine", "UPDATE leases SET state = 'quarantine', expires_at = NULL")

	db.do("INSERT INTO static_addresses(account, address) VALUES ('bob', '10.20.0.7')")
	db.refused(taken, "static_addresses_pkey", "INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '10.20.0.7')")
	db.refused(taken, "static_addresses_account", "INSERT INTO static_addresses(account, address) VALUES ('bob', '10.20.0.8')")
	db.refused(wrong, "static_addresses_one_address", "INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '10.20.0.0/24')")
	db.refused(orphan, "static_addresses_account_fkey", "INSERT INTO static_addresses(account, address) VALUES ('nobody', '10.20.0.9')")
	db.do("INSERT INTO static_addresses(account, address) VALUES ('bob', '2001:db8::7')")
	db.do("DELETE FROM accounts WHERE name = 'bob'")
	db.is("0", "SELECT count(*) FROM static_addresses")
}

func TestBlocksDoNotOverlapAndHaveOneOwner(t *testing.T) {
	db := open(t)
	const block = "INSERT INTO pool_blocks(routing_context, pool, first_address, last_address) VALUES ($1, 'sales', $2, $3)"
	db.do(block, "default", "10.20.0.0", "10.20.0.63")
	db.refused(overlap, "pool_blocks_overlap", block, "default", "10.20.0.63", "10.20.0.64")
	db.refused(wrong, "pool_blocks_order", block, "default", "10.21.0.2", "10.21.0.1")
	db.refused(wrong, "pool_blocks_order", block, "default", "10.21.0.0/24", "10.22.0.0")
	db.do(block, "elsewhere", "10.20.0.0", "10.20.0.63")
	db.refused(wrong, "pool_blocks_owner", "UPDATE pool_blocks SET node = 'n1'")
	db.refused(wrong, "pool_blocks_owner", "UPDATE pool_blocks SET node = 'n1', epoch = 1")
	db.do("UPDATE pool_blocks SET node = 'n1', epoch = 1, expires_at = now()")
}

func TestPoolsInUseStay(t *testing.T) {
	db := open(t, sales, `INSERT INTO pools(name) VALUES ('a'), ('p');
		INSERT INTO accounts(name, pools) VALUES ('carol', '{a,sales}'); INSERT INTO profiles(name, pools) VALUES ('gold', '{p}')`)
	db.refused(orphan, "domain_pools_pool_fkey", "DELETE FROM pools WHERE name = 'sales'")
	db.refused(orphan, "pools_in_use", "DELETE FROM pools WHERE name = 'a'")
	db.refused(orphan, "pools_in_use", "DELETE FROM pools WHERE name = 'p'")
	db.refused(orphan, "", "INSERT INTO domain_pools(domain, pool) VALUES ('sales.example', 'nothing')")
	db.refused(orphan, "", "INSERT INTO domain_pools(domain, pool) VALUES ('nothing', 'sales')")
	for _, c := range []struct{ constraint, column, value string }{
		{"pools_name", "name", "a b"}, {"pools_family", "family", "5"}, {"pools_quarantine", "quarantine", "-1 s"}, {"pools_routing_context", "routing_context", ""},
	} {
		db.refused(wrong, c.constraint, "UPDATE pools SET "+c.column+" = '"+c.value+"' WHERE name = 'a'")
	}
	db.do("UPDATE pools SET name = 'b' WHERE name = 'a'; UPDATE pools SET name = 'q' WHERE name = 'p'")
	db.is("{b,sales}", "SELECT pools FROM accounts WHERE name = 'carol'")
	db.is("{q}", "SELECT pools FROM profiles")
	db.do("DELETE FROM accounts; DELETE FROM profiles; DELETE FROM domains; DELETE FROM pools")
	db.is("0|0", "SELECT (SELECT count(*) FROM pool_ranges), (SELECT count(*) FROM domain_pools)")
}
