package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lnsgate/aaa/foreign"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radiusserver"
	"lnsgate/test/pgtest"
)

const longSecret = "geheim-geheim-geheim"

// nas wants a command line to work, with a secret on standard input, and to print this part and no secret.
func (c cli) nas(want, line string, more ...string) string {
	c.Helper()
	out, err := c.run(longSecret+"\r\nand more\n", append(strings.Fields("nas "+line), more...)...)
	if err != nil || !strings.Contains(out, want) || strings.Contains(out, "geheim") {
		c.Errorf("lnsgate nas %s: %v, printed\n%s\nwant %s", line, err, out, want)
	}
	return out
}

func TestNASesByCommand(t *testing.T) {
	t.Parallel()
	c := onDatabase(t)
	admin := adminPool(t, c.dsn)
	c.good("", "domain add sales.example --alias sales")
	c.good("", "domain add guests")
	c.nas("router1: added; it is answered within a second\n", "add router1 --source 192.0.2.7 --type mikrotik --secret-stdin --domain Sales --port 0", "--description", "on the roof")
	if got := ask[string](t, admin, "SELECT secret FROM nas"); got != longSecret {
		t.Errorf("the secret is %q", got)
	}
	c.nas("wifi: added", "add wifi --source 2001:db8::/32 --secret-stdin --type wispr --addresses none --message-authenticator require --default-domain guests --certificate-name ap1.example,ap2.example --disabled")
	execute(t, admin, `INSERT INTO sessions(id, node, name, account, nas, nas_client) VALUES ('s1', 'n', 'a', 'a', 'router1', 'router1'),
		('s2', 'n', 'a', 'a', 'router1/east', 'router1'), ('s3', 'n', 'a', 'a', NULL, NULL)`)
	want := "NAS      Source         Type      Sessions  Disabled  Secret  Signed   Addresses  Domain         DefaultDomain  Port  Description\n" +
		"router1  192.0.2.7      mikrotik  2         -         clear   auto     given      sales.example  -              -     on the roof\n" +
		"wifi     2001:db8::/32  wispr     0         *         clear   require  none       -              guests         3799  -\n"
	if got := c.nas("", "list"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	c.nas("router1: changed\n", "set router1 --type cisco --port 1700 --reset domain,description --unsigned-proxies=false")
	c.nas("router1  192.0.2.7  cisco  2         -         clear   auto    given      -       -              1700  -", "list router1")
	c.nas("core: changed; enter the new secret on the NAS now: the old one counts no more", "set router1 --secret-stdin --rename core --source 192.0.2.0/24 --disabled=false")
	c.nas("core: changed\n", "set core")
	c.bad("the domain is still the default of a NAS", "domain delete guests")
	c.nas("", "set wifi --domain guests --reset default-domain")
	c.bad("a NAS still puts its users into the domain\n  see: lnsgate nas list; take it from the NAS: lnsgate nas set NAME --reset domain", "domain delete guests")
	c.nas("core: deleted", "delete core")
	c.nas("wifi: deleted", "delete wifi")
	if got := ask[string](t, admin, "SELECT string_agg(DISTINCT actor || ' ' || application, ', ') FROM audit WHERE table_name = 'nas'"); got != "postgres lnsgate" {
		t.Errorf("audit names %s", got)
	}
}

func TestAGeneratedSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	c := onDatabase(t)
	admin := adminPool(t, c.dsn)
	shown := regexp.MustCompile(`^router1: added; it is answered within a second\n  its secret, which is not shown again: ([a-z2-7]{32})\n$`)
	out := c.nas("", "add router1 --source 192.0.2.7 --generate-secret")
	found := shown.FindStringSubmatch(out)
	if found == nil || ask[string](t, admin, "SELECT secret FROM nas") != found[1] {
		t.Fatalf("printed %q", out)
	}
	if out := c.nas("", "list -o json"); strings.Contains(out, found[1]) {
		t.Error(out)
	}
	var made struct{ Name, Secret, Source string }
	if err := json.Unmarshal([]byte(c.nas("", "set router1 --generate-secret -o json")), &made); err != nil || made.Secret == found[1] || made.Name != "router1" || made.Source != "192.0.2.7/32" {
		t.Errorf("%+v, %v", made, err)
	}
	if got := ask[string](t, admin, "SELECT secret FROM nas"); got != made.Secret || len(got) != 32 {
		t.Errorf("%q and %q", got, made.Secret)
	}
}

