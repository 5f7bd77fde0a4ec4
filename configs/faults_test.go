package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// base is a good file whose parts a test replaces or adds to.
const base = `
virtual_templates:
  - {name: vt1, address: 10.10.0.1/32, ppp_authentication: [chap]}
l2tp_groups:
  - {name: default, virtual_template: vt1}
domains:
  - {name: default, pools: [pool1]}
pools:
  - {name: pool1, ranges: [10.10.1.10-10.10.1.250]}
users:
  - {name: l2tpuser, password: "Admin@123"}
`

// with replaces one part of base, or adds to its end.
func with(t testing.TB, old, replacement string) string {
	t.Helper()
	if old == "" {
		return base + replacement
	}
	if strings.Count(base, old) != 1 {
		t.Fatalf("%q is not in the base once", old)
	}
	return strings.Replace(base, old, replacement, 1)
}

const (
	inTemplate = "address: 10.10.0.1/32, ppp_authentication: [chap]"
	inGroup    = "virtual_template: vt1"
	inDomain   = "name: default, pools: [pool1]"
	inPool     = "ranges: [10.10.1.10-10.10.1.250]"
	inUser     = `name: l2tpuser, password: "Admin@123"`
)

func thirtyThree() string {
	var networks []string
	for i := range 33 {
		networks = append(networks, fmt.Sprintf("10.%d.0.0/16", i))
	}
	return strings.Join(networks, ", ")
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name, old, replacement string
		want                   []string
	}{
		{"unknown key", "", "limit: {}\n", []string{"line 12: limit: unknown key; did you mean limits?"}},
		{"unknown key far from all", "", "xyzzyplugh: 1\n", []string{"line 12: xyzzyplugh: unknown key; known here are node, listen"}},
		{"key of another place", "", "datapath: ebpf\n", []string{"line 12: datapath: unknown key here, it is one of virtual_templates[]; did you mean database?"}},
		{"key of the top", inUser, inUser + ", spool_dir: /x",
			[]string{"line 11: users[0].spool_dir: unknown key here, it is one of the top of the file; known here are name"}},
		{"unknown key in a list", inUser, inUser + ", pasword: x",
			[]string{"line 11: users[0].pasword: unknown key; did you mean password?"}},
		{"capitals", "", "Forwarding: false\n", []string{"line 12: Forwarding: unknown key; keys are written in small letters: forwarding"}},
		{"capitals that viper would fold over the good key", inUser, inUser + ", Password: other",
			[]string{"line 11: users[0].Password: unknown key; keys are written in small letters: password"}},
		{"a key with viper's delimiter", "", "\"log::level\": debug\n", []string{"line 12: log::level: unknown key"}},
		{"a key with dots", "", "log.level: debug\n", []string{"line 12: log.level: unknown key"}},
		{"key twice", "", "forwarding: true\nforwarding: false\n", []string{"line 13: forwarding: the key is written twice"}},
		{"a key that is no text", "", "7: x\n", []string{"line 12: 7: a key must be plain text"}},
		{"name that YAML takes for octal", inUser, `name: 007, password: "x"`,
			[]string{"line 11: users[0].name: YAML takes 007 for something else than text; put it in quotes"}},
		{"password that YAML takes for octal", inUser, `name: bond, password: 0123`,
			[]string{"line 11: users[0].password: YAML takes the value for something else than text; put it in quotes"}},
		{"name that is a truth", inUser, `name: true, password: "x"`,
			[]string{"line 11: users[0].name: YAML takes true for something else than text"}},
		{"octal number", inTemplate, inTemplate + ", mru: 01400",
			[]string{`line 3: virtual_templates[0].mru: write "01400" as a plain decimal number`}},
		{"number in quotes", inTemplate, inTemplate + `, mru: "1400"`,
			[]string{"line 3: virtual_templates[0].mru: a number is expected, not 1400"}},
		{"truth in quotes", "", "forwarding: \"yes\"\n", []string{`line 12: forwarding: write true or false, not "yes"`}},
		{"duration without unit", "", "limits: {setup_timeout: 60}\n",
			[]string{"line 12: limits.setup_timeout: a duration needs a unit, such as 60s"}},
		{"durations", "", "limits: {setup_timeout: soon, authentication_timeout: -3s}\n", []string{
			`line 12: limits.authentication_timeout: the duration "-3s" is less than nothing`,
			`line 12: limits.setup_timeout: "soon" is not a duration`}},
		{"no value", "", "state_dir:\n", []string{"line 12: state_dir: there is no value"}},
		{"one value for a list", inDomain, "name: default, pools: pool1",
			[]string{"line 7: domains[0].pools: write it as a list: [pool1]"}},
		{"list for one value", "", "state_dir: [/a]\n", []string{"line 12: state_dir: one value is expected here"}},
		{"map for a list", "users:\n  - {" + inUser + "}\n", "users:\n  Alice@Example.COM: {password: x}\n",
			[]string{"line 11: users: write it as a list"}},
		{"text for keys", "", "log: debug\n", []string{"line 12: log: keys are expected here: level, format"}},
		{"networks behind a user", inUser, inUser + `, routes: [192.168.50.0/24, 0.0.0.0/0, 192.168.50.7/24, 192.168.50.0/24, "2001:db8::/32", 224.1.0.0/16, 10.9.0.1]`, []string{
			"line 11: users[0].routes[1]: 0.0.0.0/0 is everything",
			"line 11: users[0].routes[2]: 192.168.50.7/24 has bits set behind the prefix; the network is 192.168.50.0/24",
			"line 11: users[0].routes[3]: 192.168.50.0/24 is listed twice",
			"line 11: users[0].routes[4]: 2001:db8::/32 is not an IPv4 network",
			"line 11: users[0].routes[5]: 224.1.0.0/16 is no network that a user can have",
			`line 11: users[0].routes[6]: "10.9.0.1" is not a network like 192.168.1.0/24; this address alone is 10.9.0.1/32`}},
		{"too many networks behind a user", inUser, inUser + ", routes: [" + thirtyThree() + "]",
			[]string{"line 11: users[0].routes: 33 networks are listed; there is room for 32"}},
		{"alias", inUser, `name: &n l2tpuser, password: *n`, []string{
			"line 11: users[0].name: anchors and aliases are not supported",
			"line 11: users[0].password: anchors and aliases are not supported"}},
		{"unknown words", "", "log: {level: loud, format: xml}\nudp: {gso: maybe}\n", []string{
			`line 12: log.format: "xml" is not one of text, json`,
			`line 12: log.level: "loud" is not one of debug, info, warn, error`,
			`line 13: udp.gso: "maybe" is not one of auto, on, off`}},
		{"joined and spread", "", "udp: {spread: sessions, gro: on}\n", []string{
			"line 12: udp.gro: on is not possible with spread: sessions"}},
		{"sizes", "", "udp: {receive_buffer: 4MB, send_buffer: 1KiB}\n", []string{
			`line 12: udp.receive_buffer: "4MB" is not a size like 512KiB or 4MiB`,
			"line 12: udp.send_buffer: 1KiB is not between 64KiB and 1GiB"}},
		{"trace", "", "trace: {memory: 100KiB, keep_days: -1}\n", []string{
			"line 12: trace.keep_days: -1 is not between 0 and 36500",
			"line 12: trace.memory: 100KiB is neither 0 nor between 1MiB and 4GiB"}},
		{"trace steps", "", "trace: {steps: some, rows: few}\n", []string{
			`line 12: trace.rows: "few" is not one of failed, all, none`, `line 12: trace.steps: "some" is not one of failed, all, none`}},
		{"listen", "", "listen: [1701, 0.0.0.0:1701, 0.0.0.0:1701, \"\"]\nadmin_socket: run.sock\n", []string{
			"line 12: listen[0]: YAML takes 1701 for something else",
			"line 12: listen[2]: 0.0.0.0:1701 is listed twice",
			`line 12: listen[3]: "" is not an address with a port`,
			`line 13: admin_socket: "run.sock" is not an absolute path`}},
		{"limits", "", "limits:\n  tunnels: 0\n  sessions_per_tunnel: 65536\n  half_open: -1\n", []string{
			"line 13: limits.tunnels: 0 is not between 1 and 65535",
			"line 14: limits.sessions_per_tunnel: 65536 is not between 1 and 65535",
			"line 15: limits.half_open: -1 is not between 1 and 65535"}},
		{"headquarters", "", "headquarters:\n  - {name: a, network: 192.168.1.5/24}\n  - {name: a, interface: a/b}\n", []string{
			"line 13: headquarters[0].network: 192.168.1.5/24 has bits set behind the prefix; the network is 192.168.1.0/24",
			`line 14: headquarters[1].interface: "a/b" cannot be the name of a Linux interface`,
			`line 14: headquarters[1].name: the name "a" is taken by headquarters[0]`,
			"line 14: headquarters[1].network: there is no network"}},
		{"virtual template", inTemplate, "ppp_authentication: [chap, spap, chap], mru: 100, tcp_mss: 20, echo_failures: 0, dns: [8.8.8.8, 8.8.4.4, 1.1.1.1, \"::1\"]", []string{
			"line 3: virtual_templates[0].address: there is no address",
			"line 3: virtual_templates[0].dns: 4 servers are listed",
			"line 3: virtual_templates[0].echo_failures: 0 is not between 1 and 100",
			"line 3: virtual_templates[0].mru: 100 is not between 128 and 1500",
			`line 3: virtual_templates[0].ppp_authentication[1]: "spap" is not one of pap, chap, mschapv2`,
			"line 3: virtual_templates[0].ppp_authentication[2]: chap is listed twice",
			"line 3: virtual_templates[0].tcp_mss: 20 is not between 88 and 1460"}},
		{"a method of NASes only", inTemplate, "ppp_authentication: [chap, mschapv1]", []string{
			"line 3: virtual_templates[0].address: there is no address",
			"line 3: virtual_templates[0].ppp_authentication[1]: mschapv1 is not offered on links of lnsgate itself"}},
		{"virtual template without methods", inTemplate, "address: 0.0.0.0/0, ppp_authentication: []", []string{
			"line 3: virtual_templates[0].address: 0.0.0.0 cannot be the address of a host",
			"line 3: virtual_templates[0].ppp_authentication: no method is offered"}},
		{"long interface name", "name: vt1", "name: virtual-template-1", []string{
			`line 3: virtual_templates[0].name: "virtual-template-1" cannot be the name of a Linux interface`,
			`line 5: l2tp_groups[0].virtual_template: there is no virtual template named "vt1"; there are virtual-template-1`}},
		{"group", inGroup, "virtual_template: vt2, tunnel_authentication: true, hide_avps: true, domain: sales, sources: [10.0.0.1/8], retransmit_cap: 10ms, transmissions: 0", []string{
			`line 5: l2tp_groups[0].domain: there is no domain named "sales"; there are default`,
			"line 5: l2tp_groups[0].hide_avps: a secret is needed",
			"line 5: l2tp_groups[0].retransmit_cap: 10ms is shorter than 8s, the least that RFC 2661 section 5.8 allows",
			"line 5: l2tp_groups[0].sources[0]: 10.0.0.1/8 has bits set",
			"line 5: l2tp_groups[0].transmissions: 0 is not between 1 and 20",
			"line 5: l2tp_groups[0].tunnel_authentication: a secret is needed; add tunnel_secret or tunnel_secret_file",
			`line 5: l2tp_groups[0].virtual_template: there is no virtual template named "vt2"; there are vt1`}},
		{"two groups for everybody", inGroup + "}\n", inGroup + "}\n  - {name: b, virtual_template: vt1}\n",
			[]string{"line 6: l2tp_groups[1]: l2tp_groups[0] already matches every peer"}},
		{"two groups for one peer", inGroup + "}\n", inGroup + ", tunnel_names: [x]}\n  - {name: b, virtual_template: vt1, tunnel_names: [x]}\n" +
			"  - {name: c, virtual_template: vt1, sources: [10.0.0.0/8]}\n  - {name: d, virtual_template: vt1, sources: [10.0.0.0/8]}\n", []string{
			`line 6: l2tp_groups[1].tunnel_names[0]: l2tp_groups[0] already matches the peer "x"`,
			"line 8: l2tp_groups[3].sources[0]: l2tp_groups[2] already matches peers from 10.0.0.0/8"}},
		{"domain", inDomain, "name: default, authentication: [ldap], pools: [pool1, pool2, pool1], virtual_template: vt9, mtu: 60, methods: [pap, pap]", []string{
			`line 7: domains[0].authentication[0]: there is no back end named "ldap"; there are local`,
			"line 7: domains[0].methods[1]: pap is listed twice",
			"line 7: domains[0].mtu: 60 is not between 128 and 1500",
			`line 7: domains[0].pools[1]: there is no pool named "pool2"; there are pool1`,
			`line 7: domains[0].pools[2]: "pool1" is listed twice`,
			`line 7: domains[0].virtual_template: there is no virtual template named "vt9"`}},
		{"domain names", inDomain + "}\n", inDomain + "}\n  - {name: DEFAULT}\n  - {name: a, aliases: [Default, b], authentication: []}\n  - {name: b}\n", []string{
			`line 8: domains[1].name: the name "default" is taken by domains[0]`,
			`line 9: domains[2].aliases[0]: the name "Default" is taken by domains[1]`,
			`line 9: domains[2].aliases[1]: the name "b" is taken by domains[3]`,
			"line 9: domains[2].authentication: nothing is listed that could check a user"}},
		{"default domain", "", "default_domain: sales\n", []string{`line 12: default_domain: there is no domain named "sales"; there are default`}},
		{"ranges", inPool, "ranges: [10.0.0.9-10.0.0.1, 10.0.0.5/24, abc, 10.0.0.1-::1, 2001:db8::/64]", []string{
			"line 7: domains[0].pools[0]: pool pool1 gives IPv6 prefixes",
			"line 9: pools[0].prefix_length: IPv6 is given in prefixes",
			`line 9: pools[0].ranges[0]: "10.0.0.9-10.0.0.1" ends before it begins`,
			`line 9: pools[0].ranges[1]: "10.0.0.5/24" has bits set behind the prefix; the network is 10.0.0.0/24`,
			`line 9: pools[0].ranges[2]: "abc" is not an IP address`,
			`line 9: pools[0].ranges[3]: "10.0.0.1-::1" mixes IPv4 and IPv6`}},
		{"ranges that no host can have", inPool, "ranges: [126.255.255.250-127.0.0.5, 10.10.1.10-224.0.0.5, 1.0.0.0-200.0.0.0, 0.0.0.1-0.0.0.9, 240.0.0.0/8, 127.0.0.9]", []string{
			"line 9: pools[0].ranges[0]: 126.255.255.250-127.0.0.5 holds addresses of 127.0.0.0/8, which no host can have",
			"line 9: pools[0].ranges[1]: 10.10.1.10-224.0.0.5 holds addresses of 127.0.0.0/8",
			"line 9: pools[0].ranges[2]: 1.0.0.0-200.0.0.0 holds addresses of 127.0.0.0/8",
			"line 9: pools[0].ranges[3]: 0.0.0.1-0.0.0.9 holds addresses of 0.0.0.0/8",
			"line 9: pools[0].ranges[4]: 240.0.0.1-240.255.255.254 holds addresses of 224.0.0.0/3",
			"line 9: pools[0].ranges[5]: 127.0.0.9 cannot be the address of a host"}},
		{"overlap", inPool + "}\n", inPool + "}\n  - {name: pool2, ranges: [10.10.1.250-10.10.2.10]}\n",
			[]string{"line 10: pools[1].ranges[0]: 10.10.1.250-10.10.2.10 overlaps pools[0].ranges[0], which has 10.10.1.10-10.10.1.250"}},
		{"nothing left", inPool, inPool + ", exclude: [10.10.0.0/16]",
			[]string{"line 9: pools[0].exclude: the exclusions leave no address in the pool"}},
		{"no range", inPool, "quarantine: 5s", []string{"line 9: pools[0].ranges: there is no range"}},
		{"user without password", inUser, "name: l2tpuser", []string{"line 11: users[0].password: there is no password"}},
		{"user with two passwords", inUser, inUser + `, nt_hash: "8846F7EAEE8FB117AD06BDD830B7586"`, []string{
			"line 11: users[0].nt_hash: the password is given twice"}},
		{"wrong hash", inUser, `name: x, nt_hash: "8846F7EAEE8FB117AD06BDD830B7586"`, []string{
			"line 11: users[0].nt_hash: an NT hash has 32 hexadecimal digits"}},
		{"hash of the empty password", inUser, `name: x, nt_hash: "31D6cfe0d16ae931b73c59d7e0c089c0"`, []string{
			"line 11: users[0].nt_hash: this is the NT hash of the empty password"}},
		{"password that MS-CHAPv2 cannot hash", inUser, "name: x, password: " + strings.Repeat("é", 257), []string{
			"line 11: users[0].password: the password is longer than 256 UTF-16 units"}},
		{"names that nobody can log in by", inUser + "}\n", "name: a..b, password: x}\n  - {name: bob@, password: x}\n  - {name: '\\bob', password: x}\n" +
			"  - {name: '@default', password: x}\n  - {name: bob@.default, password: x}\n", []string{
			`line 11: users[0].name: the name "a..b" has two dots in a row`,
			`line 12: users[1].name: the domain in "bob@" is empty`,
			`line 13: users[2].name: the domain in "\\bob" is empty`,
			`line 14: users[3].name: the name "@default" has no user before the domain`,
			`line 15: users[4].name: the domain in "bob@.default" is empty, or starts or ends with a dot`}},
		{"domains that nobody can type", inDomain + "}\n", inDomain + "}\n  - {name: .x}\n  - {name: 'a\\b'}\n  - {name: c, aliases: [a@b, d., e..f, \"\", a b]}\n", []string{
			`line 8: domains[1].name: ".x": a domain does not start or end with a dot`,
			`line 9: domains[2].name: "a\\b": a domain is written without the @ or \`,
			`line 10: domains[3].aliases[0]: "a@b": a domain is written without the @`,
			`line 10: domains[3].aliases[1]: "d.": a domain does not start or end with a dot`,
			`line 10: domains[3].aliases[2]: the name "e..f" has two dots in a row`,
			"line 10: domains[3].aliases[3]: the name is empty",
			`line 10: domains[3].aliases[4]: the name "a b" holds white space`}},
		{"long host name", inGroup, inGroup + ", tunnel_name: " + strings.Repeat("x", 254), []string{
			"line 5: l2tp_groups[0].tunnel_name: the host name that peers see is longer than 253 octets"}},
		{"host name of two lines", inGroup, inGroup + `, tunnel_name: "a\nb"`, []string{
			`line 5: l2tp_groups[0].tunnel_name: the host name "a\nb" holds control characters`}},
		{"users", inUser + "}\n", inUser + ", address: 10.10.0.1}\n  - {name: l2tpuser, password: x, address: 10.10.9.9}\n  - {name: \"a b\", password: x, address: 10.10.9.9, pools: [p]}\n", []string{
			"line 11: users[0].address: 10.10.0.1 is the address of virtual_templates[0]",
			`line 12: users[1].name: the name "l2tpuser" is taken by users[0]`,
			"line 13: users[2].address: 10.10.9.9 is the address of users[1]",
			`line 13: users[2].name: the name "a b" holds white space`,
			`line 13: users[2].pools[0]: there is no pool named "p"; there are pool1`}},
		{"interface names that Linux would take for something else", "", "headquarters:\n  - {name: a, network: 10.0.0.0/8, interface: lo}\n" +
			"  - {name: b, network: 10.0.0.0/8, interface: all}\n  - {name: c, network: 10.0.0.0/8, interface: \"vt%d\"}\n", []string{
			`line 13: headquarters[0].interface: "lo" cannot be the name of a Linux interface here`,
			`line 14: headquarters[1].interface: "all" cannot be the name of a Linux interface here`,
			`line 15: headquarters[2].interface: "vt%d" cannot be the name of a Linux interface: at most 15 octets, no space, slash, colon or percent sign`}},
		{"two documents", "", "---\nforwarding: false\n", []string{"the file holds more than one YAML document"}},
	} {
		t.Run(c.name, func(t *testing.T) { expectFaults(t, with(t, c.old, c.replacement), c.want) })
	}
}

func TestFaultsOfWholeFiles(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{"the file is empty"}},
		{"only a comment", "# nothing\n", []string{"the file is empty"}},
		{"null", "~\n", []string{"the file is empty"}},
		{"not YAML", "listen: [\nusers: }\n", []string{"this is not YAML"}},
		{"a tab", "log:\n\tlevel: info\n", []string{"line 2: this is not YAML: found character that cannot start any token"}},
		{"text", "hello\n", []string{"line 1: keys are expected here: node, listen"}},
		{"nothing to dial into", "forwarding: true\n", []string{
			"domains: there is no domain", "l2tp_groups: there is no l2tp group", "virtual_templates: there is no virtual template"}},
	} {
		t.Run(c.name, func(t *testing.T) { expectFaults(t, c.text, c.want) })
	}
}

// expectFaults wants exactly these faults, each beginning with or holding the text, in this order.
func expectFaults(t *testing.T, text string, want []string) {
	t.Helper()
	cfg, _, err := Parse([]byte(text), "test.yaml")
	var faults *Faults
	if !errors.As(err, &faults) || cfg != nil {
		t.Fatalf("got %v, want faults %q", err, want)
	}
	got := make([]string, len(faults.List))
	for i, f := range faults.List {
		got[i] = f.String()
	}
	if !slices.EqualFunc(got, want, strings.Contains) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != len(want) || !strings.HasPrefix(lines[0], "test.yaml: ") {
		t.Errorf("the error prints %q", err)
	}
}

// Whoever looks further into a configuration finds places, and leaves the lines and the order to the file.
func TestPlaceFindsTheLines(t *testing.T) {
	path := write(t, "x.yaml", base, 0o600)
	faults := Place(path, []Fault{{Path: "users[0].address", Message: "b"}, {Path: "pools[0]", Message: "a"}, {Message: "whole"}})
	want := path + ": whole\n" + path + ": line 9: pools[0]: a\n" + path + ": line 11: users[0].address: b"
	if faults.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", faults, want)
	}
	if err := Place("/nowhere", []Fault{{Path: "pools[0]", Message: "a"}}); err.Error() != "/nowhere: pools[0]: a" {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Minimal())
	f.Add(Reference())
	f.Add([]byte("users: [{name: &a [*a]}]"))
	f.Add([]byte("? {a: b}\n: c\n<<: {d: e}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, _, err := Parse(data, t.TempDir()+"/x.yaml")
		if (cfg == nil) == (err == nil) {
			t.Fatalf("neither a configuration nor faults: %v", err)
		}
		if err != nil && err.Error() == "" {
			t.Fatal("the file was refused without a reason")
		}
	})
}
