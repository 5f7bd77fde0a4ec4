package migrations_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestPostgreSQLRefusesRoutesThatNobodyCanHave(t *testing.T) {
	db := open(t, sales, `INSERT INTO profiles(name, routes) VALUES ('branch', '{192.168.1.0/24}')`)
	many := make([]string, 33)
	for i := range many {
		many[i] = fmt.Sprintf("10.9.%d.0/24", i)
	}
	for _, table := range []string{"accounts", "profiles"} {
		for _, good := range []string{"{}", "{192.168.50.0/24,10.8.0.1}", "{" + strings.Join(many[:32], ",") + "}"} {
			db.do("UPDATE "+table+" SET routes = $1::text::cidr[]", good)
		}
		db.do("UPDATE " + table + " SET routes = NULL")
		for _, bad := range []string{"{0.0.0.0/0}", "{2001:db8::/32}", "{192.168.50.0/24,NULL}", "{192.168.50.0/24,192.168.50.0/24}", "{0.0.0.0/8}",
			"{127.0.0.0/8}", "{169.254.7.0/24}", "{224.0.0.0/3}", "{239.1.0.0/16}", "{255.255.255.255}", "{" + strings.Join(many, ",") + "}"} {
			db.refused(wrong, table+"_routes", "UPDATE "+table+" SET routes = $1::text::cidr[]", bad)
		}
	}
	db.refused("22P02", "", "UPDATE accounts SET routes = '{192.168.50.1/24}'") // bits behind the prefix
}

func TestViewsShowRoutes(t *testing.T) {
	db := open(t, sales, `INSERT INTO profiles(name, mtu, routes) VALUES ('branch', 1300, '{192.168.1.0/24}');
		INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '10.20.0.7')`)
	db.is("", "SELECT routes FROM account_overview")
	db.do("UPDATE accounts SET profile = 'branch'")
	db.is("{192.168.1.0/24}", "SELECT routes::text FROM account_overview")
	db.do("UPDATE accounts SET routes = '{192.168.50.0/24,10.8.0.0/16}'")
	db.is("{192.168.50.0/24,10.8.0.0/16}", "SELECT routes::text FROM account_overview")
	db.is("Framed-IP-Address|:=|10.20.0.7 Framed-Route|+=|192.168.50.0/24 0.0.0.0 Framed-Route|+=|10.8.0.0/16 0.0.0.0",
		"SELECT attribute, op, value FROM freeradius.radreply ORDER BY id")
	db.is("Framed-MTU|:=|1300 Framed-Route|+=|192.168.1.0/24 0.0.0.0", "SELECT attribute, op, value FROM freeradius.radgroupreply WHERE groupname = 'branch' ORDER BY id")
	db.do("UPDATE accounts SET routes = '{}'")
	db.is("{}", "SELECT routes::text FROM account_overview")
	db.is("t", "SELECT has_column_privilege('lnsgate_reader', 'accounts', 'routes', 'SELECT')")
}
