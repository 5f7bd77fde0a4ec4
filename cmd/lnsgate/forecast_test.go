package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/configs"
	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
	"lnsgate/pool"
	"lnsgate/test/netns"
)

const forecastText = `
listen: ["127.0.0.1:1701"]
admin_socket: DIR/s
state_dir: DIR
forwarding: false
virtual_templates:
  - {name: vt1, address: 10.10.0.1/32, ppp_authentication: [chap, pap, mschapv2]}
l2tp_groups:
  - {name: office, sources: [192.0.2.0/24], virtual_template: vt1}
  - {name: branches, tunnel_names: [branch], virtual_template: vt1, domain: sales}
domains:
  - {name: default, authentication: [local], pools: [pool1], idle_timeout: 10m, max_account_sessions: 1}
  - {name: sales, authentication: [local], pools: [small], methods: [pap]}
  - {name: far, authentication: [hq], pools: [pool1]}
radius:
  - {name: hq, servers: [{address: 127.0.0.1, authentication_port: 9, secret: "a secret that nobody guesses"}]}
pools:
  - {name: pool1, ranges: [10.10.1.10-10.10.1.250]}
  - {name: small, ranges: [10.20.1.1]}
users:
  - {name: l2tpuser, password: "Admin@123"}
  - {name: busy, password: "Admin@123"}
  - {name: bob, password: "Admin@123", disabled: true}
  - {name: nt, nt_hash: "0CB6948805F797BF2A82807973B89537"}
  - {name: fixed, password: "Admin@123", address: 10.10.1.10, idle_timeout: 1m, routes: [192.168.50.0/24]}
  - {name: looped, password: "Admin@123", routes: [192.0.2.0/24]}
  - {name: anna@sales, password: "Admin@123"}
`

