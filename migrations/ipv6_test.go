package migrations_test

import "testing"

// six is IPv6 for the department of sales, by the obvious columns alone.
const six = `
	INSERT INTO pools(name, prefix_length) VALUES ('links', 64), ('homes', 56);
	INSERT INTO pool_ranges(pool, range) VALUES ('links', '2001:db8::/40'), ('homes', '2001:db8:1000::/40');
	UPDATE domains SET ipv6_pools = '{links}', delegated_pools = '{homes}', ipv6_dns = '{2001:db8:f::53}' WHERE name = 'sales.example';
	INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '2001:db8:0:7::/64');
	INSERT INTO static_addresses(account, address, delegated) VALUES ('alice@sales.example', '2001:db8:1000:700::/56', true);
	INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '10.20.0.7');`

func TestObviousColumnsAreEnoughForPrefixes(t *testing.T) {
	db := open(t, sales, six)
	db.is("homes|6|56 links|6|64", "SELECT name, family, prefix_length FROM pools WHERE family = 6 ORDER BY name")
	db.is("2001:db8::|2001:db8:ff:ffff:ffff:ffff:ffff:ffff|64", "SELECT first_address, last_address, prefix_length FROM pool_ranges WHERE pool = 'links'")
	db.is("10.20.0.7||f 2001:db8:0:7::|64|f 2001:db8:1000:700::|56|t", "SELECT address, prefix_length, delegated FROM static_addresses ORDER BY address")
	db.is("{10.20.0.7}|2001:db8:0:7::/64|2001:db8:1000:700::/56|{links}|{homes}|{2001:db8:f::53}",
		"SELECT addresses, ipv6_prefix, delegated_prefix, ipv6_pools, delegated_pools, ipv6_dns FROM account_overview")
	db.is("homes|65536|1|56 links|16777216|1|64", "SELECT pool, trim_scale(size), static, prefix_length FROM pool_usage WHERE family = 6 ORDER BY pool")
	db.do("UPDATE static_addresses SET address = '2001:db8:0:8::/64' WHERE address = '2001:db8:0:7::'")
	db.is("2001:db8:0:8::|64", "SELECT address, prefix_length FROM static_addresses WHERE prefix_length = 64")
	db.do("INSERT INTO pool_ranges(pool, kind, range) VALUES ('links', 'exclude', '2001:db8:0:ff::1')")
	db.is("16777215", "SELECT trim_scale(size) FROM pool_usage WHERE pool = 'links'")
}

func TestPrefixesAreCounted(t *testing.T) {
	db := open(t)
	for want, query := range map[string]string{
		"1":                    "'2001:db8::', '2001:db8::ffff:ffff:ffff:ffff', 64",
		"65536":                "'2001:db8::', '2001:db8:0:ffff:ffff:ffff:ffff:ffff', 64",
		"256":                  "'2001:db8::', '2001:db8:0:ffff:ffff:ffff:ffff:ffff', 56",
		"18446744073709551616": "'fc00::', 'fc00::ffff:ffff:ffff:ffff', 128",
		"2":                    "'2001:db8::ff00', '2001:db8::1:ff', 120",
		"254":                  "'10.0.0.1', '10.0.0.254', NULL",
	} {
		db.is(want, "SELECT trim_scale(prefix_count("+query+"))")
	}
	db.is("f|t|t", "SELECT prefixes_around('10.0.0.1') @> '{10.0.0.0/8}', prefixes_around('2001:db8:0:7::9') @> '{2001:db8:0:7::/64}', prefixes_around('2001:db8:0:7::/64') @> '{2001:db8::/32}'")
}

