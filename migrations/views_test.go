package migrations_test

import (
	"strings"
	"testing"
	"time"

	"lnsgate/test/pgtest"
)

func TestPoolUsage(t *testing.T) {
	db := open(t, sales, `INSERT INTO pools(name) VALUES ('empty'), ('full'); INSERT INTO pools(name, family, routing_context) VALUES ('six', 6, 'x');
		INSERT INTO pool_ranges(pool, range) VALUES ('sales', '10.21.0.0-10.21.0.9'), ('full', '10.30.0.1'), ('six', '2001:db8::/64');
		INSERT INTO pool_ranges(pool, range, kind) VALUES ('sales', '10.20.0.0/29', 'exclude'), ('sales', '10.20.0.250-10.21.0.0', 'exclude');
		INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '10.20.0.100');
		INSERT INTO leases(address, pool, holder, node, epoch, state, expires_at) VALUES
			('10.20.0.100', 'sales', 's0', 'n', 1, 'bound', NULL),
			('10.20.0.101', 'sales', 's1', 'n', 1, 'bound', NULL),
			('10.20.0.102', 'sales', 's2', 'n', 1, 'quarantine', now() + interval '1 hour'),
			('10.20.0.103', 'sales', 's3', 'n', 1, 'quarantine', now() - interval '1 hour'),
			('10.21.0.5', 'sales', 's4', 'n', 1, 'bound', NULL),
			('10.30.0.1', 'full', 's5', 'n', 1, 'bound', NULL)`)
	const usage = "SELECT pool, trim_scale(size), leased, quarantined, static, trim_scale(free), used_percent, leaving FROM pool_usage WHERE pool = $1"
	// 254 + 10, less 7 and 5 and 1 that are excluded; alice's address counts as static, not as leased.
	db.is("sales|251|2|1|1|247|1.6|0", usage, "sales")
	db.is("full|1|1|0|0|0|100.0|0", usage, "full")
	db.is("empty|0|0|0|0|0||0", usage, "empty")
	db.is("six|18446744073709551616|0|0|0|18446744073709551616|0.0|0", usage, "six")
	db.do("UPDATE pool_ranges SET draining = true WHERE range = '10.21.0.0-10.21.0.9'")
	db.is("sales|242|1|1|1|239|1.2|1", usage, "sales")
	db.do("UPDATE pools SET draining = true WHERE name = 'sales'")
	db.is("sales|242|1|1|1|0|1.2|1", usage, "sales")
}

func TestAccountOverviewSaysWhatCountsInTheEnd(t *testing.T) {
	db := open(t, sales, `UPDATE domains SET dns = '{9.9.9.9}', mtu = 1400, session_timeout = '1 h', max_account_sessions = 3, rate_up = 1000;
		INSERT INTO pools(name) VALUES ('p'); INSERT INTO profiles(name, mtu, session_timeout, pools) VALUES ('gold', 1300, '2 h', '{p}')`)
	const settings = "SELECT pools, dns, mtu, session_timeout, max_sessions, rate_up FROM account_overview WHERE name = 'alice@sales.example'"
	db.is("{sales}|{9.9.9.9}|1400|01:00:00|3|1000", settings)
	db.do("UPDATE accounts SET profile = 'gold'")
	db.is("{p}|{9.9.9.9}|1300|02:00:00|3|1000", settings)
	db.do("UPDATE accounts SET session_timeout = '3 h', max_sessions = 1, pools = '{sales,p}'")
	db.is("{sales,p}|{9.9.9.9}|1300|03:00:00|1|1000", settings)

	const state = "SELECT status, password, addresses, sessions FROM account_overview WHERE name = 'alice@sales.example'"
	db.is("active|{clear}|{}|0", state)
	db.do(`INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '10.20.0.7');
		INSERT INTO credentials(account, kind, value, key_id) VALUES ('alice@sales.example', 'sealed', 'x', 'k'), ('alice@sales.example', 'nt', 'x', 'k');
		UPDATE accounts SET password = NULL; INSERT INTO sessions(id, node, epoch, name, account) VALUES ('s', 'n', 1, 'alice@sales.example', 'alice@sales.example')`)
	db.is("active|{nt,sealed}|{10.20.0.7}|1", state)
	for set, want := range map[string]string{
		"valid_until = now() - interval '1 s'": "expired", "valid_from = now() + interval '1 h'": "not yet valid", "disabled = true": "disabled",
	} {
		db.do("UPDATE accounts SET disabled = false, valid_from = NULL, valid_until = NULL")
		db.do("UPDATE accounts SET " + set)
		db.is(want, "SELECT status FROM account_overview")
	}
	db.do("UPDATE accounts SET disabled = false; UPDATE domains SET blocked = true")
	db.is("domain blocked", "SELECT status FROM account_overview")
}

