package configs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shared is a file whose users, domains and pools are in a database.
const shared = `
virtual_templates:
  - {name: vt1, address: 10.10.0.1/32, ppp_authentication: [chap]}
l2tp_groups:
  - {name: default, virtual_template: vt1}
database: {url: "postgres://lns:geheim@db/lnsgate", key: "k1 x"}
spool_dir: /var/lib/lnsgate
`

func TestWithADatabaseTheListsMayBeMissing(t *testing.T) {
	cfg, warnings, err := Parse([]byte(shared), "x.yaml")
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	d := cfg.Database
	if !d.Given() || d.URL.Reveal() != "postgres://lns:geheim@db/lnsgate" || d.StatementTimeout != 5*time.Second || d.Key.Reveal() != "k1 x" {
		t.Errorf("got %+v", d)
	}
	if none := parseGood(t, Minimal(), "minimal.yaml").Database; none.Given() {
		t.Errorf("minimal.yaml has the database %v", none)
	}
}

func TestFaultsOfTheDatabase(t *testing.T) {
	for _, c := range []struct {
		name, old, replacement string
		want                   []string
	}{
		{"section without address", "", "database: {block_size: 64}\n", []string{"line 12: database.url: there is no database; add url or url_file"}},
		{"two addresses", "", "database: {url: postgres://a, url_file: f}\n", []string{"line 12: database.url_file: the secret is given twice; keep url or url_file"}},
		{"two addresses to listen at", "", "database: {url: postgres://a, listen_url: postgres://b, listen_url_file: f}\n", []string{
			"line 12: database.listen_url_file: the secret is given twice; keep listen_url or listen_url_file"}},
		{"no address to listen at", "", "database: {url: postgres://a, listen_url: geheim}\n", []string{
			"line 12: database.listen_url: the address of a database is written postgres://user:password@host:5432/name"}},
		{"only an address to listen at", "", "database: {listen_url: postgres://a}\n", []string{"line 12: database.url: there is no database; add url or url_file"}},
		{"no file of an address to listen at", "", "database: {url: postgres://a, listen_url_file: /nowhere/url}\n", []string{
			"line 12: database.listen_url_file: /nowhere/url: no such file or directory"}},
		{"no key file", "", "database: {url: postgres://a, key_file: /nowhere/keys}\n", []string{
			"line 12: database.key_file: there is no file /nowhere/keys; make it with: lnsgate db rotate-key --prepare --key-file /nowhere/keys"}},
		{"another database", "", "database: {url: 'mysql://root:geheim@h/x'}\n", []string{"line 12: database.url: the address of a database begins with postgres://"}},
		{"no address", "", "database: {url: geheim}\n", []string{"line 12: database.url: the address of a database is written postgres://user:password@host:5432/name"}},
		{"numbers", "", "database: {url: postgres://h, pool_connections: 1, statement_timeout: 1ms, block_size: 70000}\n", []string{
			"database.block_size: 70000 is not between 1 and 65536",
			"database.pool_connections: 1 is not between 2 and 1000",
			"database.statement_timeout: 1ms is too short"}},
		{"YAML takes it for a number", "", "database: {url: 12345678}\n", []string{"database.url: YAML takes the value for something else than text"}},
		{"nobody to ask", inDomain, inDomain + ", authentication: [postgres]", []string{
			"line 7: domains[0].authentication[0]: there is no database to ask; add database: {url_file: ...}"}},
		{"name of a node", "", "database: {url: postgres://h}\n" + "node: a b\n", []string{
			`line 13: node: "a b" is not the name of a node`}},
		{"unknown back end", inDomain, inDomain + ", authentication: [ldap]", []string{`there is no back end named "ldap"; there are local, postgres`}},
	} {
		t.Run(c.name, func(t *testing.T) { expectFaults(t, with(t, c.old, c.replacement), c.want) })
	}
	twice := strings.Replace(shared, "database:", "domains: [{name: d, pools: [a, a]}]\ndatabase:", 1)
	expectFaults(t, twice, []string{`domains[0].pools[1]: "a" is listed twice`})
}

