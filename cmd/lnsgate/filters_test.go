package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/configs"
	"lnsgate/lns/datapath"
)

func parsed(t *testing.T, filters string) (*configs.Config, []configs.Warning) {
	t.Helper()
	c, warnings, err := configs.Parse(append(configs.Minimal(), filters...), "test")
	if err != nil {
		t.Fatal(err)
	}
	return c, warnings
}

func TestFiltersBecomeThoseOfTheDataPath(t *testing.T) {
	c, _ := parsed(t, `
filters:
  - name: sales
    default: allow
    rules:
      - {action: deny, to: 10.1.0.0/16, protocol: tcp, ports: [443, 8000-8100], direction: up, established: true}
      - {action: allow, protocol: icmp, types: [8], direction: down}
  - {name: closed}
`)
	fs, err := filters(c)
	if err != nil || len(fs) != 2 || fs["sales"].Name() != "sales" || fs["sales"].Default() != datapath.Allow ||
		fs["closed"].Default() != datapath.Deny {
		t.Fatalf("%v, %v", fs, err)
	}
	want := "[{deny up 10.1.0.0/16 tcp [{443 443} {8000 8100}] [] true} {allow down invalid Prefix icmp [] [8] false}]"
	if got := fmt.Sprint(fs["sales"].Rules()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The words, the bound and the warnings of configs are those of the data path.
func TestFiltersOfTheFileAndOfTheDataPathAgree(t *testing.T) {
	for n := range 256 {
		if file, path := configs.Protocol(n).String(), datapath.Protocol(n).String(); file != path {
			t.Errorf("protocol %d is %s in a file and %s in the data path", n, file, path)
		}
	}
	list := func(rules []string) string {
		return "\nfilters:\n  - {name: f, rules: [" + strings.Join(rules, ", ") + "]}\n"
	}
	c, _ := parsed(t, list(slices.Repeat([]string{"{action: deny}"}, datapath.MaxRules)))
	if _, err := filters(c); err != nil {
		t.Error(err)
	}
	if _, _, err := configs.Parse([]byte(list(slices.Repeat([]string{"{action: deny}"}, datapath.MaxRules+1))), "test"); err == nil ||
		!strings.Contains(err.Error(), fmt.Sprint(datapath.MaxRules)) {
		t.Errorf("one rule more: %v", err)
	}
	var rules []string
	for _, match := range []string{
		"to: 10.1.0.0/16", "to: 10.0.0.0/8, direction: up", "to: 10.0.0.0/8", "protocol: tcp, established: true", "protocol: tcp, ports: [1-5, 6-9]",
		"protocol: tcp, ports: [8, 2-7]", "protocol: tcp, ports: [9, 10]", "protocol: udp, ports: [9]", "protocol: tcp", "protocol: icmp, types: [8, 0]",
		"protocol: icmp, types: [0]", "protocol: icmp", `to: "2001:db8::/32"`, "direction: down", "to: 0.0.0.0/0", "protocol: gre",
	} {
		rules = append(rules, "{action: deny, "+match+"}")
	}
	for range len(rules) { // in every order that turning the list gives
		c, warnings := parsed(t, list(rules))
		fs, err := filters(c)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, w := range warnings {
			if strings.HasPrefix(w.Path, "filters") {
				said = append(said, w.Message)
			}
		}
		var want []string
		for _, s := range fs["f"].Shadows() {
			want = append(want, fmt.Sprintf("rule %d of f can never match: rule %d takes all of its packets before", s.Rule, s.By))
		}
		slices.Sort(said)
		slices.Sort(want)
		if !slices.Equal(said, want) {
			t.Errorf("the file says %q\nthe data path %q", said, want)
		}
		rules = append(rules[1:], rules[0])
	}
}

func TestFiltersOfTheDatabaseReadLikeThoseOfTheFile(t *testing.T) {
	web := sqlaccounts.FilterRule{Action: "allow", Direction: "up", Network: netip.MustParsePrefix("10.1.0.0/16"), Protocol: "tcp", Ports: []string{"443", "8000-8100"}}
	row := sqlaccounts.Filter{Name: "web", DefaultAction: "deny", Rules: []sqlaccounts.FilterRule{web, {Action: "allow", Direction: "both", Protocol: "icmp", Types: []uint8{8}}}}
	wrong := sqlaccounts.Filter{Name: "wrong", DefaultAction: "deny", Rules: []sqlaccounts.FilterRule{{Action: "allow", Direction: "both", Ports: []string{"80"}}}}
	got := filtersOfDatabase([]sqlaccounts.Filter{row, wrong}, slog.New(slog.DiscardHandler))
	if got["web"] == nil || got["wrong"] != nil {
		t.Fatalf("compiled %v", got)
	}
	want, err := datapath.NewFilter("web", datapath.Deny, []datapath.Rule{
		{Action: datapath.Allow, Direction: datapath.Up, Prefix: web.Network, Protocol: datapath.TCP, Ports: []datapath.PortRange{{First: 443, Last: 443}, {First: 8000, Last: 8100}}},
		{Action: datapath.Allow, Protocol: datapath.ICMP, Types: []uint8{8}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got["web"], want) {
		t.Errorf("%+v, want %+v", got["web"], want)
	}
}