func TestWhoHad(t *testing.T) {
	db := open(t, `INSERT INTO accounting(session, started_at, stopped_at, node, name, account, address, peer) VALUES
		('s1', '2026-11-17 20:00+00', '2026-11-17 20:30+00', 'n', 'Alice', 'alice', '10.1.2.3', '192.0.2.1'),
		('s2', '2026-11-17 20:30+00', '2026-11-17 20:40+00', 'n', 'bob', 'bob', '10.1.2.3', '192.0.2.2'),
		('s3', '2026-11-17 20:50+00', NULL, 'n', 'carol', 'carol', '10.1.2.3', '192.0.2.3'),
		('s4', '2026-11-17 20:00+00', NULL, 'n', 'dave', 'dave', '10.1.2.4', '192.0.2.4')`)
	for at, want := range map[string]string{
		"19:59": "", "20:00": "s1|Alice|192.0.2.1", "20:29:59": "s1|Alice|192.0.2.1", "20:30": "s2|bob|192.0.2.2", "20:45": "", "23:00": "s3|carol|192.0.2.3",
	} {
		db.is(want, "SELECT session, name, peer FROM who_had('10.1.2.3', $1::timestamptz)", "2026-11-17 "+at+"+00")
	}
}

func TestPartitionsAreMadeAheadAndLoseNothing(t *testing.T) {
	db := open(t)
	month := func(ahead int) time.Time {
		now := time.Now().UTC()
		return time.Date(now.Year(), now.Month()+time.Month(ahead), 1, 0, 0, 0, 0, time.UTC)
	}
	db.is("0", "SELECT make_partitions()")
	far := month(5)
	for _, at := range []time.Time{month(0), month(2).Add(time.Hour), far, far.AddDate(0, 1, 0).Add(-time.Microsecond), far.AddDate(0, 1, 0)} {
		db.do("INSERT INTO accounting(session, started_at, node, name, account, octets_up) VALUES ('s', $1, 'n', 'a', 'a', 7)", at)
		db.do("INSERT INTO logins(attempt, at, verdict, name, node) VALUES ('a', $1, 'granted', 'a', 'n')", at)
	}
	db.is("3|3", "SELECT (SELECT count(*) FROM accounting_other), (SELECT count(*) FROM logins_other)")
	db.is("6", "SELECT make_partitions(5)")
	db.is("1|1|5|5|35", `SELECT (SELECT count(*) FROM accounting_other), (SELECT count(*) FROM logins_other),
		(SELECT count(*) FROM accounting), (SELECT count(*) FROM logins), (SELECT sum(octets_up) FROM accounting)`)
	child := "accounting_" + far.Format("2006_01")
	db.is("2", "SELECT count(*) FROM "+child)
	db.is("accounting_other", "SELECT tableoid::regclass FROM accounting ORDER BY started_at DESC LIMIT 1")
	// A partition made later is like those made at the beginning.
	db.is("6|{fillfactor=50}|{fillfactor=100}", `SELECT count(*), (SELECT reloptions FROM pg_class WHERE relname = $1), (SELECT reloptions FROM pg_class WHERE relname = $2)
		FROM pg_indexes WHERE tablename = $1`, child, "logins_"+far.Format("2006_01"))
	db.refused(taken, "", "INSERT INTO accounting(session, started_at, node, name, account) VALUES ('s', $1, 'n', 'a', 'a')", far)
	db.refused(noValue, "", "SELECT make_partition('accounts', 'name', now()::date)")
	db.do("DROP TABLE " + child)
	db.is("3", "SELECT count(*) FROM accounting")
	db.refused(wrong, "accounting_order", "UPDATE accounting SET stopped_at = started_at - interval '1 s'")
}

