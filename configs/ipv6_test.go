package configs

import (
	"strings"
	"testing"
)

// dualStack is a whole file with IPv6 in it.
const dualStack = `virtual_templates:
  - {name: vt1, address: 10.10.0.1/32, ipv6: true, ipv6_address: "2001:db8::1", ipv6_dns: ["2001:db8::53"]}
l2tp_groups:
  - {name: default, virtual_template: vt1}
domains:
  - {name: default, pools: [four], ipv6_pools: [links], delegated_pools: [sites]}
pools:
  - {name: four, ranges: [10.10.1.0/24]}
  - {name: links, ranges: ["2001:db8:100::/40"], prefix_length: 64}
  - {name: sites, ranges: ["2001:db8:200::-2001:db8:2ff:ff00::"], exclude: ["2001:db8:200::1"], prefix_length: 56}
users:
  - {name: bob, password: "Bob@1234", ipv6_prefix: "2001:db8:f00::/64", delegated_prefix: "2001:db8:f10::/48"}
`

func TestPoolsOfPrefixesMeanWholeOnes(t *testing.T) {
	c := parseGood(t, []byte(dualStack), "dual.yaml")
	for i, want := range map[int]string{
		0: "10.10.1.1-10.10.1.254", 1: "2001:db8:100::-2001:db8:1ff:ffff:ffff:ffff:ffff:ffff", 2: "2001:db8:200::-2001:db8:2ff:ffff:ffff:ffff:ffff:ffff",
	} {
		if got := c.Pools[i].Ranges[0].String(); got != want {
			t.Errorf("%s: %s, want %s", c.Pools[i].Name, got, want)
		}
	}
	if got := c.Pools[2].Exclude[0].String(); got != "2001:db8:200::-2001:db8:200:ff:ffff:ffff:ffff:ffff" {
		t.Errorf("excluded: %s", got)
	}
	if u := c.Users[0]; u.IPv6Prefix.String() != "2001:db8:f00::/64" || u.Delegated.Bits() != 48 || !c.VirtualTemplates[0].IPv6 {
		t.Errorf("%+v", u)
	}
}

func TestFaultsOfIPv6(t *testing.T) {
	for name, c := range map[string]struct {
		old, replacement string
		want             []string
	}{
		"length of IPv4":       {"name: four,", "name: four, prefix_length: 24,", []string{"line 8: pools[0].prefix_length: IPv4 is given in single addresses"}},
		"two families":         {`["2001:db8:100::/40"]`, `["2001:db8:100::/40", 10.9.0.0/24]`, []string{"line 9: pools[1].ranges[1]: 10.9.0.1-10.9.0.254 is not IPv6"}},
		"length missing":       {", prefix_length: 64", "", []string{"line 9: pools[1].prefix_length: IPv6 is given in prefixes"}},
		"length too long":      {"prefix_length: 56", "prefix_length: 65", []string{"line 10: pools[2].prefix_length: 65 is not between 32 and 64"}},
		"links of another":     {"ipv6_pools: [links]", "ipv6_pools: [sites]", []string{"line 6: domains[0].ipv6_pools[0]: pool sites gives prefixes of /56"}},
		"addresses for links":  {"ipv6_pools: [links]", "ipv6_pools: [four]", []string{"line 6: domains[0].ipv6_pools[0]: pool four gives IPv4 addresses"}},
		"prefixes for IPv4":    {"pools: [four]", "pools: [links]", []string{"line 6: domains[0].pools[0]: pool links gives IPv6 prefixes"}},
		"unknown pool":         {"delegated_pools: [sites]", "delegated_pools: [sight]", []string{`line 6: domains[0].delegated_pools[0]: there is no pool of prefixes in this file named "sight"`}},
		"overlap":              {`["2001:db8:200::-2001:db8:2ff:ff00::"]`, `["2001:db8:1ff::/48"]`, []string{"line 10: pools[2].ranges[0]: 2001:db8:1ff::-2001:db8:1ff:ffff:ffff:ffff:ffff:ffff overlaps pools[1].ranges[0]"}},
		"link-local pool":      {`["2001:db8:100::/40"]`, `["fe80::/40"]`, []string{"line 9: pools[1].ranges[0]: fe80:: cannot be the address of a host"}},
		"MRU":                  {"ipv6: true,", "ipv6: true, mru: 1200,", []string{"line 2: virtual_templates[0].mru: 1200 is too little for IPv6"}},
		"own address":          {`"2001:db8::1"`, `"fe80::1"`, []string{"line 2: virtual_templates[0].ipv6_address: fe80::1 is not an IPv6 address that other hosts can reach"}},
		"address without IPv6": {"ipv6: true, ", "", []string{"line 2: virtual_templates[0].ipv6_address: it is of no use without ipv6: true"}},
		"name server":          {`["2001:db8::53"]`, "[10.0.0.53]", []string{"line 2: virtual_templates[0].ipv6_dns[0]: 10.0.0.53 is not the IPv6 address of a server"}},
		"own prefix":           {`"2001:db8:f00::/64"`, `"2001:db8:f00::/60"`, []string{"line 12: users[0].ipv6_prefix: 2001:db8:f00::/60 is not a /64"}},
		"own prefix of IPv4":   {`"2001:db8:f00::/64"`, "10.0.0.0/8", []string{"line 12: users[0].ipv6_prefix: 10.0.0.0/8 is not an IPv6 network"}},
		"within one's own":     {`"2001:db8:f00::/64"`, `"2001:db8:f10:7::/64"`, []string{"line 12: users[0].ipv6_prefix: 2001:db8:f10:7::/64 overlaps users[0].delegated_prefix, which has 2001:db8:f10::/48"}},
		"within another's": {`"2001:db8:f10::/48"}`, `"2001:db8:f10::/48"}` + "\n  - {name: eve, password: \"Eve@12345\", delegated_prefix: \"2001:db8:f10:100::/56\"}\n" + `  - {name: joe, password: "Joe@12345", ipv6_prefix: "2001:db8:f11::/64"}`,
			[]string{"line 13: users[1].delegated_prefix: 2001:db8:f10:100::/56 overlaps users[0].delegated_prefix, which has 2001:db8:f10::/48"}},
		"delegated too long": {`"2001:db8:f10::/48"`, `"2001:db8:f10::/80"`, []string{"line 12: users[0].delegated_prefix: 2001:db8:f10::/80 is not between /32 and /64"}},
	} {
		t.Run(name, func(t *testing.T) { expectFaults(t, replaceOnce(t, dualStack, c.old, c.replacement), c.want) })
	}
}

func replaceOnce(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands %d times in the file", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, replacement, 1)
}
