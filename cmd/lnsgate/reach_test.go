package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"lnsgate/configs"

	"github.com/google/go-cmp/cmp"
)

const departments = `
virtual_templates:
  - {name: vt1, address: 10.10.0.1/32, ppp_authentication: [chap]}
  - {name: vt2, address: 10.20.0.1/32, ppp_authentication: [chap]}
l2tp_groups:
  - {name: default, virtual_template: vt1}
domains:
  - {name: default, pools: [pool1]}
  - {name: sales.example, aliases: [sell.example], pools: [sales], virtual_template: vt2}
pools:
  - {name: pool1, ranges: [10.10.1.0-10.10.1.255]}
  - {name: sales, ranges: [10.20.1.4-10.20.1.7]}
users:
  - {name: l2tpuser, password: "Admin@123"}
  - {name: alice@sell.example, password: secret, address: 10.20.9.9}
  - {name: bob, password: secret, address: 10.10.1.7}
`

func parse(t *testing.T, text string) *configs.Config {
	t.Helper()
	c, _, err := configs.Parse([]byte(text), "test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func prefixes(texts ...string) (ps []netip.Prefix) {
	for _, text := range texts {
		ps = append(ps, netip.MustParsePrefix(text))
	}
	return ps
}

func TestRoutesLeadIntoTheTemplateOfTheDomain(t *testing.T) {
	got, err := routes(parse(t, departments))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]netip.Prefix{
		"vt1": prefixes("10.10.1.0/24"),
		"vt2": prefixes("10.20.1.4/30", "10.20.9.9/32"), // bob's address lies in pool1, alice's nowhere
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

func TestAPoolOnTwoTemplatesIsAFault(t *testing.T) {
	both := strings.Replace(departments, "pools: [sales]", "pools: [pool1]", 1)
	if _, err := routes(parse(t, both)); err == nil || !strings.Contains(err.Error(), "pool pool1 is used on the virtual templates [vt1 vt2]") {
		t.Errorf("got %v", err)
	}
}

// A reload keeps the virtual templates of the start, so a domain may lead nowhere, whether or not it has a pool.
func TestADomainOnAMissingTemplateIsAFault(t *testing.T) {
	for _, text := range []string{departments, strings.Replace(departments, "pools: [sales], ", "", 1)} {
		c := parse(t, text)
		c.VirtualTemplates = c.VirtualTemplates[:1]
		_, err := routes(c)
		if err == nil || err.Error() != "domains[1].virtual_template: domain sales.example is on the virtual template vt2, "+
			"which does not exist: a new one is made at the next start" {
			t.Errorf("got %v", err)
		}
	}
}

// A domain is the same in small and capital letters, wherever its name stands.
func TestRoutesFoldTheNamesOfDomains(t *testing.T) {
	c := parse(t, strings.NewReplacer("sales.example, aliases: [sell.example]", "Sales.Example, aliases: [SELL.example]",
		"alice@sell", "alice@Sell").Replace(departments))
	got, err := routes(c)
	if err != nil || !covered(got["vt2"], netip.MustParseAddr("10.20.9.9")) || covered(got["vt1"], netip.MustParseAddr("10.20.9.9")) {
		t.Errorf("%v, %v", got, err)
	}
}

const twoGroups = `
virtual_templates:
  - {name: vt1, address: 10.10.0.1/32, ppp_authentication: [chap]}
  - {name: vt2, address: 10.20.0.1/32, ppp_authentication: [chap]}
l2tp_groups:
  - {name: a, virtual_template: vt1, domain: ONE}
  - {name: b, virtual_template: vt2, tunnel_names: [b], domain: zwei}
domains:
  - {name: default}
  - {name: one, pools: [pool1]}
  - {name: two, aliases: [Zwei], pools: [pool2]}
pools:
  - {name: pool1, ranges: [10.10.1.0/24]}
  - {name: pool2, ranges: [10.20.1.0/24]}
users:
  - {name: bob, password: secret}
`

// A group that forces a domain leads its people nowhere else.
func TestRoutesFollowForcedDomains(t *testing.T) {
	got, err := routes(parse(t, twoGroups))
	if err != nil || !covered(got["vt1"], netip.MustParseAddr("10.10.1.9")) || !covered(got["vt2"], netip.MustParseAddr("10.20.1.9")) {
		t.Fatalf("%v, %v", got, err)
	}
	open := strings.Replace(twoGroups, ", domain: zwei", "", 1)
	if _, err := routes(parse(t, open)); err == nil || !strings.Contains(err.Error(), "pools[0]: pool pool1 is used on the virtual templates [vt1 vt2]") {
		t.Errorf("got %v", err)
	}
}

// The same account comes into another domain through another group: its pools and its address follow.
func TestRoutesFollowTheGroupsOfAnAccount(t *testing.T) {
	text := strings.NewReplacer("domain: ONE", "default_domain: ONE", "domain: zwei", "domain: default",
		"name: one,", "name: one, virtual_template: vt2,", "name: two,", "name: two, virtual_template: vt2,").Replace(twoGroups)
	for user, want := range map[string]string{
		"name: bob, pools: [pool1]":                            "",         // ONE and default: vt2 both times
		"name: bob, address: 10.9.9.9":                         "",         // the same
		"name: bob@default, pools: [pool1]":                    "pools[0]", // vt1 through a, vt2 through b
		"name: bob@default, address: 10.9.9.9":                 "users[0].address",
		"name: bob@TWO, address: 10.9.9.9":                     "",
		"name: 'two\\bob', address: 10.9.9.9":                  "",
		"name: bob@default, address: 10.20.1.77":               "users[0].address", // a pool on vt2 does not help on vt1
		"name: bob@nowhere, address: 10.9.9.9":                 "",                 // b alone lets it in
		"name: bob@default, address: 10.9.9.9, pools: [pool1]": "users[0].address", // the address goes before the pools
	} {
		got, err := routes(parse(t, strings.Replace(text, "name: bob", user, 1)))
		if fault, _, _ := strings.Cut(fmt.Sprint(err), ":"); err != nil && fault != want || err == nil && want != "" {
			t.Errorf("%s: %v, want a fault at %q", user, err, want)
		}
		if strings.Contains(user, "10.9.9.9") && want == "" && !covered(got["vt2"], netip.MustParseAddr("10.9.9.9")) {
			t.Errorf("%s: %v", user, got)
		}
	}
}

func TestProxyARPIsSwitchedOffByTheFile(t *testing.T) {
	c := parse(t, departments+`
headquarters:
  - {name: hq, network: 10.20.0.0/16, proxy_arp: off}
`)
	for network, want := range map[string]bool{"10.20.1.0/24": true, "10.30.0.0/24": false} {
		s := segment("eth1", network)
		if got := proxySwitchedOff(c, s); got != want {
			t.Errorf("%s: switched off %v", network, got)
		}
	}
}