// What the comment on accounting.sequence promises.
func TestAccountingRecordsMayBeWrittenTwice(t *testing.T) {
	db := open(t)
	const write = `INSERT INTO accounting AS a (session, started_at, sequence, stopped_at, octets_up, node, name, account)
		VALUES ('s', '2026-11-17', $1, $2, $3, 'n', 'a', 'a') ON CONFLICT (session, started_at) DO UPDATE
		SET sequence = EXCLUDED.sequence, stopped_at = EXCLUDED.stopped_at, octets_up = EXCLUDED.octets_up WHERE a.sequence < EXCLUDED.sequence`
	for range 2 {
		db.do(write, 2, nil, 100)
		db.do(write, 3, "2026-11-18", 200)
		db.do(write, 1, nil, 0)
	}
	db.is("3|200|t", "SELECT sequence, octets_up, stopped_at IS NOT NULL FROM accounting")
}

func TestEndSessionAsksTheNode(t *testing.T) {
	db := open(t, "INSERT INTO sessions(id, node, epoch, name, account) VALUES ('s1', 'n', 1, 'a', 'a')")
	ears := listen(db)
	db.is("t|t|f", "SELECT end_session('s1', 'moved'), end_session('s1'), end_session('s2')")
	heard := ears.heard()
	want := []notice{{Table: "sessions", Op: "end", Key: "s1", Cause: "moved"}, {Table: "sessions", Op: "end", Key: "s1", Cause: "ended by the administrator"}}
	if len(heard) != 2 || heard[0] != want[0] || heard[1] != want[1] {
		t.Errorf("heard %+v", heard)
	}
}

func TestFreeRADIUSViews(t *testing.T) {
	db := open(t, sales, `SET search_path = freeradius, public; SET timezone = 'UTC'`,
		`UPDATE domains SET dns = '{9.9.9.9,8.8.8.8}', nbns = '{7.7.7.7}'; INSERT INTO profiles(name, mtu, idle_timeout) VALUES ('gold', 1300, '10 min');
		UPDATE accounts SET max_sessions = 2, valid_until = '2099-12-31 12:00+00', profile = 'gold', session_timeout = '1 h';
		INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '10.20.0.7'), ('alice@sales.example', '2001:db8::7');
		INSERT INTO nodes(name, address, version) VALUES ('n1', '192.0.2.9', '1.0'), ('n2', NULL, NULL);
		INSERT INTO sessions(id, node, epoch, name, account, calling_number) VALUES ('s1', 'n1', 1, 'alice@sales.example', 'alice@sales.example', '555');
		INSERT INTO leases(address, pool, account, holder, node, epoch) VALUES ('10.20.0.7', 'sales', 'alice@sales.example', 's1', 'n1', 1);
		INSERT INTO accounting(session, started_at, updated_at, node, name, account, domain, address, octets_up, octets_down, peer, local_tunnel, local_session)
			VALUES ('s1', '2026-11-17 10:00+00', '2026-11-17 10:01+00', 'n1', 'alice@sales.example', 'alice@sales.example', 'sales.example', '10.20.0.7', 5000000000, 7, '192.0.2.1', 3, 4)`)
	db.is("alice@sales.example|Expiration|:=|Dec 31 2099 12:00:00 alice@sales.example|Simultaneous-Use|:=|2", "SELECT username, attribute, op, value FROM freeradius.radcheck ORDER BY id")
	db.is("Framed-IP-Address|10.20.0.7 Framed-IPv6-Address|2001:db8::7 Session-Timeout|3600", "SELECT attribute, value FROM freeradius.radreply ORDER BY id")
	db.is("gold|1 sales.example|2", "SELECT groupname, priority FROM freeradius.radusergroup ORDER BY priority")
	db.is("gold|Idle-Timeout|600 gold|Framed-MTU|1300 sales.example|Framed-Pool|sales sales.example|MS-Primary-DNS-Server|9.9.9.9 sales.example|MS-Secondary-DNS-Server|8.8.8.8 sales.example|MS-Primary-NBNS-Server|7.7.7.7",
		"SELECT groupname, attribute, value FROM freeradius.radgroupreply ORDER BY id")
	db.is("1|192.0.2.9|n1| 2|n2|n2|", "SELECT id, nasname, shortname, secret FROM freeradius.nas ORDER BY id")
	db.is("s1|alice@sales.example|sales.example|192.0.2.9|3/4|60|5000000000|7|192.0.2.1|10.20.0.7||t", `SELECT acctsessionid, username, realm, nasipaddress, nasportid,
		acctsessiontime, acctinputoctets, acctoutputoctets, callingstationid, framedipaddress, acctterminatecause, acctstoptime IS NULL FROM freeradius.radacct`)
	db.is("sales|10.20.0.7|192.0.2.9|s1|555|infinity|alice@sales.example", "SELECT pool_name, framedipaddress, nasipaddress, pool_key, callingstationid, expiry_time, username FROM freeradius.radippool")
	db.do("UPDATE accounts SET disabled = true")
	db.is("Auth-Type|Reject", "SELECT attribute, value FROM freeradius.radcheck ORDER BY id LIMIT 1")
	db.is("", "SELECT table_name FROM information_schema.views WHERE table_schema = 'freeradius' AND is_insertable_into = 'YES'")
	db.is("", "SELECT table_name FROM information_schema.views WHERE table_schema = 'freeradius' AND is_updatable = 'YES'")
	db.is("9", "SELECT count(*) FROM information_schema.views WHERE table_schema = 'freeradius'")
}