// A reader may list NASes.
func TestAReaderListsNASes(t *testing.T) {
	dsn := pgtest.DSN(t)
	admin := adminPool(t, dsn)
	execute(t, admin, "CREATE ROLE reader_of_a_test LOGIN; GRANT lnsgate_reader TO reader_of_a_test; INSERT INTO nas(name, source, secret) VALUES ('r', '192.0.2.7', 'geheim-1234')")
	t.Cleanup(func() { execute(t, admin, "DROP OWNED BY reader_of_a_test; DROP ROLE reader_of_a_test") })
	c := cli{t, pgtest.As(t, dsn, "reader_of_a_test")}
	c.nas("r    192.0.2.7", "list")
	c.bad("permission denied", "nas set r --disabled")
}

func TestNASCommandsPrintJSON(t *testing.T) {
	t.Parallel()
	c := onDatabase(t)
	for _, line := range []string{"list", "add r --source 10.0.0.1 --secret-stdin", "set r --disabled", "list", "delete r"} {
		var got any
		if out := c.nas("", line+" -o json"); json.Unmarshal([]byte(out), &got) != nil || got == nil {
			t.Errorf("%s\n%s", line, out)
		}
	}
}

func TestMistakesWithNASes(t *testing.T) {
	t.Parallel()
	c := onDatabase(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.nas("", "add r1 --source 192.0.2.0/24 --generate-secret")
	for _, m := range [][2]string{
		{"name one NAS", "nas add"},
		{"where does it send from? give --source ADDRESS", "nas add r2 --generate-secret"},
		{"a NAS needs a secret: give --secret-stdin, --secret-file FILE or --generate-secret", "nas add r2 --source 192.0.2.7"},
		{"the secret is empty", "nas add r2 --source 192.0.2.7 --secret-stdin"},
		{"the secret is empty", "nas add r2 --source 192.0.2.7 --secret-file " + empty},
		{"--secret-file: open /nowhere", "nas add r2 --source 192.0.2.7 --secret-file /nowhere"},
		{"[generate-secret secret-stdin] were all set", "nas add r2 --source 192.0.2.7 --secret-stdin --generate-secret"},
		{`--source: "here" is not an address or a network such as 192.0.2.7 or 192.0.2.0/24`, "nas add r2 --source here --generate-secret"},
		{"--source: 192.0.2.7/24 is not a network: it is 192.0.2.0/24, or one address: 192.0.2.7", "nas add r2 --source 192.0.2.7/24 --generate-secret"},
		{"is not an address", "nas add r2 --source fe80::1%eth0 --generate-secret"},
		{"write it as IPv4", "nas add r2 --source ::ffff:192.0.2.7 --generate-secret"},
		{"another NAS has this source already", "nas add r2 --source 192.0.2.0/24 --generate-secret"},
		{`add the NAS "r1": there is a NAS of this name already` + "\n  change it with: lnsgate nas set", "nas add r1 --source 192.0.2.7 --generate-secret"},
		{"a NAS has a name without blanks and slashes", "nas add a/b --source 192.0.2.7 --generate-secret"},
		{"the types of a NAS are standard, mikrotik, cisco, huawei, wispr and accel", "nas set r1 --type routeros"},
		{"message_authenticator is auto, require or off", "nas set r1 --message-authenticator yes"},
		{"addresses are given (by lnsgate, from its pools), named", "nas set r1 --addresses static"},
		{"a port is 1 to 65535", "nas set r1 --port 65536"},
		{`--port: "x" is not a number`, "nas set r1 --port x"},
		{"there is no such domain in the database\n  make it first: lnsgate domain add", "nas set r1 --domain nowhere"},
		{"--reset source: a NAS has a source", "nas set r1 --reset source"},
		{"--reset secret: there is no such setting", "nas set r1 --reset secret"},
		{"the names in a certificate are not empty", `nas set r1 --certificate-name a,,b`},
		{`change the NAS "none": there is no NAS of this name` + "\n  see: lnsgate nas list", "nas set none --disabled"},
		{`delete the NAS "none": there is no NAS of this name`, "nas delete none"},
		{`there is no NAS of the name "none"` + "\n  see: lnsgate nas list", "nas list none"},
	} {
		c.bad(m[0], m[1])
	}
	for secret, want := range map[string]string{
		"geheim7": "a secret has 8 to 256 octets", strings.Repeat("geheim", 43): "a secret has 8 to 256 octets", "geheim\tgeheim": "there is a control character in the secret",
		"geheim-\xff-geheim": "secret is not UTF-8",
	} {
		out, err := c.run(secret+"\n", strings.Fields("nas set r1 --secret-stdin")...)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error()+out, "geheim") {
			t.Errorf("%q: %v %s", secret, err, out)
		}
	}
}