// forecastNode is a server in a network of its own. It serves nobody.
func forecastNode(t *testing.T) *node {
	t.Helper()
	netns.RequireTUN(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "lnsgate.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(forecastText, "DIR", folder)), 0o600); err != nil {
		t.Fatal(err)
	}
	config, _, err := configs.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	var n *node
	if err := netns.NewTest(t).Do(func() (err error) {
		n, err = newNode(config, file, slog.New(slog.NewTextHandler(t.Output(), nil)))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.engine.Close(t.Context())
		if err := n.close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestForecast(t *testing.T) {
	n := forecastNode(t)
	ctx := t.Context()
	entry := aaa.Entry{Session: "earlier", Name: "busy", Account: "busy", Domain: "default", AccountLimit: 1}
	if err := n.registry.Enter(ctx, entry); err != nil {
		t.Fatal(err)
	}
	if _, err := n.pools.Allocate(ctx, pool.Request{Pools: []string{"small"}, Holder: "x"}); err != nil {
		t.Fatal(err)
	}
	office := netip.MustParseAddr("192.0.2.7")
	for name, test := range map[string]struct {
		admin.LoginTest
		cause trace.Cause
		says  string // in the detail of the verdict, or in why this address
	}{
		"granted":                 {admin.LoginTest{User: "l2tpuser", From: office}, trace.LoggedIn, "free address of pool pool1"},
		"the password is right":   {admin.LoginTest{User: "l2tpuser", From: office, Password: "Admin@123"}, trace.LoggedIn, "pool1"},
		"by PAP":                  {admin.LoginTest{User: "l2tpuser", From: office, Password: "Admin@123", Method: "pap"}, trace.LoggedIn, "pool1"},
		"by MS-CHAPv2":            {admin.LoginTest{User: "nt", From: office, Password: "Password", Method: "mschapv2"}, trace.WrongPassword, ""},
		"the password is wrong":   {admin.LoginTest{User: "l2tpuser", From: office, Password: "admin@123"}, trace.WrongPassword, ""},
		"nobody knows the name":   {admin.LoginTest{User: "zoe", From: office}, trace.UnknownUser, ""},
		"no such domain":          {admin.LoginTest{User: "anna@lab", From: office}, trace.UnknownDomain, "lab"},
		"no name":                 {admin.LoginTest{User: "@", From: office}, trace.MalformedName, ""},
		"switched off":            {admin.LoginTest{User: "bob", From: office}, trace.AccountDisabled, ""},
		"no form for CHAP":        {admin.LoginTest{User: "nt", From: office, Method: "chap"}, trace.NoCredentialForMethod, ""},
		"a form for MS-CHAPv2":    {admin.LoginTest{User: "nt", From: office, Method: "mschapv2"}, trace.LoggedIn, ""},
		"not in that domain":      {admin.LoginTest{User: "anna@sales", From: office, Method: "chap"}, trace.MethodNotAllowed, "pap"},
		"not offered":             {admin.LoginTest{User: "l2tpuser", From: office, Method: "eap"}, trace.AuthenticationRefused, "vt1"},
		"from elsewhere":          {admin.LoginTest{User: "l2tpuser", From: netip.MustParseAddr("203.0.113.1")}, trace.NoGroup, "203.0.113.1"},
		"no such group":           {admin.LoginTest{User: "l2tpuser", Group: "x"}, trace.NoGroup, "x"},
		"by the name of a group":  {admin.LoginTest{User: "l2tpuser", Group: "office"}, trace.LoggedIn, "pool1"},
		"one session too many":    {admin.LoginTest{User: "busy", From: office}, trace.AccountSessions, "1 of 1"},
		"the pool is full":        {admin.LoginTest{User: "anna@sales", From: office, Method: "pap"}, trace.NoAddress, "small"},
		"an address of its own":   {admin.LoginTest{User: "fixed", From: office}, trace.LoggedIn, "static address of the account"},
		"a route to its own peer": {admin.LoginTest{User: "looped", From: office}, trace.RouteTaken, "192.0.2.0/24"},
		"only by a password":      {admin.LoginTest{User: "x@far", From: office}, trace.InProgress, "RADIUS group \"hq\" can be asked only with a password"},
		"the group's domain":      {admin.LoginTest{User: "l2tpuser", HostName: "branch", Method: "pap"}, trace.NoAddress, "small"},
	} {
		t.Run(name, func(t *testing.T) {
			leases, _ := n.pools.Leases(ctx)
			counters := fmt.Sprint(n.engine.Counters())
			f, err := n.testLogin(ctx, test.LoginTest)
			if err != nil || f.Verdict.Cause != test.cause || !strings.Contains(f.Verdict.Detail+f.Why, test.says) {
				t.Errorf("%+v, %v; want %s with %q", f, err, test.cause.Name(), test.says)
			}
			if last := f.Steps[len(f.Steps)-1]; (last.Result == admin.Refused) != (test.cause != trace.LoggedIn && test.cause != trace.InProgress) {
				t.Errorf("the last step: %+v", last)
			}
			if f.Checked != (test.Password != "" && test.cause != trace.WrongPassword) {
				t.Errorf("checked %t", f.Checked)
			}
			if after, _ := n.pools.Leases(ctx); len(after) != len(leases) || fmt.Sprint(n.engine.Counters()) != counters {
				t.Error("it has left a trace")
			}
			if a, d, _ := n.registry.(counter).Counted(ctx, "busy", "default"); a != 1 || d != 1 {
				t.Errorf("it was counted: %d, %d", a, d)
			}
		})
	}
}

// Passwords that are tested count for the name as at a login, and never for the peer that somebody has named.
func TestForecastsAreGuessesOfTheName(t *testing.T) {
	n := forecastNode(t)
	office := netip.MustParseAddr("192.0.2.7")
	test := func(user, password string) trace.Cause {
		t.Helper()
		f, err := n.testLogin(t.Context(), admin.LoginTest{User: user, From: office, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		return f.Verdict.Cause
	}
	for i := range 120 { // more than a source may
		test(fmt.Sprintf("nobody%d", i), "wrong")
	}
	if got := test("l2tpuser", "Admin@123"); got != trace.LoggedIn {
		t.Errorf("the peer that was named has to wait: %s", got.Name())
	}
	for range 6 {
		test("l2tpuser", "wrong")
	}
	if got := test("l2tpuser", "Admin@123"); got != trace.AccountDelayed {
		t.Errorf("the name need not wait: %s", got.Name())
	}
	if banned := n.bans.List(time.Now()); len(banned) > 0 {
		t.Errorf("%+v", banned)
	}
}

// What the session would get is told with who says it.
func TestForecastNamesWhoSaysWhat(t *testing.T) {
	n := forecastNode(t)
	f, err := n.testLogin(t.Context(), admin.LoginTest{User: "fixed", From: netip.MustParseAddr("192.0.2.7")})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, a := range f.Attributes {
		got[a.Name] = a.Value + " says " + a.From
	}
	for name, want := range map[string]string{
		"address": "10.10.1.10 says account", "idle_timeout": "1m0s says account", "max_sessions": "1 says domain default",
		"routes": "192.168.50.0/24 says account", "pools": "pool1 says domain default", "virtual_template": "vt1 says l2tp group office",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if f.Address != netip.MustParseAddr("10.10.1.10") || f.Pool != "pool1" || f.Rule == "" || f.Backend != "local" || f.Account != "fixed" {
		t.Errorf("got %+v", f)
	}
	if _, err := n.testLogin(t.Context(), admin.LoginTest{User: "fixed", Method: "kerberos"}); err == nil {
		t.Error("a method that there is not was taken")
	}
}
