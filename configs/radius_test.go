package configs

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// withRADIUS adds a section to a configuration that is right without it.
func withRADIUS(section string) []byte { return append(Minimal(), section...) }

func TestRADIUSDefaultsAndSecretFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := Parse(withRADIUS(`
radius:
  - name: corp
    servers:
      - {address: 192.0.2.1, secret_file: s}
      - {address: "2001:db8::1", secret: "0123456789abcdef", transport: tls, ca_file: ca.pem, priority: 2}
dynamic_authorization: {listen: ["[::1]:3799"], clients: [{source: 192.0.2.0/24, secret_file: s}]}
`), filepath.Join(dir, "x.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	g := cfg.RADIUS[0]
	first, second := g.Servers[0], g.Servers[1]
	for _, c := range []struct{ name, got, want any }{
		{"secret", first.Secret.Reveal(), "0123456789abcdef"},
		{"authentication", first.Endpoint(false), "192.0.2.1:1812"},
		{"accounting", first.Endpoint(true), "192.0.2.1:1813"},
		{"tls", second.Endpoint(true), "[2001:db8::1]:2083"},
		{"ca", second.CAFile, filepath.Join(dir, "ca.pem")},
		{"client", cfg.DynamicAuthorization.Clients[0].Secret.Reveal(), "0123456789abcdef"},
		{"retry", g.FirstRetry, 2 * time.Second},
		{"on", g.AccountingOnOff, true},
		{"priority", second.Priority, 2},
		{"weight", second.Weight, 1},
	} {
		if c.got != c.want {
			t.Errorf("%v: %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestRADIUSFaults(t *testing.T) {
	for _, test := range []struct {
		name, section string
		want          []string
	}{
		{"names", "radius: [{name: local, servers: [{address: a, secret: 0123456789abcdefg}]}, {name: x}, {name: x, servers: [{address: a, secret: 0123456789abcdefg}]}]\n", []string{
			`radius[0].name: "local" is the name of another back end`,
			"radius[1].servers: there is no server",
			`radius[2].name: the name "x" is taken by radius[1]`}},
		{"server", "radius: [{name: r, servers: [{address: \"10.0.0.1:1812\", secret: 0123456789abcdefg}, {}, {address: h, secret: s1s2s3s4s5s6s7s8, ca_file: c, weight: 0}]}]\n", []string{
			`radius[0].servers[0].address: "10.0.0.1:1812" is neither a name nor an address`,
			"radius[0].servers[1].address: there is no address",
			"radius[0].servers[1].secret: a secret is needed",
			"radius[0].servers[2].ca_file: it is for transport: tls",
			"radius[0].servers[2].weight: 0 is not between 1 and 1000"}},
		{"tls", "radius: [{name: r, servers: [{address: h, transport: tls, key_file: k}]}]\n", []string{
			"radius[0].servers[0].certificate_file: certificate_file and key_file belong together"}},
		{"times", "radius: [{name: r, first_retry: 3s, longest_retry: 2s, transmissions: 0, servers: [{address: h, secret: 0123456789abcdefg}]}]\n", []string{
			"radius[0].longest_retry: 2s is shorter than first_retry, 3s",
			"radius[0].transmissions: 0 is not between 1 and 20"}},
		{"dynamic", "dynamic_authorization: {listen: [127.0.0.1:3799]}\n", []string{
			"dynamic_authorization.clients: nobody may send requests"}},
		{"clients", "dynamic_authorization: {clients: [{source: 10.0.0.1/8}]}\n", []string{
			"dynamic_authorization.clients[0].secret: a secret is needed",
			"dynamic_authorization.clients[0].source: 10.0.0.1/8 has bits set behind the prefix; the network is 10.0.0.0/8",
			"dynamic_authorization.listen: there is no address"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			expectFaults(t, string(withRADIUS(test.section)), test.want)
		})
	}
}

func TestRADIUSWarnings(t *testing.T) {
	_, warnings, err := Parse(withRADIUS(`
radius: [{name: r, servers: [{address: h, secret: short, message_authenticator: off}]}]
`), "x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	expectWarnings(t, warnings, []string{
		"radius[0].servers[0].message_authenticator: off lets",
		"radius[0].servers[0].secret: 5 octets can be guessed"})
}

func TestMSCHAPv2AndAnotherNameDoNotGoTogether(t *testing.T) {
	for methods, want := range map[string][]string{
		"[mschapv2, pap]": {"line 6: radius[0].user_name: with mschapv2 the name as typed is part of the proof"}, "[pap]": {},
	} {
		_, warnings, err := Parse([]byte("spool_dir: /var/lib/lnsgate\nvirtual_templates: [{name: vt1, address: 10.10.0.1/32, ppp_authentication: "+methods+`}]
l2tp_groups: [{name: default, virtual_template: vt1}]
domains: [{name: default, authentication: [r], accounting: [r], pools: [p]}]
pools: [{name: p, ranges: [10.10.1.0/24]}]
radius: [{name: r, user_name: without_domain, servers: [{address: h, secret: 0123456789abcdef}]}]
`), "x.yaml")
		if err != nil {
			t.Fatal(err)
		}
		expectWarnings(t, warnings, want)
	}
}
