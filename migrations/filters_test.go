package migrations_test

import "testing"

func TestPostgreSQLRefusesWrongFilters(t *testing.T) {
	db := open(t, `INSERT INTO filters(name) VALUES ('f')`)
	db.do(`INSERT INTO filter_rules(filter, action, network, protocol, ports) VALUES ('f', 'allow', '10.0.0.0/8', 'tcp', '{443,8000-8100}'), ('f', 'deny', null, '47', '{}')`)
	db.is("10,20", "SELECT string_agg(ordinal::text, ',' ORDER BY ordinal) FROM filter_rules")
	db.is("deny", "SELECT default_action FROM filters")
	for _, c := range []struct{ state, constraint, columns, values string }{
		{orphan, "filter_rules_filter_fkey", "filter", "'nobody'"},
		{wrong, "filter_rules_direction", "direction", "'sideways'"},
		{wrong, "filter_rules_protocol", "protocol", "'telnet'"},
		{wrong, "filter_rules_protocol", "protocol", "'256'"},
		{wrong, "filter_rules_ports", "ports", "'{80}'"},
		{wrong, "filter_rules_ports", "protocol, ports", "'tcp', '{90-80}'"},
		{wrong, "filter_rules_ports", "protocol, ports", "'udp', '{70000}'"},
		{wrong, "filter_rules_ports", "protocol, ports", "'udp', '{http}'"},
		{wrong, "filter_rules_types", "protocol, types", "'tcp', '{8}'"},
		{wrong, "filter_rules_types", "protocol, types", "'icmp', '{256}'"},
		{wrong, "filter_rules_established", "protocol, established", "'udp', true"},
		{wrong, "filter_rules_family", "network, protocol", "'2001:db8::/32', 'icmp'"},
	} {
		filter := "filter, "
		value := "'f', "
		if c.columns == "filter" {
			filter, value = "", ""
		}
		db.refused(c.state, c.constraint, "INSERT INTO filter_rules("+filter+"action, "+c.columns+") VALUES ("+value+"'allow', "+c.values+")")
	}
	db.refused(wrong, "filter_rules_action", "INSERT INTO filter_rules(filter, action) VALUES ('f', 'maybe')")
	db.refused(wrong, "filters_default_action", "INSERT INTO filters(name, default_action) VALUES ('g', 'maybe')")
	db.refused(wrong, "filters_name_characters", "INSERT INTO filters(name) VALUES ('a b')")
	db.do("UPDATE filters SET name = 'g'")
	db.is("2", "SELECT count(*) FROM filter_rules WHERE filter = 'g'")
	db.do("DELETE FROM filters")
	db.is("0", "SELECT count(*) FROM filter_rules")
}

func TestRolesMayUseFilters(t *testing.T) {
	db := open(t)
	db.is("t|t|f", `SELECT has_table_privilege('lnsgate_daemon', 'filters', 'SELECT'), has_table_privilege('lnsgate_admin', 'filter_rules', 'INSERT'),
		has_table_privilege('lnsgate_reader', 'filter_rules', 'INSERT')`)
}