// The row of a rule that has no words is not shown: the secret is in it.
func TestNoErrorShowsARow(t *testing.T) {
	t.Parallel()
	c := onDatabase(t)
	execute(t, adminPool(t, c.dsn), "ALTER TABLE nas ADD CONSTRAINT of_ours CHECK (name <> 'r1')")
	out, err := c.run(longSecret+"\n", strings.Fields("nas add r1 --source 192.0.2.7 --secret-stdin")...)
	if err == nil || !strings.Contains(err.Error(), `"of_ours"`) || strings.Contains(err.Error()+out, "geheim") {
		t.Errorf("%v %s", err, out)
	}
}

func TestDangersOfANASAreTold(t *testing.T) {
	t.Parallel()
	c := onDatabase(t)
	for line, want := range map[string]string{
		"add short --source 10.0.0.1 --secret-stdin":                                   "lnsgate: warning: a secret of 15 octets can be guessed by whoever sees the traffic; --generate-secret makes a good one\n",
		"add unsigned --source 10.0.0.2 --generate-secret --message-authenticator off": "can forge requests and answers (CVE-2024-3596)",
		"add proxy --source 10.0.0.3 --generate-secret --unsigned-proxies":             "have the proxy sign",
		"add all --source 0.0.0.0/0 --generate-secret":                                 "anybody may ask who knows or guesses the secret",
		"add good --source 10.0.0.4 --generate-secret --message-authenticator require": "",
	} {
		out, err := c.run("fifteen-octets!\n", strings.Fields("nas "+line)...)
		if err != nil || !strings.Contains(out, want) || strings.Contains(out, "warning") != (want != "") {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
}

func TestNASSecretsAreSealedAndRotatedByCommand(t *testing.T) {
	t.Parallel()
	c := onDatabase(t)
	keys := filepath.Join(t.TempDir(), "keys")
	c.nas("", "add r1 --source 10.0.0.1 --secret-stdin")
	c.nas("", "add r2 --source 10.0.0.2 --secret-stdin")
	c.good("NAS secrets  2 clear", "db status")
	c.bad("stay readable in the database, 2 of them", "db seal")
	c.good("", "db rotate-key --prepare --id k1 --key-file "+keys)
	c.good("no clear password is left in the database, and no clear secret of a NAS", "db seal --key-file "+keys)
	c.good("NAS secrets  2 sealed, key k1", "db status")
	c.nas("r1   10.0.0.1  standard  0         -         key k1", "list")
	c.good("", "db rotate-key --prepare --id k2 --key-file "+keys)
	text, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	if err := os.WriteFile(keys, []byte(lines[1]+lines[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	c.good("0 passwords and 2 NAS secrets sealed with key k2; no other key is in use", "db rotate-key --key-file "+keys)
	c.good("NAS secrets  2 sealed, key k2", "db status")
}

func TestCheckLooksAtNASes(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	c := cli{t, dsn}
	c.good("", "domain add default")
	c.nas("", "add good --source 10.0.0.1 --generate-secret")
	c.nas("", "add off --source 10.0.0.2 --secret-stdin --disabled")
	execute(t, adminPool(t, dsn), `INSERT INTO nas(name, source, secret) VALUES ('weak', '10.0.0.3', '123456789'), ('twin', '192.0.2.1', 'a secret that is long enough');
		INSERT INTO nas(name, source, sealed, key_id) VALUES ('lost', '10.0.0.4', 'sealed with a key that nobody has any more', 'k9')`)
	server := "radius_server: {listen: [127.0.0.1:0], accounting_listen: [], clients: [{name: other, source: 192.0.2.1/32, secret: a secret that is long enough}]}\n"
	out, err := checkAgainst(t, dsn, "", server)
	if err != nil {
		t.Fatal(err, out)
	}
	for _, want := range []string{
		`warning: database: the secret of the NAS "lost" is sealed: key "k9": there is no such key in the key file of this node; copy the key file from another node`,
		`warning: database: NAS "weak": a secret of 9 octets can be guessed`,
		`warning: database: radius_server.clients has a NAS of this name or source too, and the file counts: NAS "twin", source 192.0.2.1/32`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("not said: %s", want)
		}
	}
	if strings.Contains(out, `"good"`) || strings.Contains(out, `"off"`) || strings.Contains(out, "can be read") || t.Failed() {
		t.Errorf("got\n%s", out)
	}
	if out, err = checkAgainst(t, dsn, "", ""); err != nil || strings.Contains(out, "NAS") {
		t.Errorf("a node that answers nobody: %v\n%s", err, out)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "x.yaml")
	text := "state_dir: " + folder + "\nvirtual_templates: [{name: vt1, address: 10.10.0.1/32}]\nl2tp_groups: [{name: default, virtual_template: vt1}]\ndatabase: {url: \"" + dsn + "\"}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := lnsgate(t, "check", "-c", file); err != nil || !strings.Contains(out, "3 NAS secrets can be read in the database: there is no key to seal with") {
		t.Errorf("without a key: %v\n%s", err, out)
	}
}

// What the table takes is what the RADIUS server knows, and the other way round.
func TestTheWordsOfTheTableAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	c := onDatabase(t)
	admin := adminPool(t, c.dsn)
	words := func(constraint string) string {
		return ask[string](t, admin, `SELECT string_agg(w[1], ' ' ORDER BY w[1]) FROM pg_constraint, regexp_matches(pg_get_constraintdef(oid), '''([a-z0-9]+)''', 'g') w WHERE conname = '`+constraint+`'`)
	}
	for _, name := range strings.Fields(words("nas_type")) {
		if _, err := dialect.ParseEquipment(name); err != nil {
			t.Error(err)
		}
	}
	for e := dialect.Standard; ; e++ {
		if _, err := dialect.ParseEquipment(e.String()); err != nil {
			break // there are no more
		}
		if _, err := admin.Exec(t.Context(), "INSERT INTO nas(name, source, secret, type) VALUES ($1, ('10.0.0.' || $2::int)::cidr, 'geheim-1234', $1)", e.String(), int(e)); err != nil {
			t.Error(err)
		}
	}
	if got, want := words("nas_message_authenticator"), []string{radiusserver.Auto.String(), radiusserver.Off.String(), radiusserver.Require.String()}; got != strings.Join(want, " ") {
		t.Errorf("%s, want %s", got, want)
	}
	if got := len(strings.Fields(words("nas_addresses"))); got != int(foreign.None)+1 {
		t.Errorf("%d ways to give addresses", got)
	}
}