func TestPostgreSQLRefusesWrongPrefixes(t *testing.T) {
	db := open(t, sales, six, "INSERT INTO pools(name, prefix_length) VALUES ('tiny', 120); INSERT INTO accounts(name) VALUES ('bob@sales.example'); INSERT INTO profiles(name) VALUES ('gold')")
	for _, c := range []struct{ state, constraint, statement string }{
		{wrong, "pools_prefix_length", "INSERT INTO pools(name, prefix_length) VALUES ('x', 128)"},
		{wrong, "pools_prefix_length", "INSERT INTO pools(name, prefix_length) VALUES ('x', 8)"},
		{wrong, "pools_prefix_length", "UPDATE pools SET family = 4 WHERE name = 'tiny'"},
		{wrong, "pools_prefix_length_stays", "UPDATE pools SET prefix_length = 64 WHERE name = 'homes'"},
		{wrong, "pools_prefix_length_stays", "UPDATE pools SET prefix_length = NULL WHERE name = 'links'"},
		{wrong, "pool_ranges_family", "INSERT INTO pool_ranges(pool, range) VALUES ('links', '10.0.0.0/24')"},
		{overlap, "pool_ranges_overlap", "INSERT INTO pool_ranges(pool, range) VALUES ('homes', '2001:db8:1:1::/64')"},
		{overlap, "pool_ranges_overlap", "INSERT INTO pool_ranges(pool, range) VALUES ('homes', '2001:db8:1000:7::/64')"}, // it means the whole /56
		{noRange, "", "INSERT INTO pool_ranges(pool, range) VALUES ('links', '2001:db8::1/40')"},
		{taken, "static_addresses_pkey", "INSERT INTO static_addresses(account, address) VALUES ('bob@sales.example', '2001:db8:0:7::/64')"},
		{overlap, "static_addresses_overlap", `INSERT INTO static_addresses(account, address) VALUES ('bob@sales.example', '2001:db9:0:5::/64');
			INSERT INTO static_addresses(account, address, delegated) VALUES ('bob@sales.example', '2001:db9::/48', true)`},
		{wrong, "static_addresses_length", "INSERT INTO static_addresses(account, address) VALUES ('bob@sales.example', '2001:db8:0:100::/56')"},
		{wrong, "static_addresses_length", "INSERT INTO static_addresses(account, address) VALUES ('bob@sales.example', '2001:db8:0:9::9')"},
		{wrong, "static_addresses_length", "INSERT INTO static_addresses(account, address) VALUES ('bob@sales.example', '2001:db8::/32')"},
		{wrong, "static_addresses_prefix", "INSERT INTO static_addresses(account, address) VALUES ('bob@sales.example', '2001:db8:0:9::9/64')"},
		{wrong, "static_addresses_one_address", "INSERT INTO static_addresses(account, address) VALUES ('bob@sales.example', '10.20.0.0/28')"},
		{wrong, "static_addresses_delegated", "INSERT INTO static_addresses(account, address, delegated) VALUES ('bob@sales.example', '10.20.0.8', true)"},
		{wrong, "static_addresses_link", "INSERT INTO static_addresses(account, address) VALUES ('bob@sales.example', '2001:db9::/60')"},
		{taken, "static_addresses_account", "INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '2001:db8:0:9::/64')"},
		{wrong, "prefix_pools_length", "UPDATE domains SET ipv6_pools = '{homes}'"},
		{wrong, "prefix_pools_length", "UPDATE domains SET delegated_pools = '{tiny}'"},
		{wrong, "prefix_pools_family", "UPDATE domains SET ipv6_pools = '{links,sales}'"},
		{orphan, "prefix_pools_fkey", "UPDATE domains SET delegated_pools = '{nobody}'"},
		{wrong, "prefix_pools_length", "UPDATE accounts SET ipv6_pool = 'homes'"},
		{wrong, "prefix_pools_family", "UPDATE profiles SET delegated_pool = 'sales'"},
		{orphan, "prefix_pools_fkey", "UPDATE profiles SET delegated_pool = 'nobody'"},
		{wrong, "domains_ipv6_dns", "UPDATE domains SET ipv6_dns = '{10.0.0.1}'"},
		{wrong, "pools_of_addresses", "INSERT INTO domain_pools(domain, pool) VALUES ('sales.example', 'links')"},
		{wrong, "pools_of_addresses", "UPDATE accounts SET pools = '{sales,homes}'"},
		{orphan, "pools_in_use", "DELETE FROM pools WHERE name = 'links'"},
		{overlap, "leases_overlap", `INSERT INTO leases(address, prefix_length, holder, node, epoch) VALUES ('2001:db8:5::', 64, 'x', 'n', 1);
			INSERT INTO leases(address, prefix_length, holder, node, epoch) VALUES ('2001:db8::', 40, 'y', 'n', 1)`},
		{taken, "leases_pkey", `INSERT INTO leases(address, prefix_length, holder, node, epoch) VALUES ('2001:db8:5::', 64, 'x', 'n', 1);
			INSERT INTO leases(address, prefix_length, holder, node, epoch) VALUES ('2001:db8:5::', 64, 'y', 'n', 1)`},
		{wrong, "leases_prefix_length", "INSERT INTO leases(address, prefix_length, holder, node, epoch) VALUES ('2001:db8:5::1', 64, 'x', 'n', 1)"},
	} {
		db.refused(c.state, c.constraint, c.statement)
	}
	// Excluded from the pool, a prefix of another length can be somebody's.
	db.do("INSERT INTO pool_ranges(pool, kind, range) VALUES ('homes', 'exclude', '2001:db8:10ff::/48')")
	db.do("INSERT INTO static_addresses(account, address, delegated) VALUES ('bob@sales.example', '2001:db8:10ff::/48', true)")
	// Renaming is followed everywhere.
	db.do("UPDATE accounts SET ipv6_pool = 'links', delegated_pool = 'homes'; UPDATE profiles SET ipv6_pool = 'links'")
	db.do("UPDATE pools SET name = 'links2' WHERE name = 'links'")
	db.is("{links2}|{homes}|links2|links2", "SELECT d.ipv6_pools, d.delegated_pools, a.ipv6_pool, p.ipv6_pool FROM domains d, accounts a, profiles p WHERE a.name ~ 'alice'")
	db.do("UPDATE domains SET ipv6_pools = NULL")
	db.refused(orphan, "", "DELETE FROM pools WHERE name = 'links2'") // accounts have it
}

