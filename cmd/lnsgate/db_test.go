package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lnsgate/test/pgtest"
)

// cli is an administrator at a database.
type cli struct {
	*testing.T
	dsn string
}

// onDatabase runs every command against a fresh database.
func onDatabase(t *testing.T) cli {
	t.Helper()
	return cli{t, pgtest.DSN(t)}
}

// run is what a person types behind "lnsgate", and gets. Words with blanks stand in the list as they are.
func (c cli) run(stdin string, args ...string) (string, error) {
	c.Helper()
	var out bytes.Buffer
	root := newRootCommand()
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetIn(strings.NewReader(stdin))
	root.SetArgs(append(args, "--database", c.dsn))
	err := root.ExecuteContext(c.Context())
	return out.String(), err
}

// good wants a command line to work and to print this part.
func (c cli) good(want, line string, more ...string) string {
	c.Helper()
	out, err := c.run("geheim\n", append(strings.Fields(line), more...)...)
	if err != nil || !strings.Contains(out, want) {
		c.Errorf("lnsgate %s: %v, printed\n%s\nwant %s", line, err, out, want)
	}
	return out
}

// bad wants a command line to fail in these words.
func (c cli) bad(want, line string, more ...string) {
	c.Helper()
	out, err := c.run("", append(strings.Fields(line), more...)...)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
		c.Errorf("lnsgate %s: %v, printed\n%s\nwant %s", line, err, out, want)
	}
}

// The four commands of the front page, and then a day's work.
func TestADayAtTheDatabase(t *testing.T) {
	c := cli{t, pgtest.Empty(t)}
	c.bad("run lnsgate db migrate", "user list")
	c.bad("run lnsgate db migrate", "db status")
	c.good("applied 00001_types", "db migrate")
	c.good("the schema is up to date", "db migrate")
	c.good("sales: added; 254 of 254 addresses are free", "pool add sales --range 10.20.0.0/24")
	c.good("sales.example: added\n", "domain add sales.example --pool sales")
	c.good("alice@sales.example: added; stands in accounts.password", "user add alice@sales.example --password-stdin")

	c.good("no password yet", "user add bob@sales.example --address 10.20.0.7 --rate-down 10M --valid-until 2030-01-01 --dns 10.0.0.53,10.0.0.54")
	c.good("bob@sales.example: changed; the password stands", "user set bob@sales.example --password-stdin --max-sessions 2 --session-timeout 8h", "--description", "at the desk")
	c.good("blocked; its sessions end", "user block bob@sales.example")
	c.good("bob@sales.example  disabled  sales.example  -        clear     10.20.0.7  sales  0         2", "user list --match BOB")
	c.good("may log in", "user unblock bob@sales.example")
	show := c.good("session_timeout  8h0m0s", "user show bob@sales.example")
	for _, want := range []string{"rate_down        10000000", "dns              10.0.0.53,10.0.0.54", "valid_until      2030-01-01 00:00:00", "description      at the desk", "mtu              -"} {
		if !strings.Contains(show, want) {
			t.Errorf("%q is not in\n%s", want, show)
		}
	}
	c.good("changed", "user set bob@sales.example --reset dns,session-timeout --address= --rename carl@sales.example")
	c.good("carl@sales.example: deleted", "user delete carl@sales.example")

	c.good("sales: changed; 504 of 504", "pool set sales --range 10.21.0.0/24 --exclude 10.21.0.0/30,10.21.0.254")
	c.good("draining", "pool drain sales --range 10.20.0.0/24")
	c.good("sales  10.21.0.0/24  10.20.0.0/24    10.21.0.0/30,10.21.0.254  -         *       1m0s        default  sales.example", "pool list")
	c.good("Leaving", "pool usage sales")
	c.good("in use again", "pool drain sales --range 10.20.0.0/24 --undo")
	c.good("changed", "pool set sales --drop-range 10.21.0.0/24 --drop-exclude 10.21.0.0/30 --quarantine 5m --sticky=false")
	c.bad("a domain still takes addresses from the pool", "pool delete sales")
	c.bad("the domain still has accounts", "domain delete sales.example")
	c.good("it has no pool", "domain set Sales.example --pool= --alias sales --max-account-sessions 1 --methods chap,mschapv2 --rename sales.test")
	c.good("sales.test  sales,sales.example  -        postgres        chap,mschapv2  -      -    1         0         -    1", "domain list")
	c.good("changed", "domain set sales.test --filter office --accounting postgres,billing")
	c.good("changed", "user set alice@sales.example --filter lab")
	c.bad("the name of a filter is not empty", "user set alice@sales.example --filter=")
	c.good("changed", "user set alice@sales.example --route 192.168.50.0/24 --route 10.8.0.0/16")
	c.good("routes           192.168.50.0/24,10.8.0.0/16", "user show alice@sales.example")
	c.bad(`--route: "192.168.50.7/24" has bits behind the prefix; the network is 192.168.50.0/24`, "user set alice@sales.example --route 192.168.50.7/24")
	c.bad(`"10.8.0.1" is not a network such as 192.168.50.0/24`, "user set alice@sales.example --route 10.8.0.1")
	c.bad("routes are at most 32 IPv4 networks such as 192.168.50.0/24, none twice, and not 0.0.0.0/0", "user set alice@sales.example --route 0.0.0.0/0")
	c.good("changed", "user set alice@sales.example --reset route")
	c.good("routes           -", "user show alice@sales.example")
	c.good("sales: deleted", "pool delete sales")
	c.good("alice@sales.example: deleted", "user delete alice@sales.example")
	c.good("sales.test: deleted", "domain delete sales.test")
	c.good("nobody had 10.1.2.3 at 2026-11-17 20:43:00", "who-had 10.1.2.3 --at", "2026-11-17 20:43")
}

