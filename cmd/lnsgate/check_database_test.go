package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lnsgate/test/pgtest"
)

// checkAgainst checks a file that names this database.
func checkAgainst(t *testing.T, dsn, section, more string) (string, error) {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "x.yaml")
	text := fmt.Sprintf("state_dir: %s\nvirtual_templates: [{name: vt1, address: 10.10.0.1/32, ppp_authentication: [chap, pap]}]\n"+
		"l2tp_groups: [{name: default, virtual_template: vt1}]\ndatabase: {url: \"%s\", key: \"k1 a2V5IG9mIGEgdGVzdDogbm90IGEgc2VjcmV0ISEhISE=\"%s}\n%s", folder, dsn, section, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := lnsgate(t, "check", "-c", file)
	return strings.ReplaceAll(out, file+": ", ""), err
}

func TestCheckLooksIntoTheDatabase(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	admin := adminPool(t, dsn)
	execute(t, admin, shopSQL)
	execute(t, admin, "INSERT INTO domains (name) VALUES ('default')")
	out, err := checkAgainst(t, dsn, "", "")
	if want := "good: 2 listening sockets, 1 virtual template, 1 l2tp group, 0 domains, 0 pools, 0 users; in the database 2 domains, 1 pool, 1 user\n"; err != nil || out != want {
		t.Fatalf("%v, got\n%swant\n%s", err, out, want)
	}
	execute(t, admin, `DELETE FROM domains WHERE name = 'default';
		INSERT INTO domains (name, methods, authentication) VALUES ('nt', '{pap,chap,mschapv2}', '{postgres}'), ('odd', '{}', '{ldap}'), ('never', '{mschapv2}', '{postgres}');
		INSERT INTO domains (name, virtual_template) VALUES ('far', 'vt9');
		INSERT INTO accounts (name, password) VALUES ('bob@nt', 'x'), ('c@far', 'x');
		INSERT INTO accounts (name) VALUES ('emil@nt');
		INSERT INTO credentials (account, kind, value) VALUES ('emil@nt', 'crypt', '$1$x$ntiM1/Tz/A.K1foNwVMof0');
		INSERT INTO domain_pools (domain, pool) VALUES ('nt', 'sales'), ('far', 'sales');
		UPDATE accounts SET password = 'x'; DELETE FROM domain_pools WHERE domain = 'sales';
		UPDATE accounts SET password = NULL WHERE name = 'emil@nt'`)
	out, err = checkAgainst(t, dsn, "", "pools: [{name: files, ranges: [10.20.0.100-10.20.0.110]}]\ndomains: [{name: nt, authentication: [postgres], pools: [files]}]\n")
	if err != nil {
		t.Fatal(err, out)
	}
	for _, want := range []string{
		"warning: database: the file defines this domain too, and the file counts, domain nt",
		"warning: database: a domain of the database cannot be used, domain odd, cause ",
		"warning: database: pools overlap, so the same address can be given twice: sales of the database (10.20.0.1-10.20.0.254) and files of the file (10.20.0.100-10.20.0.110)",
		"warning: database: nobody of the domain never can log in: it allows only [mschapv2], which no virtual template offers",
		`warning: database: domain "nt" accepts chap, but the stored password of "emil@nt" cannot check it: take chap from the domain's methods, or set the password again`,
		`warning: database: 1 account of the domain sales, such as "anna@sales", get no address: lnsgate domain set sales --pool POOL`,
		"warning: database: default_domain: there is no domain default, neither in this file nor in the database",
		"virtual template vt9",
		"in the database 5 domains, 1 pool, 4 users\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("not said: %s", want)
		}
	}
	if strings.Contains(out, "accepts mschapv2") || strings.Contains(out, "accepts pap") || strings.Contains(out, "up to a minute") {
		t.Error("it says too much")
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestCheckNamesNodesWithAnotherLeaseLife(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	admin := adminPool(t, dsn)
	execute(t, admin, "INSERT INTO nodes(name, lease_life) VALUES ('lns3', '2 h'), ('lns4', '4 h')")
	out, err := checkAgainst(t, dsn, "", "")
	if err != nil || !strings.Contains(out, "lease_life is 4h0m0s here and not the same on all nodes, so addresses in use on one may be given away by another: lns3 2h0m0s\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = checkAgainst(t, dsn, ", lease_life: 2h", ""); err != nil || !strings.Contains(out, "by another: lns4 4h0m0s\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestCheckWithADatabaseThatDoesNotFit(t *testing.T) {
	t.Parallel()
	out, err := checkAgainst(t, pgtest.Empty(t), "", "")
	if err == nil || !strings.Contains(out, "fault: line 4: database: the database has an older schema than this lnsgate needs: run lnsgate db migrate") {
		t.Errorf("%v\n%s", err, out)
	}
	dsn := pgtest.DSN(t)
	execute(t, adminPool(t, dsn), "INSERT INTO lnsgate_schema (version_id, is_applied) VALUES (99999, true)")
	if out, err = checkAgainst(t, dsn, "", ""); err == nil || !strings.Contains(out, "install the newer lnsgate here as well") {
		t.Errorf("%v\n%s", err, out)
	}
	// What cannot be reached may be there when the server starts.
	out, err = checkAgainst(t, "host=127.0.0.1 port=1 user=u password=geheim dbname=d sslmode=disable", "", "")
	if err != nil || !strings.Contains(out, "warning: database: what is in it was not checked: connect to 127.0.0.1:1/d: connect: connection refused; is PostgreSQL running there") ||
		!strings.Contains(out, "usable, with 1 warning: ") || strings.Contains(out, "geheim") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestCheckTriesToListen(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	execute(t, adminPool(t, dsn), "INSERT INTO domains (name) VALUES ('default')")
	pooler := pgtest.Pooler(t, dsn)
	out, err := checkAgainst(t, pooler, `, prepared_statements: "off"`, "")
	if err != nil || !strings.Contains(out, "warning: database: changes take up to a minute to be in force: database ") || !strings.Contains(out, "set listen_url to the address of the server itself") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = checkAgainst(t, pooler, fmt.Sprintf(`, prepared_statements: "off", listen_url: "%s"`, dsn), "")
	if err != nil || !strings.HasPrefix(out, "good: ") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = checkAgainst(t, dsn, `, listen_url: "host=127.0.0.1 port=1 user=u dbname=d sslmode=disable"`, "")
	if err != nil || !strings.Contains(out, "warning: database: changes cannot be listened for: connect to 127.0.0.1:1/d: ") {
		t.Errorf("%v\n%s", err, out)
	}
}