func TestAPoolOfAnotherLengthWaitsForWhoIsThere(t *testing.T) {
	db := open(t, sales, six)
	db.do(`INSERT INTO leases(address, prefix_length, pool, holder, node, epoch) VALUES ('2001:db8:0:5::', 64, 'links', 's1', 'n', 1);
		UPDATE domains SET ipv6_pools = NULL; DELETE FROM pools WHERE name = 'links'; INSERT INTO pools(name, prefix_length) VALUES ('more', 56)`)
	db.refused(overlap, "pool_ranges_length", "INSERT INTO pool_ranges(pool, range) VALUES ('more', '2001:db8::/40')")
	db.do("UPDATE leases SET state = 'quarantine', expires_at = now()")
	db.refused(overlap, "pool_ranges_length", "INSERT INTO pool_ranges(pool, range) VALUES ('more', '2001:db8::/40')") // alice has a /64 of it
	db.do("DELETE FROM static_addresses; INSERT INTO pool_ranges(pool, range) VALUES ('more', '2001:db8::/40')")
}

func TestIPv6IsRecorded(t *testing.T) {
	db := open(t, sales, six, `
		INSERT INTO accounting(session, started_at, node, name, account, address, ipv6_prefix, delegated_prefix, interface_id)
		VALUES ('s', '2026-11-17 12:00+00', 'n', 'alice', 'alice', '10.1.2.3', '2001:db8:0:7::/64', '2001:db8:1000:700::/56', '0:0:0:1');
		UPDATE domains SET ipv6_pools = '{links}'; INSERT INTO profiles(name, ipv6_pool, ipv6_dns) VALUES ('gold', 'links', '{2001:db8::53,2001:db8::54}')`)
	for _, address := range []string{"10.1.2.3", "2001:db8:0:7::99", "2001:db8:0:7::/64", "2001:db8:1000:7ff::1"} {
		db.is("alice", "SELECT account FROM who_had($1, '2026-11-17 20:43+08')", address)
	}
	for _, address := range []string{"10.1.2.4", "2001:db8:0:6::99", "2001:db8:1000:800::1"} {
		db.is("", "SELECT account FROM who_had($1, '2026-11-17 20:43+08')", address)
	}
	db.is("10.1.2.3|2001:db8:0:7::/64|0:0:0:1|2001:db8:1000:700::/56",
		"SELECT framedipaddress, framedipv6prefix, framedinterfaceid, delegatedipv6prefix FROM freeradius.radacct")
	db.is("Framed-IPv6-Prefix|:=|2001:db8:0:7::/64 Delegated-IPv6-Prefix|:=|2001:db8:1000:700::/56",
		"SELECT attribute, op, value FROM freeradius.radreply WHERE attribute ~ 'IPv6' ORDER BY id")
	db.is("gold|Framed-IPv6-Pool|links gold|DNS-Server-IPv6-Address|2001:db8::53 gold|DNS-Server-IPv6-Address|2001:db8::54 sales.example|Framed-IPv6-Pool|links sales.example|Delegated-IPv6-Prefix-Pool|homes sales.example|DNS-Server-IPv6-Address|2001:db8:f::53",
		"SELECT groupname, attribute, value FROM freeradius.radgroupreply WHERE attribute ~ 'IPv6' ORDER BY id")
	db.do("INSERT INTO leases(address, prefix_length, pool, holder, node, epoch) VALUES ('2001:db8:0:9::', 64, 'links', 's', 'n', 1)")
	db.is("2001:db8:0:9::/64|links", "SELECT framedipaddress, pool_name FROM freeradius.radippool")
}