func TestProfilesByCommand(t *testing.T) {
	t.Parallel()
	c := onDatabase(t)
	c.good("", "pool add field --range 10.20.0.0/24")
	c.good("field: added; give it to accounts: lnsgate user set NAME --profile field", "profile add field --rate-down 10M --session-timeout 24h --pool field --dns 10.0.0.53", "--description", "on the road")
	c.good("", "user add alice --profile field")
	c.good("field    1         field  -       10000000  24h0m0s         -            -    -    10.0.0.53  on the road", "profile list")
	c.good("rate_down        10000000", "user show alice")
	c.good("field: changed", "profile set field --rate-up 512k --max-sessions 2 --reset session-timeout,dns")
	c.good("field    1         field  512000  10000000  -               -            2    -    -    on the road", "profile list field")
	c.good("field: changed", "profile set field --route 192.168.9.0/24")
	c.good(`"192.168.9.0/24"`, "profile list field -o json")
	c.good("routes           192.168.9.0/24", "user show alice")
	c.good("changed", "user set alice --route=")
	c.good("routes           -", "user show alice")
	c.good("road: changed", "profile set field --rename road")
	c.good("profile          road", "user show alice")
	c.bad("accounts still use the profile\n  see: lnsgate user list --profile", "profile delete road")
	c.bad("a profile of this name already\n  change it with: lnsgate profile set", "profile add road")
	c.bad("there is no such profile\n  make it first: lnsgate profile add", "user set alice --profile gold")
	c.bad("there is no pool 'none'\n  see: lnsgate pool list", "profile set road --pool none")
	c.bad("a rate such as 512k", "profile set road --rate-up fast")
	c.bad(`change the profile "none": there is no profile of this name`, "profile set none")
	c.bad(`delete the profile "none": there is no profile of this name`, "profile delete none")
	c.bad("a profile has a name without blanks", "profile add", "a b")
	c.good("changed", "user set alice --reset profile")
	c.good("road: deleted", "profile delete road")
}

