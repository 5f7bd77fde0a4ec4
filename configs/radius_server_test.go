package configs

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const tenLines = `
radius_server:
  clients:
    - {name: router1, source: 192.0.2.7/32, secret: "5d8c0b7e6f1a49d3b2c4e7f8a1063d95", type: mikrotik}
spool_dir: /var/lib/lnsgate
domains:
  - {name: default, pools: [office], rate_up: 10M, rate_down: 512k, max_account_sessions: 1, session_policy: replace}
pools:
  - {name: office, ranges: [10.20.0.0/24]}
users:
  - {name: alice, password: "Admin@123", rate_up: 1G}
`

func TestTenLinesAreARADIUSServer(t *testing.T) {
	c := parseGood(t, []byte(tenLines), "radius.yaml")
	if c.L2TP() || !c.RADIUSService.Given() {
		t.Errorf("L2TP %v, RADIUS %v", c.L2TP(), c.RADIUSService.Given())
	}
	s, d := c.RADIUSService, c.Domains[0]
	if len(s.Listen) != 2 || s.Listen[0].Port() != 1812 || s.AccountingListen[1].Port() != 1813 || s.RejectDelay != time.Second ||
		s.MaxClientSessions != 200_000 {
		t.Errorf("%+v", s)
	}
	if n := s.Clients[0]; n.Type != MikrotikNAS || n.Addresses != GivenAddresses || n.DynamicAuthorizationPort != 3799 || n.Secret.IsZero() {
		t.Errorf("%+v", n)
	}
	if d.RateUp != 10_000_000 || d.RateDown != 512_000 || d.MaxAccountSessions != 1 || d.SessionPolicy != ReplaceSession || c.Users[0].RateUp != 1e9 {
		t.Errorf("%+v, %+v", d, c.Users[0])
	}
}

func TestFaultsOfARADIUSServer(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"no source":            {"source: 192.0.2.7/32, ", "", "radius_server.clients[0].source"},
		"bits behind":          {"192.0.2.7/32", "192.0.2.7/24", "192.0.2.0/24"},
		"no secret":            {`secret: "5d8c0b7e6f1a49d3b2c4e7f8a1063d95", `, "", "radius_server.clients[0].secret"},
		"a slash":              {"name: router1", "name: a/b", "radius_server.clients[0].name"},
		"an unknown type":      {"type: mikrotik", "type: routeros", "mikrotik"},
		"an unknown domain":    {"type: mikrotik", "domain: sales", "radius_server.clients[0].domain"},
		"a port too high":      {"type: mikrotik", "dynamic_authorization_port: 70000", "dynamic_authorization_port"},
		"nobody may ask":       {"  clients:\n    - {name: router1, source: 192.0.2.7/32, secret: \"5d8c0b7e6f1a49d3b2c4e7f8a1063d95\", type: mikrotik}", "  reject_delay: 1s", "radius_server.clients"},
		"nowhere to ask":       {"radius_server:\n", "radius_server:\n  listen: []\n  accounting_listen: []\n", "radius_server.listen"},
		"the same port twice":  {"radius_server:\n", "radius_server:\n  accounting_listen: [\"[::]:1812\"]\n", "accounting_listen[0]"},
		"TLS without a key":    {"radius_server:\n", "radius_server:\n  tls: {listen: [\"0.0.0.0:2083\"], certificate_file: a.pem, client_ca_file: b.pem}\n", "radius_server.tls.key_file"},
		"TLS without a port":   {"radius_server:\n", "radius_server:\n  tls: {certificate_file: a.pem}\n", "radius_server.tls.listen"},
		"a delay too long":     {"radius_server:\n", "radius_server:\n  reject_delay: 1m\n", "radius_server.reject_delay"},
		"no session at all":    {"radius_server:\n", "radius_server:\n  max_client_sessions: 0\n", "radius_server.max_client_sessions"},
		"EAP-TLS without a CA": {"spool_dir:", "eap: {methods: [tls]}\nspool_dir:", "eap.client_ca_file"},
		"EAP without a key":    {"spool_dir:", "eap: {certificate_file: a.pem}\nspool_dir:", "eap.certificate_file"},
		"a method twice":       {"spool_dir:", "eap: {methods: [md5, md5]}\nspool_dir:", "eap.methods[1]"},
		"a rate in words":      {"rate_up: 10M", "rate_up: fast", "10M"},
		"half of L2TP":         {"spool_dir:", "l2tp_groups: [{name: a, virtual_template: vt1}]\nspool_dir:", "virtual_template"},
	} {
		if !strings.Contains(tenLines, tc.old) {
			t.Fatalf("%s: the test changes nothing", name)
		}
		_, _, err := Parse([]byte(strings.Replace(tenLines, tc.old, tc.new, 1)), "radius.yaml")
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNobodyOfWiFiIsMissingAnAddress(t *testing.T) {
	text := strings.NewReplacer("type: mikrotik", "addresses: none", "pools: [office], ", "", "pools:\n  - {name: office, ranges: [10.20.0.0/24]}\n", "").Replace(tenLines)
	parseGood(t, []byte(text), "wifi.yaml")
}

func TestWarningsOfARADIUSServer(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"a short secret":      {"5d8c0b7e6f1a49d3b2c4e7f8a1063d95", "testing123", "radius_server.clients[0].secret"},
		"unsigned":            {"type: mikrotik", "message_authenticator: off", "message_authenticator"},
		"unsigned proxies":    {"type: mikrotik", "unsigned_proxies: true", "unsigned_proxies"},
		"forgotten by reboot": {"spool_dir: /var/lib/lnsgate", "", "spool_dir"},
	} {
		_, warnings, err := Parse([]byte(strings.Replace(tenLines, tc.old, tc.new, 1)), "radius.yaml")
		if err != nil || len(warnings) != 1 || warnings[0].Path != tc.want && !strings.HasSuffix(warnings[0].Path, "."+tc.want) {
			t.Errorf("%s: %v %v", name, warnings, err)
		}
	}
}

func TestSessionsOnNASesAreKnownFromTheirRecords(t *testing.T) {
	text := strings.Replace(tenLines, "pools: [office], ", "pools: [office], accounting: [hq], ", 1) + `
database: {url: "postgres://lnsgate@192.0.2.5/lnsgate", prepared_statements: auto}
radius: [{name: hq, servers: [{address: 192.0.2.10, secret: "f2c1a7e09b3d4c58a6e1d0b7f4392c5e"}]}]
`
	warned := func(text string) bool {
		_, warnings, err := Parse([]byte(text), "radius.yaml")
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(warnings, func(w Warning) bool { return w.Path == "domains[0].accounting" })
	}
	if !warned(text) {
		t.Error("nobody is warned that such sessions are not known")
	}
	if warned(strings.Replace(text, "accounting: [hq]", "accounting: [hq, postgres]", 1)) {
		t.Error("a warning without cause")
	}
}

func TestRates(t *testing.T) {
	for text, want := range map[string]Rate{"0": 0, "512k": 512_000, "10M": 10_000_000, "1G": 1_000_000_000, "64000": 64_000, "1500": 1500} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%s: %d %v", text, r, err)
		}
		var again Rate
		if err := again.UnmarshalText([]byte(r.String())); err != nil || again != r {
			t.Errorf("%s is printed as %s", text, r)
		}
	}
	for _, text := range []string{"", "k", "-1k", "10 M", "10m", "1.5M", "99999999999G"} {
		if err := new(Rate).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as a rate", text)
		}
	}
}