func TestWarningsOfTheDatabase(t *testing.T) {
	for _, c := range []struct {
		name, old, replacement string
		want                   []string
	}{
		{"chain", "database:", "domains: [{name: d, authentication: [local, postgres]}]\ndatabase:", nil},
		{"users of the file", "database:", "users: [{name: a@x, password: p, address: 10.0.0.1}]\ndatabase:", nil},
		{"no key", `, key: "k1 x"`, "", []string{"line 6: database: there is no key_file"}},
		{"records that a reboot loses", "spool_dir: /var/lib/lnsgate\n", "", []string{"spool_dir: accounting records"}},
		{"pool elsewhere", "database:", "domains: [{name: d, pools: [p]}]\nusers: [{name: a, password: x, pools: [q]}]\ndatabase:", []string{
			"line 6: domains[0].pools[0]: the pool p is not in this file, so it must be in the database",
			"line 7: users[0].pools[0]: the pool q is not in this file"}},
		{"domain elsewhere", "virtual_template: vt1", "virtual_template: vt1, domain: sales, default_domain: x", []string{
			"line 5: l2tp_groups[0].default_domain: the domain x is not in this file, so it must be in the database",
			"line 5: l2tp_groups[0].domain: the domain sales is not in this file"}},
		{"template that the file does not use", "l2tp_groups:", "  - {name: vt2, address: 10.10.0.2/32, ppp_authentication: [chap]}\nl2tp_groups:", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Count(shared, c.old) != 1 {
				t.Fatalf("%q is not in the file once", c.old)
			}
			_, warnings, err := Parse([]byte(strings.Replace(shared, c.old, c.replacement, 1)), "x.yaml")
			if err != nil {
				t.Fatal(err)
			}
			expectWarnings(t, warnings, c.want)
		})
	}
}

func TestDatabaseByFilesAndEnvironment(t *testing.T) {
	path := write(t, "x.yaml", strings.Replace(shared, `url: "postgres://lns:geheim@db/lnsgate", key: "k1 x"`, "url_file: url, key_file: key", 1), 0o644)
	for name, text := range map[string]string{"url": "postgres://u:p@h/d\n", "key": "k2 new\nk1 old\n"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("LNSGATE_NODE", "west-1")
	t.Setenv("LNSGATE_DATABASE__PREPARED_STATEMENTS", "off")
	cfg, warnings, err := Load(path)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	d := cfg.Database
	if got := fmt.Sprint(cfg.Node, " ", d.URL.Reveal(), " ", d.Key.Reveal(), " ", d.PreparedStatements); got != "west-1 postgres://u:p@h/d k2 new\nk1 old off" {
		t.Errorf("got %s", got)
	}
	// What the environment gives counts, and not the file that the file names.
	t.Setenv("LNSGATE_DATABASE__URL", "postgres://env/d")
	t.Setenv("LNSGATE_DATABASE__KEY", "k3 x")
	if cfg, _, err = Load(path); err != nil || cfg.Database.URL.Reveal() != "postgres://env/d" || cfg.Database.Key.Reveal() != "k3 x" {
		t.Errorf("got %v, %v", cfg, err)
	}
	// An address from the environment does not make the file a secret; one in the file does, if it holds a password.
	text := strings.Replace(shared, `url: "postgres://lns:geheim@db/lnsgate", key: "k1 x"`, "block_size: 64", 1)
	t.Setenv("LNSGATE_DATABASE__URL", "postgres://u:p@h/d")
	t.Setenv("LNSGATE_DATABASE__KEY", "k1 x")
	if _, warnings, err := Load(write(t, "x.yaml", text, 0o644)); err != nil || len(warnings) > 0 {
		t.Error(warnings, err)
	}
	t.Setenv("LNSGATE_DATABASE__URL", "")
	os.Unsetenv("LNSGATE_DATABASE__URL")
	for url, want := range map[string][]string{"postgres://u@h/d": nil, "postgres://u:p@h/d": {"holds secrets"}} {
		text := strings.Replace(text, "block_size: 64", "url: "+url, 1)
		_, warnings, err := Load(write(t, "x.yaml", text, 0o644))
		if err != nil {
			t.Fatal(err)
		}
		expectWarnings(t, warnings, want)
	}
}

// Behind a pooler there are two addresses, given by the same rules.
func TestWhereChangesAreListenedFor(t *testing.T) {
	path := write(t, "x.yaml", strings.Replace(shared, "key:", "listen_url_file: direct, key:", 1), 0o600)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "direct"), []byte("postgres://u:p@direct/d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listenAt := func(path string) string {
		cfg, warnings, err := Load(path)
		if err != nil || len(warnings) > 0 {
			t.Fatal(warnings, err)
		}
		return cfg.Database.ListenAt().Reveal()
	}
	if got := listenAt(path); got != "postgres://u:p@direct/d" {
		t.Errorf("by file: %s", got)
	}
	t.Setenv("LNSGATE_DATABASE__LISTEN_URL", "postgres://env/d")
	if got := listenAt(path); got != "postgres://env/d" {
		t.Errorf("by environment: %s", got)
	}
	os.Unsetenv("LNSGATE_DATABASE__LISTEN_URL")
	if got := listenAt(write(t, "x.yaml", shared, 0o600)); got != "postgres://lns:geheim@db/lnsgate" {
		t.Errorf("by default: %s", got)
	}
	text := strings.Replace(shared, "lns:geheim@db/lnsgate\"", "lns@db/lnsgate\", listen_url: \"postgres://u:p@h/d\"", 1)
	text = strings.Replace(text, `, key: "k1 x"`, "", 1)
	_, warnings, err := Load(write(t, "x.yaml", text, 0o644))
	if err != nil || len(warnings) != 2 || !strings.Contains(fmt.Sprint(warnings), "holds secrets") {
		t.Errorf("a password in listen_url: %v, %v", warnings, err)
	}
}