func TestCommandsPrintJSON(t *testing.T) {
	c := onDatabase(t)
	for _, line := range []string{
		"db migrate", "db status", "pool add p --range 10.0.0.1", "pool set p --description x", "pool list", "pool usage", "pool drain p",
		"domain add d --pool p", "domain set d --blocked", "domain list", "profile add f --mtu 1400", "profile set f --mtu 1300", "profile list", "profile delete f", "profile list", "user add a@d --password-stdin", "user set a@d --mtu 1400", "user list",
		"user show a@d", "user block a@d", "user unblock a@d", "user logins", "user logins a@d", "who-had 10.0.0.1", "user delete a@d", "domain delete d", "pool delete p",
		"user list", "domain list", "pool list", "pool usage",
	} {
		out := c.good("", line+" -o json")
		var got any
		if err := json.Unmarshal([]byte(out), &got); err != nil || got == nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	out := c.good(`"session_timeout": 28800`, "domain add e --session-timeout 8h -o json")
	if !strings.Contains(out, `"session_policy": "refuse"`) {
		t.Error(out)
	}
	c.bad("there is no output format", "user list -o xml")
}

func TestMistakesAtTheDatabase(t *testing.T) {
	c := onDatabase(t)
	c.good("", "pool add sales --range 10.20.0.0/24")
	c.good("", "domain add sales --pool sales")
	for _, m := range [][2]string{
		{"there is no domain 'nowhere'\n  make it first: lnsgate domain add", "user add x@nowhere"},
		{"10.20.0.5-10.20.0.5 overlaps 10.20.0.1-10.20.0.254, which is 10.20.0.0/24 of the pool sales", "pool add other --range 10.20.0.5"},
		{"make it first: lnsgate pool add", "domain add x --pool none"},
		{`--session-timeout: "8" is not a length of time`, "user add x --session-timeout 8"},
		{`--rate-up: "fast" is not a rate`, "user add x --rate-up fast"},
		{`--mtu: "big" is not a number`, "user add x --mtu big"},
		{`--valid-from: "soon" is not a time`, "user add x --valid-from soon"},
		{"--reset colour: there is no such setting", "user set x --reset colour"},
		{"--reset dns: there is no such setting, or it is set at the same time", "user set x --reset dns --dns 1.1.1.1"},
		{"the password is empty", "user add x --password-stdin"},
		{"name is not UTF-8\n  set the terminal, or the file, to UTF-8", "user add bad\xff"},
		{"name is not UTF-8", "pool add bad\xff"},
		{"description is not UTF-8", "domain add x --description \xff"},
		{"what was given is not UTF-8\n  set the terminal, or the file, to UTF-8", "domain set sales --pool bad\xff"},
		{"what was given is not UTF-8", "user show bad\xff"},
		{`--address: "10.20.0.300" is not an address`, "user add x --address 10.20.0.300"},
		{`--address: "10.20.0.0/24" is not an address`, "user list --address 10.20.0.0/24"},
		{`--dns: "ns" is not an address`, "domain set sales --dns 10.0.0.1,ns"},
		{`--status: there is no "off"; the states are active, disabled`, "user list --status off"},
		{`there is no pool of the name "x"` + "\n  see: lnsgate pool list", "pool list x"},
		{`there is no pool of the name "x"`, "pool usage x"},
		{`there is no domain of the name "x"`, "domain list x"},
		{`there is no profile of the name "x"`, "profile list x"},
		{"--password-file: open /nowhere", "user add x --password-file /nowhere"},
		{`"10.1" is not an address`, "who-had 10.1"},
		{"name one account", "user set"},
		{"there is no account of this name", "user show x"},
		{"name the key file", "db rotate-key --prepare"},
		{"there is no key", "db rotate-key"},
		{"name the database of FreeRADIUS", "import freeradius"},
	} {
		c.bad(m[0], m[1])
	}
}

func TestWhichDatabase(t *testing.T) {
	t.Setenv(databaseVariable, "")
	if _, err := lnsgate(t, "user", "list"); err == nil || !strings.Contains(err.Error(), "which database? give -c FILE, --database URL, or set LNSGATE_DATABASE__URL") {
		t.Errorf("got %v", err)
	}
	_, err := lnsgate(t, "user", "list", "--database", "postgres://u:geheim@[x/d")
	if err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("got %v", err)
	}
	dsn := pgtest.DSN(t)
	t.Setenv(databaseVariable, dsn)
	if out, err := lnsgate(t, "pool", "add", "p"); err != nil || !strings.Contains(out, "p: added") {
		t.Errorf("%s, %v", out, err)
	}
	os.Unsetenv(databaseVariable)
	directory := t.TempDir()
	file := filepath.Join(directory, "x.yaml")
	text := "virtual_templates: [{name: vt1, address: 10.10.0.1/32}]\nl2tp_groups: [{name: default, virtual_template: vt1}]\ndatabase: {url_file: url, key_file: keys}\n"
	for name, content := range map[string]string{file: text, filepath.Join(directory, "url"): dsn} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The key file that the configuration names is made by the command that says so, without reading the configuration.
	keys := filepath.Join(directory, "keys")
	for _, line := range []string{"db rotate-key --prepare --key-file " + keys + " --id k1", "user add a", "user list", "db status", "db seal", "db rotate-key"} {
		args := strings.Fields(line)
		if !strings.Contains(line, "--prepare") {
			args = append(args, "-c", file)
		}
		if out, err := lnsgate(t, args...); err != nil {
			t.Errorf("%s: %s, %v", line, out, err)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Split(text, "database:")[0]+"domains: [{name: default}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := lnsgate(t, "user", "list", "-c", file); err == nil || !strings.Contains(err.Error(), "names no database") {
		t.Errorf("got %v", err)
	}
}

func TestSealAndRotateByCommand(t *testing.T) {
	c := onDatabase(t)
	keys := filepath.Join(t.TempDir(), "keys")
	c.good("", "user add anna --password-stdin")
	c.good("Passwords  1 clear", "db status")
	c.bad("stay readable in the database, 1 of them: there is no key", "db seal")
	c.good("key k1 added; name it as database.key_file", "db rotate-key --prepare --id k1 --key-file "+keys)
	c.good("no clear password is left", "db seal --key-file "+keys)
	c.good("Passwords  1 sealed, key k1", "db status")
	c.good("key k2 added; copy it to all nodes", "db rotate-key --prepare --id k2 --key-file "+keys)
	c.good("0 passwords sealed with key k1", "db rotate-key --key-file "+keys)
	text, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	if err := os.WriteFile(keys, []byte(lines[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	c.bad("1 could not be opened", "db rotate-key --key-file "+keys)
	if err := os.WriteFile(keys, []byte(lines[1]+lines[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	c.good("1 password sealed with key k2; no other key is in use", "db rotate-key --key-file "+keys)
	c.good("Passwords  1 sealed, key k2", "db status")
}

func TestImportOfUsers(t *testing.T) {
	c := onDatabase(t)
	c.good("", "pool add sales --range 10.20.0.0/24")
	c.good("", "domain add sales")
	file := filepath.Join(t.TempDir(), "people.csv")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("\ufeffname,password,nt_hash,address,pools,session_timeout,disabled,routes\nanna@sales,\"ge,heim\",,10.20.0.7,sales,8h,,192.168.50.0/24 10.8.0.0/16\nbert@sales,,8846F7EAEE8FB117AD06BDD830B7586C,,,,true,\n")
	c.good("2 accounts added, 0 changed (dry run", "user import --dry-run", file)
	c.good("[]", "user list -o json")
	c.good("2 accounts added, 0 changed\n", "user import", file)
	list := c.good("anna@sales  active    sales   -        clear     10.20.0.7  sales  0         -", "user list")
	if !strings.Contains(list, "bert@sales  disabled  sales   -        nt        -          -      0         -") {
		t.Error(list)
	}
	c.good("routes           192.168.50.0/24,10.8.0.0/16", "user show anna@sales")
	c.bad("line 2: there is an account of this name already", "user import", file)
	c.good("0 accounts added, 2 changed", "user import --update", file)
	write("name,address,mtu,routes\nx@nowhere,,,\ngood@sales,10.20.0.8,,\nanna@sales,,,\ny y,,,\nz@sales,10.20.0.7,,\nw@sales,10.20.0.0/24,,\nv@sales,,12345678,\nu@sales,,,192.168.50.7/24\n")
	out, err := c.run("", "user", "import", file)
	if err == nil || out != "" {
		t.Fatalf("%s, %v", out, err)
	}
	for _, want := range []string{
		"line 2: account 'x@nowhere': there is no domain 'nowhere'", "line 4: there is an account of this name already; change it with: lnsgate user set",
		"line 5: nobody could log in by this name", "line 6: another account has this fixed address", "line 7: a fixed address is one address",
		"line 8: an mtu is", `line 9: invalid cidr value: "192.168.50.7/24"`, "7 rows with a fault, nothing was changed",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in\n%v", want, err)
		}
	}
	c.bad("there is no account", "user show good@sales")
	write("name,password\nb\xfcro@sales,\ndora@sales,geheim\xff\nfine@sales,\n")
	if _, err = c.run("", "user", "import", file); err == nil || !strings.Contains(err.Error(), "line 2: name is not UTF-8") ||
		!strings.Contains(err.Error(), "line 3: password is not UTF-8") || strings.Contains(err.Error(), "geheim") {
		t.Errorf("got %v", err)
	}
	for text, want := range map[string]string{
		"":                      "there is no first line",
		"name,colour\n":         `"colour" is no column`,
		"password\n":            "there is no column name",
		"name,nt_hash\na,xyz\n": "line 2: an NT hash has 32",
		"name,password,nt_hash\na,geheim,8846F7EAEE8FB117AD06BDD830B7586C\n": "line 2: the password is given twice",
		"name\na,b\n": "wrong number of fields",
	} {
		write(text)
		c.bad(want, "user import", file)
	}
}

func TestEveryDatabaseCommandHasAnExample(t *testing.T) {
	for _, parent := range newRootCommand().Commands() {
		for _, cmd := range parent.Commands() {
			if cmd.Flags().Lookup("database") != nil && (cmd.Example == "" || cmd.Short == "") {
				t.Errorf("%s has no example", cmd.CommandPath())
			}
		}
	}
}

// Behind PgBouncer in transaction mode every command works too, from an empty database on.
func TestCommandsBehindPgBouncer(t *testing.T) {
	t.Parallel()
	c := cli{t, pgtest.Pooler(t, pgtest.Empty(t))}
	c.good("applied 00001_types", "db migrate")
	c.good("sales: added", "pool add sales --range 10.20.0.0/24")
	c.good("sales.example: added", "domain add sales.example --pool sales --alias sales")
	c.good("field: added", "profile add field --rate-down 10M")
	c.good("added", "user add alice@sales.example --password-stdin --profile field --address 10.20.0.7")
	c.good("changed", "user set alice@sales.example --password-stdin --reset profile")
	c.good("alice@sales.example  active", "user list --domain sales")
	c.good("Passwords  1 clear", "db status")
	keys := filepath.Join(t.TempDir(), "keys")
	c.good("", "db rotate-key --prepare --id k1 --key-file "+keys)
	c.good("no clear password is left", "db seal --key-file "+keys)
	c.good("0 passwords sealed with key k1", "db rotate-key --key-file "+keys)
	c.good("sales", "pool usage")
	c.good("nobody had 10.1.2.3", "who-had 10.1.2.3")
	c.good("alice@sales.example: deleted", "user delete alice@sales.example")
	c.good("the schema is up to date", "db migrate")
}

// The views that lnsgate has in the shape of FreeRADIUS stand in for FreeRADIUS.
func TestImportFreeRADIUSByCommand(t *testing.T) {
	source, c := onDatabase(t), onDatabase(t)
	source.good("", "pool add p --range 10.20.0.0/24")
	source.good("", "domain add sales --pool p")
	source.good("", "user add anna@sales --address 10.20.0.7 --mtu 1400")
	from := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(from, []byte(source.dsn+" search_path=freeradius\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	line := "import freeradius --from-file " + from
	dry := c.good("1 account added, 0 changed, 0 there already", line+" --dry-run")
	for _, want := range []string{"(dry run: nothing was kept)", "made: domain sales", "made: profile sales", "lnsgate domain set DOMAIN --pool POOL",
		"left: user anna@sales: there is no password that could be carried over"} {
		if !strings.Contains(dry, want) {
			t.Errorf("%s is not in\n%s", want, dry)
		}
	}
	c.bad("there is no account", "user show anna@sales")
	c.good("1 account added, 0 changed, 0 there already", line)
	c.good("10.20.0.7", "user show anna@sales")
	c.good("0 accounts added, 0 changed, 1 there already", line)
	c.good(`"changed": 1`, line+" --overwrite -o json")
	c.bad("there is no table radcheck", "import freeradius --from", source.dsn)
	c.bad("give --from or --from-file, not both", line+" --from x")
	c.bad("--from: the address of the database cannot be read", "import freeradius --from", "postgres://u:geheim@[x")
}