func TestFreeRADIUSReportsOfGroupsAndLogins(t *testing.T) {
	db := open(t, sales, `UPDATE domains SET blocked = true, max_account_sessions = 3; INSERT INTO domains(name) VALUES ('quiet');
		INSERT INTO profiles(name, max_sessions) VALUES ('gold', 2), ('free', 0), ('plain', NULL);
		INSERT INTO logins(attempt, at, verdict, name, node, calling_number, called_number, peer) VALUES
			('t1', '2026-11-17 10:00+00', 'granted', 'alice@sales.example', 'n', '555', '666', '192.0.2.1'),
			('t2', '2026-11-17 10:01+00', 'the login was rejected: wrong password', 'bob', 'n', NULL, NULL, '192.0.2.1')`, `SET timezone = 'UTC'`)
	db.is("1|gold|Simultaneous-Use|:=|2 2|sales.example|Auth-Type|:=|Reject 3|sales.example|Simultaneous-Use|:=|3",
		"SELECT id, groupname, attribute, op, value FROM freeradius.radgroupcheck ORDER BY id")
	db.is("alice@sales.example||Access-Accept|666|555|2026-11-17 10:00:00+00 bob||Access-Reject||192.0.2.1|2026-11-17 10:01:00+00",
		"SELECT username, pass, reply, calledstationid, callingstationid, authdate FROM freeradius.radpostauth ORDER BY authdate")
	db.is("2", "SELECT count(DISTINCT id) FROM freeradius.radpostauth WHERE id > 0")
}

// The columns are those of schema.sql of FreeRADIUS 3.2 for PostgreSQL, with its modules sql and sqlippool.
func TestFreeRADIUSViewsHaveTheColumnsOfFreeRADIUS(t *testing.T) {
	db := open(t)
	for view, columns := range map[string]string{
		"radcheck": "id username attribute op value", "radreply": "id username attribute op value", "radusergroup": "id username groupname priority",
		"radgroupcheck": "id groupname attribute op value", "radgroupreply": "id groupname attribute op value",
		"nas": "id nasname shortname type ports secret server community description",
		"radacct": "radacctid acctsessionid acctuniqueid username realm nasipaddress nasportid nasporttype acctstarttime acctupdatetime acctstoptime " +
			"acctinterval acctsessiontime acctauthentic connectinfo_start connectinfo_stop acctinputoctets acctoutputoctets calledstationid " +
			"callingstationid acctterminatecause servicetype framedprotocol framedipaddress framedipv6address framedipv6prefix framedinterfaceid " +
			"delegatedipv6prefix class",
		"radippool":   "id pool_name framedipaddress nasipaddress pool_key calledstationid callingstationid expiry_time username",
		"radpostauth": "id username pass reply calledstationid callingstationid authdate class",
	} {
		for _, column := range strings.Fields(columns) {
			db.is("1", "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'freeradius' AND table_name = $1 AND column_name = $2", view, column)
		}
	}
}

