package main

import (
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

// A reload keeps the virtual templates of the start, so a pool may lead nowhere.
func TestAPoolOnAMissingTemplateIsAFault(t *testing.T) {
	c := parse(t, departments)
	c.VirtualTemplates = c.VirtualTemplates[:1]
	if _, err := routes(c); err == nil || !strings.Contains(err.Error(), "pool sales is used on the virtual template vt2, which does not exist") {
		t.Errorf("got %v", err)
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
