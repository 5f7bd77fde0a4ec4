package migrations_test

import "testing"

// lost is a node that has been silent for an hour, with all that a node has, beside one that is well.
const lost = `
	INSERT INTO nodes(name, epoch, heartbeat_at) VALUES ('lns3', 7, now() - interval '1 hour'), ('lns4', 2, now());
	INSERT INTO pool_blocks(routing_context, first_address, last_address, pool, node, epoch, expires_at) VALUES
		('default', '10.20.0.0', '10.20.0.63', 'sales', 'lns3', 7, now()), ('default', '10.20.0.64', '10.20.0.127', 'sales', 'lns4', 2, now());
	INSERT INTO leases(address, pool, account, holder, node, epoch, state, expires_at) VALUES
		('10.20.0.1', 'sales', 'a', 's1', 'lns3', 7, 'bound', NULL), ('10.20.0.2', 'sales', 'b', 's2', 'lns3', 6, 'bound', now() + interval '4 h'),
		('10.20.0.3', 'sales', 'c', 's3', 'lns3', 7, 'quarantine', '2030-01-01'), ('10.20.0.65', 'sales', 'd', 's4', 'lns4', 2, 'bound', NULL);
	INSERT INTO sessions(id, node, epoch, name, account) VALUES ('s1', 'lns3', 7, 'a', 'a'), ('s2', 'lns3', 6, 'b', 'b'), ('s4', 'lns4', 2, 'd', 'd');
	INSERT INTO sessions(id, node, epoch, name, account, nas) VALUES ('w1', 'lns3', NULL, 'w', 'w', 'branch');
	UPDATE sessions SET started_at = now() - interval '3 h';
	INSERT INTO accounting(session, started_at, updated_at, node, epoch, name, account) SELECT id, started_at, now() - interval '2 h', node, epoch, name, account FROM sessions;
	UPDATE accounting SET nas = 'branch' WHERE session = 'w1';
	INSERT INTO session_slots(session, node, epoch, account, domain, name, since) SELECT id, node, epoch, account, 'sales.example', name, now() FROM sessions WHERE nas IS NULL;`

func TestANodeIsForgotten(t *testing.T) {
	db := open(t, sales, lost)
	db.is("2|1|2", "SELECT * FROM forget_node('lns3')")
	db.is("10.20.0.1|quarantine|t 10.20.0.2|quarantine|t 10.20.0.3|quarantine|f 10.20.0.65|bound|",
		"SELECT host(address), state, expires_at <= now() FROM leases ORDER BY address")
	db.is("10.20.0.0| 10.20.0.64|lns4", "SELECT host(first_address), node FROM pool_blocks ORDER BY 1")
	db.is("s4 w1", "SELECT id FROM sessions ORDER BY id")
	db.is("s1|the node was removed|01:00:00 s2|the node was removed|02:00:00 s4|| w1||",
		"SELECT session, cause, date_trunc('minute', now() - stopped_at + interval '30 s') FROM accounting ORDER BY 1")
	db.is("s4", "SELECT session FROM session_slots")
	db.is("lns4|1", "SELECT node, counted FROM session_counts")
	db.is("lns4", "SELECT name FROM nodes")
}

// The process that was forgotten may not be dead. Whoever comes under its name must have a higher epoch.
func TestTheEpochsOfAForgottenNodeGoOn(t *testing.T) {
	db := open(t, "INSERT INTO nodes(name) VALUES ('lns1')", "INSERT INTO nodes(name, epoch, heartbeat_at) VALUES ('lns3', 7, '-infinity'), ('lns2', 3, '-infinity')")
	db.is("1", "SELECT epoch FROM nodes WHERE name = 'lns1'")
	db.do("SELECT forget_node('lns3'); SELECT forget_node('lns2'); INSERT INTO nodes(name) VALUES ('lns3')")
	db.is("8", "SELECT epoch FROM nodes WHERE name = 'lns3'")
}

func TestANodeThatIsWellIsNotForgotten(t *testing.T) {
	db := open(t, sales, lost)
	db.refused("55006", "", "SELECT forget_node('lns4')")
	db.do("UPDATE nodes SET heartbeat_at = now() - interval '179 s' WHERE name = 'lns4'")
	db.refused("55006", "", "SELECT forget_node('lns4')")
	db.refused(noData, "", "SELECT forget_node('lns9')")
	db.is("2|2|3", "SELECT (SELECT count(*) FROM nodes), (SELECT count(*) FROM pool_blocks WHERE node IS NOT NULL), (SELECT count(*) FROM session_slots)")
	db.is("1|1|1", "SELECT * FROM forget_node('lns4', true)")
}

// Who manages accounts may forget a node, and writes none of its tables.
func TestWhoMayForgetANode(t *testing.T) {
	db := open(t, sales, lost)
	for role, may := range map[string]bool{"lnsgate_admin": true, "lnsgate_daemon": true, "lnsgate_reader": false} {
		if may {
			db.do("BEGIN; SET LOCAL ROLE " + role + "; SELECT forget_node('lns3'); ROLLBACK")
		} else {
			db.refused(noRights, "", "BEGIN; SET LOCAL ROLE "+role+"; SELECT forget_node('lns3'); COMMIT")
		}
	}
	db.do("BEGIN; SET LOCAL ROLE lnsgate_daemon; INSERT INTO nodes(name) VALUES ('lns5'); COMMIT")
}

func TestMethodsThatADomainMayHave(t *testing.T) {
	db := open(t, "INSERT INTO domains(name, methods) VALUES ('old.example', '{pap,chap,mschapv1,mschapv2,eap}')")
	db.refused(wrong, "domains_methods", "UPDATE domains SET methods = '{mschapv3}'")
}