func TestRolesMayDoTheirWorkAndNoMore(t *testing.T) {
	dsn := pgtest.DSN(t)
	super := connect(t, dsn)
	super.do(sales + `INSERT INTO credentials(account, kind, value) VALUES ('alice@sales.example', 'crypt', '$1$x'); SELECT make_partitions()`)
	as := func(role string) database {
		db := connect(t, dsn+" options='-c role="+role+"'")
		db.is(role, "SELECT current_user")
		return db
	}
	daemon, admin, reader := as("lnsgate_daemon"), as("lnsgate_admin"), as("lnsgate_reader")
	for _, db := range []database{daemon, admin, reader} {
		db.is("alice@sales.example", "SELECT name FROM accounts")
		db.is("active", "SELECT status FROM account_overview")
		db.is("sales", "SELECT pool FROM pool_usage")
		db.is("0", "SELECT count(*) FROM who_had('10.0.0.1', now())")
		db.is("t", "SELECT count(*) > 3 FROM audit")
		db.is("t", "SELECT max(version_id) > 1 FROM lnsgate_schema")
		db.is("1", "SELECT count(*) FROM freeradius.radusergroup")
		db.refused(noRights, "", "INSERT INTO audit(action, table_name, key) VALUES ('x', 'x', 'x')")
		db.refused(noRights, "", "DELETE FROM audit")
		db.refused(noRights, "", "DELETE FROM lnsgate_schema")
		db.refused(noRights, "", "CREATE TABLE x()")
		db.refused(noRights, "", "SELECT make_partition('logins', 'at', now()::date)")
	}
	for _, db := range []database{daemon, admin} {
		db.do("UPDATE accounts SET disabled = true; UPDATE accounts SET disabled = false")
		db.do(`INSERT INTO domains(name) VALUES ('x'); UPDATE domains SET name = 'y' WHERE name = 'x'; DELETE FROM domains WHERE name = 'y'`)
		db.do(`INSERT INTO pools(name) VALUES ('x'); INSERT INTO pool_ranges(pool, range) VALUES ('x', '10.9.0.0/24');
			INSERT INTO accounts(name, pools, password) VALUES ('x', '{x}', 'x'); INSERT INTO static_addresses(account, address) VALUES ('x', '10.9.0.7')`)
		db.do("UPDATE pools SET name = 'z' WHERE name = 'x'")
		db.do("SELECT set_password('x', 'y'); DELETE FROM accounts WHERE name = 'x'; DELETE FROM pools WHERE name = 'z'")
		db.do("UPDATE credentials SET value = '$1$y' WHERE account = 'alice@sales.example'")
	}
	daemon.do(`INSERT INTO nodes(name) VALUES ('n'); INSERT INTO accounting(session, started_at, node, name, account) VALUES ('s', now(), 'n', 'a', 'a');
		INSERT INTO leases(address, holder, node, epoch) VALUES ('10.0.0.1', 's', 'n', 1); INSERT INTO sessions(id, node, epoch, name, account) VALUES ('s', 'n', 1, 'a', 'a');
		INSERT INTO logins(attempt, verdict, name, node) VALUES ('a', 'granted', 'a', 'n'); SELECT make_partitions()`)
	daemon.is("$1$y", "SELECT convert_from(value, 'UTF8') FROM credentials")
	admin.is("t", "SELECT end_session('s')")
	for _, c := range []struct {
		db        database
		statement string
	}{
		{admin, "SELECT value FROM credentials"}, {admin, "DELETE FROM leases"}, {admin, "INSERT INTO accounting SELECT * FROM accounting"}, {admin, "SELECT make_partitions()"},
		{reader, "SELECT password FROM accounts"}, {reader, "SELECT value FROM credentials"}, {reader, "UPDATE accounts SET disabled = true"},
		{reader, "DELETE FROM pools"}, {reader, "SELECT set_password('alice@sales.example', 'x')"},
	} {
		c.db.refused(noRights, "", c.statement)
	}
}