func TestPasswordsInAddressesAreNeverPrinted(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://lns:geheim@db:5432/lnsgate?sslmode=require":           "postgres://lns:********@db:5432/lnsgate?sslmode=require",
		"postgresql://lns:geheim@a,b:5433/x?target_session_attrs=primary": "postgresql://lns:********@a,b:5433/x?target_session_attrs=primary",
		"postgres://lns:ge/he?im@db/x":                                    "postgres://lns:********@db/x",
		"postgres://lns:ge@he:im@db/x":                                    "postgres://lns:********@db/x",
		"postgres://lns@db/x":                                             "postgres://lns@db/x",
		"postgres://db/x?user=a&password=geheim&sslmode=require":          "postgres://db/x?user=a&password=********&sslmode=require",
		"postgres://db/x?pass%77ord=geheim":                               "postgres://db/x?pass%77ord=********",
		"postgres://db/x?sslpassword=geheim":                              "postgres://db/x?sslpassword=********",
		"host=db user=lns password=geheim dbname=x":                       "host=db user=lns password=******** dbname=x",
		`host=db password = 'ge \' heim' dbname=x`:                        "host=db password=******** dbname=x",
		`host=db password='geheim dbname=x`:                               "host=db password=********",
		`host=db PASSWORD=ge\ heim dbname=x`:                              "host=db PASSWORD=******** dbname=x",
		"geheim":                                                          stars,
		"mysql://root:geheim@h":                                           stars,
		"://geheim":                                                       stars,
		"":                                                                "",
	} {
		u := NewURL(text)
		if got := u.String(); got != want {
			t.Errorf("%s is printed as %s, want %s", text, got, want)
		}
		marshalled, err := json.Marshal(Database{URL: u})
		all := fmt.Sprintf("%v %+v %#v %q %x %+v %s %v", u, u, u, u, &u, Database{URL: u}, marshalled, err)
		if text != "" && (strings.Contains(all, "heim") || strings.Contains(all, fmt.Sprintf("%x", "heim"))) {
			t.Errorf("%s is printed as %s", text, all)
		}
	}
}

func TestNodeIsMadeOfTheHostName(t *testing.T) {
	for host, want := range map[string]string{
		"vm1": "vm1", "lns.Example.com": "lns-Example-com", "_x_": "x", "": "lnsgate", "é": "lnsgate",
		strings.Repeat("a", 62) + ".b": strings.Repeat("a", 62), strings.Repeat("a", 70): strings.Repeat("a", 63),
	} {
		if got := nodeOf(host); got != want || !nodeForm.MatchString(got) {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
	c := &checker{cfg: Default(), lines: map[string]int{}}
	c.cfg.Node, c.cfg.Database.URL, c.cfg.Database.Key = "localhost", NewURL("postgres://h"), NewSecret("k")
	c.warnOfDatabase()
	expectWarnings(t, c.sortedWarnings(), []string{"node: this host is called localhost"})
}
