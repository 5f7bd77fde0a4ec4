package migrations_test

import "testing"

// foreign are a session of lnsgate itself and two of another NAS, one of which is over.
const foreign = `
	INSERT INTO nodes(name, address) VALUES ('n1', '192.0.2.9');
	INSERT INTO sessions(id, node, epoch, name, account, calling_number) VALUES ('own', 'n1', 1, 'bob', 'bob', '555');
	INSERT INTO sessions(id, node, name, account, nas, nas_client, nas_address, nas_session, calling_number)
		VALUES ('s1', 'n1', 'alice', 'alice', 'mt/a', 'mt', '198.51.100.1', '8150001', '00:11:22:33:44:55');
	INSERT INTO leases(address, pool, account, holder, node, epoch) VALUES ('10.1.2.3', 'p', 'alice', 's1', 'n1', 1), ('10.1.2.4', 'p', 'bob', 'own', 'n1', 1);
	INSERT INTO accounting(session, started_at, updated_at, stopped_at, terminate_cause, node, epoch, name, account, domain, address, peer, calling_number,
		nas, nas_client, nas_address, nas_session, nas_port, nas_port_id) VALUES
		('s1', '2026-11-17 20:00+00', '2026-11-17 20:01+00', NULL, NULL, 'n1', NULL, 'alice', 'alice', NULL, '10.1.2.3', '198.51.100.1', '00:11:22:33:44:55', 'mt/a', 'mt', '198.51.100.1', '8150001', 15728641, 'bridge'),
		('s0', '2026-11-17 19:00+00', '2026-11-17 19:30+00', '2026-11-17 19:30+00', 'Idle-Timeout', 'n1', NULL, 'carol', 'carol', NULL, '10.1.2.3', '198.51.100.1', NULL, 'mt/a', 'mt', '198.51.100.1', '8150000', 7, NULL)`

func TestSessionsOfOtherNASesAreShown(t *testing.T) {
	db := open(t, "SET timezone = 'UTC'", foreign)
	db.is("8150001|198.51.100.1|bridge||RADIUS|60|00:11:22:33:44:55|| 8150000|198.51.100.1|7||RADIUS|1800||Idle-Timeout|",
		`SELECT acctsessionid, nasipaddress, nasportid, nasporttype, acctauthentic, acctsessiontime, callingstationid, acctterminatecause, framedprotocol
		FROM freeradius.radacct ORDER BY acctstarttime DESC`)
	db.is("2", "SELECT count(DISTINCT acctuniqueid) FROM freeradius.radacct")
	db.is("198.51.100.1|00:11:22:33:44:55 192.0.2.9|555", "SELECT nasipaddress, callingstationid FROM freeradius.radippool ORDER BY framedipaddress")
	db.is("alice|mt/a|198.51.100.1", "SELECT account, nas, peer FROM who_had('10.1.2.3', '2026-11-17 20:43+00')")
	db.is("carol|mt/a|198.51.100.1", "SELECT account, nas, peer FROM who_had('10.1.2.3', '2026-11-17 19:10+00')")
	db.do("INSERT INTO accounts(name) VALUES ('alice')")
	db.is("1", "SELECT sessions FROM account_overview WHERE name = 'alice'")
}

// Nobody but the roles may end sessions, and who may need not have the right to write their rows.
func TestEndSessionOfAnotherNASIsWrittenDown(t *testing.T) {
	db := open(t, foreign)
	ears := listen(db)
	for _, role := range []string{"lnsgate_daemon", "lnsgate_admin", "lnsgate_reader"} {
		db.do("UPDATE sessions SET ending = NULL")
		db.do("SET ROLE " + role + "; SELECT end_session('s1', 'moved'), end_session('own', 'moved'); RESET ROLE")
		db.is("own| s1|moved", "SELECT id, ending FROM sessions ORDER BY id")
		if heard := ears.heard(); len(heard) != 2 || heard[0] != (notice{Table: "sessions", Op: "end", Key: "s1", Cause: "moved"}) {
			t.Errorf("heard %+v", heard)
		}
	}
	db.is("f|t", "SELECT end_session('s0'), end_session('s1')")
	db.is("ended by the administrator", "SELECT ending FROM sessions WHERE id = 's1'")
}

func TestRolesMayUseOrders(t *testing.T) {
	db := open(t)
	const give = `INSERT INTO nas_orders(session, key, kind, nas, name, account, details) VALUES ('s1', 'k', 'change', 'mt', 'alice', 'alice', '{"x": "\u0000"}')`
	db.do("SET ROLE lnsgate_daemon; " + give + "; UPDATE nas_orders SET tries = 1; DELETE FROM nas_orders; " + give + "; RESET ROLE")
	db.do("SET ROLE lnsgate_reader; SELECT * FROM nas_orders; RESET ROLE")
	db.refused(wrong, "nas_orders_kind", "UPDATE nas_orders SET kind = ''")
	db.refused(noRights, "", "SET ROLE lnsgate_reader; DELETE FROM nas_orders")
}
