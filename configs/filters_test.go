package configs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const filtered = "filters:\n  - {name: sales, rules: [%s]}\n"

func TestFiltersAreRead(t *testing.T) {
	cfg := parseGood(t, []byte(strings.Replace(with(t, inDomain, inDomain+", filter: sales"), "users:", `filters:
  - name: sales
    default: allow
    rules:
      - {action: deny, to: 10.1.0.0/16, protocol: tcp, ports: [443, 8000-8100, "22"], direction: up, established: true}
      - {action: allow, to: "2001:db8::/32", protocol: icmpv6, types: [128, 129], direction: down}
      - {action: allow, protocol: 253}
      - {action: allow, protocol: "47"}
  - name: guests
    rules: []
users:`, 1)), "filters")
	if len(cfg.Filters) != 2 || cfg.Domains[0].Filter != "sales" || cfg.Filters[1].Default != DenyPackets {
		t.Fatalf("read %+v", cfg.Filters)
	}
	want := "{sales allow [{deny up 10.1.0.0/16 tcp [443 8000-8100 22] [] true} " +
		"{allow down 2001:db8::/32 icmpv6 [] [128 129] false} {allow both invalid Prefix 253 [] [] false} {allow both invalid Prefix gre [] [] false}]}"
	if got := fmt.Sprint(cfg.Filters[0]); got != want {
		t.Errorf("read %s\nwant %s", got, want)
	}
	ports := cfg.Filters[0].Rules[0].Ports
	if p := ports[1]; p.First() != 8000 || p.Last() != 8100 || ports[0].First() != 443 || ports[2].Last() != 22 {
		t.Errorf("ports %v", ports)
	}
}

func TestFaultsOfFilters(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{"{}", "line 13: filters[0].rules[0].action: there is no action; write allow or deny"},
		{"{action: pass}", `filters[0].rules[0].action: "pass" is not one of deny, allow`},
		{"{action: allow, direction: in}", `filters[0].rules[0].direction: "in" is not one of both, up, down`},
		{"{action: allow, port: 1}", "filters[0].rules[0].port: unknown key; did you mean ports?"},
		{"{action: allow, to: 10.1.2.3/16}", "filters[0].rules[0].to: 10.1.2.3/16 has bits set behind the prefix; the network is 10.1.0.0/16"},
		{"{action: allow, to: 10.1.2.3}", `filters[0].rules[0].to: "10.1.2.3" is not a network like 192.168.1.0/24; this address alone is 10.1.2.3/32`},
		{"{action: allow, protocol: tpc}", `filters[0].rules[0].protocol: "tpc" is not a number or one of any, icmp`},
		{`{action: allow, protocol: "256"}`, `filters[0].rules[0].protocol: "256" is not a number or one of any, icmp`},
		{"{action: allow, protocol: 256}", "filters[0].rules[0].protocol: 256 is not the number of an IP protocol"},
		{"{action: allow, protocol: -1}", "filters[0].rules[0].protocol: -1 is not the number of an IP protocol"},
		{"{action: allow, to: 10.0.0.0/8, protocol: icmpv6}", "filters[0].rules[0].protocol: icmpv6 does not go to the IPv4 network 10.0.0.0/8; write icmp"},
		{`{action: allow, to: "::/0", protocol: icmp}`, "filters[0].rules[0].protocol: icmp does not go to the IPv6 network ::/0; write icmpv6"},
		{"{action: allow, ports: [80]}", "filters[0].rules[0].ports: ports need protocol: tcp, udp or sctp; here it is any"},
		{"{action: allow, protocol: gre, ports: [80]}", "filters[0].rules[0].ports: ports need protocol: tcp, udp or sctp; here it is gre"},
		{"{action: allow, protocol: tcp, ports: [9-8]}", `filters[0].rules[0].ports[0]: "9-8" ends before it begins`},
		{"{action: allow, protocol: tcp, ports: [1, 70000]}", "filters[0].rules[0].ports[1]: 70000 is not between 0 and 65535"},
		{"{action: allow, protocol: tcp, ports: [1-70000]}", `filters[0].rules[0].ports[0]: "1-70000" is not a port like 443`},
		{"{action: allow, protocol: tcp, ports: [http]}", `filters[0].rules[0].ports[0]: "http" is not a port like 443`},
		{"{action: allow, protocol: tcp, ports: 80}", "filters[0].rules[0].ports: write it as a list: [80]"},
		{"{action: allow, protocol: udp, types: [8]}", "filters[0].rules[0].types: types need protocol: icmp or icmpv6; here it is udp"},
		{"{action: allow, protocol: icmp, types: [256]}", "filters[0].rules[0].types[0]: 256 is not between 0 and 255"},
		{"{action: allow, protocol: udp, established: true}", "filters[0].rules[0].established: established needs protocol: tcp; here it is udp"},
		{strings.TrimSuffix(strings.Repeat("{action: allow}, ", mostRules+1), ", "), "filters[0].rules: 2001 rules are more than the 2000"},
	} {
		_, _, err := Parse([]byte(base+fmt.Sprintf(filtered, c.rule)), "filters")
		if err == nil || strings.Count(err.Error(), "\n") > 0 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s\ngot  %v\nwant %s", c.rule, err, c.want)
		}
	}
	for text, want := range map[string]string{
		base + "filters: [{rules: []}]\n":                       "filters[0].name: there is no name",
		base + "filters: [{name: a}, {name: a}]\n":              `filters[1].name: the name "a" is taken by filters[0]`,
		with(t, inDomain, inDomain+", filter: sale"):            `domains[0].filter: there is no filter named "sale"; none is configured`,
		base + "filters: [{name: a, default: drop}]\n":          `filters[0].default: "drop" is not one of deny, allow`,
		base + "filters: [{name: a, rules: {action: allow}}]\n": "filters[0].rules: write it as a list",
	} {
		if _, _, err := Parse([]byte(text), "filters"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestWarningsOfFilters(t *testing.T) {
	for _, c := range []struct {
		rules string
		want  string
	}{
		{"{action: allow, to: 10.0.0.0/8}, {action: deny}, {action: allow, to: 10.1.0.0/16}", "filters[0].rules[2]: rule 3 of sales can never match: rule 1"},
		{"{action: allow, protocol: tcp, ports: [1-5, 6-9]}, {action: deny, protocol: tcp, ports: [4-7, 2]}", "rule 2 of sales can never match"},
		{"{action: allow, protocol: icmp, types: [0, 8]}, {action: deny, protocol: icmp, types: [8]}", "rule 2 of sales can never match"},
		{"{action: allow, protocol: tcp, ports: [1-5]}, {action: deny, protocol: tcp}", ""},
		{"{action: allow, direction: up}, {action: deny}", ""},
		{"{action: allow, protocol: tcp, established: true}, {action: deny, protocol: tcp}", ""},
		{"{action: allow, to: 10.1.0.0/16}, {action: deny, to: 10.0.0.0/8}", ""},
	} {
		_, warnings, err := Parse([]byte(base+fmt.Sprintf(filtered, c.rules)), "filters")
		if err != nil {
			t.Fatal(err)
		}
		found := slices.ContainsFunc(warnings, func(w Warning) bool { return strings.Contains(w.String(), c.want) })
		if c.want == "" && len(warnings) > 0 || !found && c.want != "" {
			t.Errorf("%s: %v, want %q", c.rules, warnings, c.want)
		}
	}
}
