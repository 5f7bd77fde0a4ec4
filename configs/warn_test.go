package configs

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	const (
		toGroup              = "l2tp_groups:\n  - {name: default, " + inGroup
		toDomain             = toGroup + "}\ndomains:\n  - {" + inDomain
		fromTemplateToDomain = inTemplate + "}\n" + toDomain
		another              = "  - {name: vt2, address: 10.10.0.2/32, ppp_authentication: [pap]}\n"
	)
	office := "headquarters: [{name: office, network: 10.10.0.0/16}]\n"
	for _, c := range []struct {
		name, old, replacement string
		want                   []string
	}{
		{"nothing", "", "", nil},
		{"pool and template inside headquarters", "", office, []string{
			"line 3: virtual_templates[0].address: 10.10.0.1/32 overlaps headquarters network office (10.10.0.0/16)",
			"line 9: pools[0].ranges[0]: it lies in headquarters network office (10.10.0.0/16): lnsgate answers ARP there"}},
		{"proxy ARP is off", "", "headquarters: [{name: office, network: 10.10.1.0/24, proxy_arp: off}]\n", []string{
			"line 9: pools[0].ranges[0]: it lies in headquarters network office (10.10.1.0/24), where proxy_arp is off"}},
		{"headquarters overlap", "", "headquarters: [{name: a, network: 10.0.0.0/9}, {name: b, network: 10.0.0.0/24}]\n", []string{
			"virtual_templates[0].address: 10.10.0.1/32 overlaps",
			"pools[0].ranges[0]: it lies in headquarters network a",
			"line 12: headquarters[1].network: 10.0.0.0/24 overlaps a (10.0.0.0/9)"}},
		{"pool holds our own address", inPool, "ranges: [10.10.0.0/24]", []string{
			"line 9: pools[0].ranges[0]: it contains 10.10.0.1, the address of virtual template vt1, which is never given away"}},
		{"pool in the template's network", inTemplate, "address: 10.10.1.1/24", []string{
			"line 9: pools[0].ranges[0]: it lies in 10.10.1.0/24, the network of virtual template vt1"}},
		{"sizes", inTemplate, inTemplate + ", mru: 1500", []string{
			"line 3: virtual_templates[0].mru: 1500 octets and the headers of the tunnel do not fit into 1500"}},
		{"size of a user", inUser, inUser + ", mtu: 1463", []string{"line 11: users[0].mtu: 1463 octets"}},
		{"size that fits", inUser, inUser + ", mtu: 1462", nil},
		{"nobody uses it", inPool + "}\n", inPool + "}\n  - {name: spare, ranges: [10.9.0.1]}\n", []string{
			"line 10: pools[1]: no domain and no user gets addresses from spare"}},
		{"template that nobody uses", inTemplate + "}\n", inTemplate + "}\n  - {name: vt2, address: 10.10.0.2/32}\n", []string{
			"line 4: virtual_templates[1]: no l2tp group and no domain uses vt2"}},
		{"no address", inDomain, "name: default", []string{
			"line 9: pools[0]: no domain and no user gets addresses from pool1",
			"line 11: users[0]: l2tpuser gets no address: the user has no address and no pools, and neither has domain default"}},
		{"unknown domain of a user", inUser, `name: bob@sales, password: x`, []string{
			`line 11: users[0].name: there is no domain named "sales", so nobody can log in by this name`}},
		{"domain by an alias", inUser, `name: bob@DEFAULT, password: x`, nil},
		{"chap with a hash", inUser, `name: x, nt_hash: "8846F7EAEE8FB117AD06BDD830B7586C"`, []string{
			"line 11: users[0].nt_hash: chap is offered and cannot be checked with an NT hash"}},
		{"domain before the user", inUser, `name: 'SALES\bob', password: x`, []string{
			`line 11: users[0].name: there is no domain named "sales", so nobody can log in by this name`}},
		{"domain before the user, by an alias", inDomain + "}\n", inDomain + ", aliases: [sales]}\n", nil},
		{"methods that are not offered", inDomain, inDomain + ", methods: [pap]", []string{
			"line 7: domains[0].methods: no l2tp group offers any of these to people of default"}},
		{"methods that are offered", inDomain, inDomain + ", methods: [pap, chap]", nil},
		{"methods that only the template of the domain offers", fromTemplateToDomain,
			inTemplate + "}\n" + another + toDomain + ", methods: [pap], virtual_template: vt2",
			[]string{"line 8: domains[0].methods: no l2tp group offers"}},
		{"methods that a group of the domain offers", fromTemplateToDomain,
			inTemplate + "}\n" + another + toGroup + "}\n  - {name: b, virtual_template: vt2, tunnel_names: [x], domain: DEFAULT}\ndomains:\n  - {" + inDomain + ", methods: [pap]", nil},
		{"methods that only a group of another domain offers", fromTemplateToDomain,
			inTemplate + "}\n" + another + toGroup + "}\n  - {name: b, virtual_template: vt2, tunnel_names: [x], domain: other}\ndomains:\n  - {name: other}\n  - {" + inDomain + ", methods: [pap]",
			[]string{"line 10: domains[1].methods: no l2tp group offers any of these to people of default"}},
		{"setup shorter than the check", "", "limits: {setup_timeout: 20s}\n", []string{
			"line 12: limits.setup_timeout: 20s is shorter than authentication_timeout, 30s"}},
		{"check longer than setup", "", "limits: {authentication_timeout: 2m}\n", []string{
			"line 12: limits.setup_timeout: 1m0s is shorter than authentication_timeout, 2m0s"}},
		{"one network behind two users", "users:\n  - {" + inUser + "}\n", "users:\n  - {" + inUser + ", routes: [192.168.50.0/24]}\n  - {name: b, password: x, routes: [10.8.0.0/16, 192.168.50.0/24]}\n" +
			"headquarters:\n  - {name: office, network: 10.8.4.0/24}\n", []string{
			"line 12: users[1].routes[0]: 10.8.0.0/16 overlaps headquarters network office (10.8.4.0/24): b cannot log in over L2TP",
			"line 12: users[1].routes[1]: 192.168.50.0/24 is behind l2tpuser too"}},
		{"port 0", "", "listen: [127.0.0.1:1701, 127.0.0.1:0]\n", []string{
			"line 12: listen[1]: with port 0 every start listens on another port"}},
		{"no users", "users:\n  - {" + inUser + "}\n", "", []string{"users: there is no user; nobody can log in"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, warnings, err := Parse([]byte(with(t, c.old, c.replacement)), "x.yaml")
			if err != nil {
				t.Fatal(err)
			}
			expectWarnings(t, warnings, c.want)
		})
	}
}

func expectWarnings(t *testing.T, warnings []Warning, want []string) {
	t.Helper()
	got := make([]string, len(warnings))
	for i, w := range warnings {
		got[i] = w.String()
	}
	if !slices.EqualFunc(got, want, strings.Contains) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestWarningOfReadableFiles(t *testing.T) {
	for _, c := range []struct {
		name, text string
		mode       uint32
		want       []string
	}{
		{"kept", base, 0o600, nil},
		{"group", base, 0o640, []string{"holds secrets and can be read by other users (mode 0640)"}},
		{"world", base, 0o604, []string{"(mode 0604); chmod 600 it"}},
		{"tunnel secret", strings.Replace(strings.Replace(base, inGroup, inGroup+", tunnel_secret: s", 1), "users:\n  - {"+inUser+"}\n", "", 1), 0o644,
			[]string{"holds secrets", "there is no user"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, warnings, err := Load(write(t, "x.yaml", c.text, os.FileMode(c.mode)))
			if err != nil {
				t.Fatal(err)
			}
			expectWarnings(t, warnings, c.want)
		})
	}
}
