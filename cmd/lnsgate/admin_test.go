package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/configs"
	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
	"lnsgate/test/pgtest"
)

const officeText = `
node: n1
admin_socket: DIR/s
state_dir: DIR
spool_dir: DIR
database: {url: "DSN"}
radius_server: {listen: ["127.0.0.1:0"], accounting_listen: ["127.0.0.1:0"]}
admin:
  listen: ["127.0.0.1:0"]
  operators:
    - {name: anna, role: administer, token_sha256: HASH}
users: [{name: filed, password: "Admin@123"}]
`

// office is a server with a database, asked over the network.
type office struct {
	*testing.T
	node   *node
	base   string
	token  string
	client *http.Client
	file   string
}

func openOffice(t *testing.T, dsn string) *office {
	t.Helper()
	folder := t.TempDir()
	o := &office{T: t, token: admin.NewToken(), file: filepath.Join(folder, "lnsgate.yaml")}
	text := strings.NewReplacer("DIR", folder, "DSN", dsn, "HASH", admin.HashToken(o.token).String()).Replace(officeText)
	if err := os.WriteFile(o.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, _, err := configs.Load(o.file)
	if err != nil {
		t.Fatal(err)
	}
	if o.node, err = newNode(config, o.file, slog.New(slog.NewTextHandler(t.Output(), nil))); err != nil {
		t.Fatal(err)
	}
	authorities, err := certificatePool(filepath.Join(folder, "admin", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	o.base = "https://" + o.node.operators.addresses()[0].String()
	o.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.node.run(ctx, nil) }()
	t.Cleanup(func() {
		o.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return o
}

// ask sends a request and reads the answer, which must have that status.
func (o *office) ask(status int, method, path, body string, into any) {
	o.Helper()
	r, err := http.NewRequestWithContext(o.Context(), method, o.base+path, strings.NewReader(body))
	if err != nil {
		o.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+o.token)
	resp, err := o.client.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		o.Errorf("%s %s: %d %s, want %d", method, path, resp.StatusCode, text, status)
	}
	if into != nil {
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(into); err != nil {
			o.Errorf("%s %s: %s: %v", method, path, text, err)
		}
	}
}

// Everything that is stored can be made, changed and deleted over the network, by somebody whose name stands in the database.
func TestOperatorsChangeWhatIsStored(t *testing.T) {
	o := openOffice(t, pgtest.DSN(t))
	var who admin.Actor
	o.ask(200, "GET", "/v1/whoami", "", &who)
	if who.Name != "anna" || who.From != "127.0.0.1" {
		t.Errorf("got %+v", who)
	}
	for _, step := range []struct {
		status             int
		method, path, body string
	}{
		{200, "POST", "/v1/pools", `{"name":"lab","ranges":["10.20.0.1-10.20.0.9"]}`},
		{409, "POST", "/v1/pools", `{"name":"lab"}`},
		{400, "POST", "/v1/pools", `{"name":"bad","ranges":["10.20.0.x"]}`},
		{200, "POST", "/v1/domains", `{"name":"lab.example","pools":["lab"],"max_account_sessions":1}`},
		{200, "POST", "/v1/users", `{"name":"zoe@lab.example","password":"geheim123","mtu":1400,"session_timeout_seconds":3600}`},
		{409, "POST", "/v1/users", `{"name":"zoe@lab.example"}`},
		{409, "POST", "/v1/users", `{"name":"zoe@nowhere.example"}`},
		{200, "PATCH", "/v1/users/zoe@lab.example", `{"address":"10.20.0.5","mtu":null}`},
		{404, "PATCH", "/v1/users/zo@lab.example", `{"mtu":1300}`},
		{404, "DELETE", "/v1/users/nobody", ""},
		{200, "POST", "/v1/nases", `{"name":"r1","source":"192.0.2.7","secret":"0123456789abcdef"}`},
		{200, "PATCH", "/v1/nases/r1", `{"disabled":true}`},
		{404, "POST", "/v1/nodes/n9/forget", `{}`},
		{409, "DELETE", "/v1/pools/lab", ""},
		{200, "POST", "/v1/pools/lab/drain", `{"range":"10.20.0.1-10.20.0.9","undo":true}`},
	} {
		o.ask(step.status, step.method, step.path, step.body, nil)
	}
	var user admin.User
	o.ask(200, "GET", "/v1/users/zoe@lab.example", "", &user)
	if user.Store != "postgres" || user.MTU != nil || user.SessionTimeout == nil || *user.SessionTimeout != 3600 || user.Addresses[0] != netip.MustParseAddr("10.20.0.5") {
		t.Errorf("got %+v", user)
	}
	var operator string
	err := o.node.db.pool.QueryRow(t.Context(), "SELECT operator FROM audit WHERE table_name = 'accounts' AND key = 'zoe@lab.example' AND action = 'INSERT'").Scan(&operator)
	if err != nil || operator != "anna from 127.0.0.1" {
		t.Errorf("the database says %q, %v", operator, err)
	}
	var audit struct{ Changes []admin.Change }
	o.ask(200, "GET", "/v1/audit", "", &audit)
	if text := fmt.Sprint(audit); strings.Contains(text, "geheim") || strings.Contains(text, "0123456789abcdef") || len(audit.Changes) != 15 {
		t.Errorf("%d changes: %s", len(audit.Changes), text)
	}
	o.foretell()
	var health admin.Health
	o.ask(200, "GET", "/v1/health", "", &health)
	for _, name := range []string{"sockets", "database", "pool lab"} {
		if !slices.ContainsFunc(health.Checks, func(c admin.Check) bool { return c.Name == name && c.Well }) || !health.Ready {
			t.Errorf("%s is not well: %+v", name, health)
		}
	}
}

// foretell looks at the account of the database, and at its pool, through the eyes of the node.
func (o *office) foretell() {
	o.Helper()
	var f admin.LoginForecast
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && f.Verdict.Cause != trace.LoggedIn; { // the node hears of the domain within a second
		o.ask(200, "POST", "/v1/test-login", `{"user":"zoe@lab.example","method":"mschapv2"}`, &f)
	}
	o.ask(200, "POST", "/v1/test-login", `{"user":"zoe@lab.example","method":"mschapv2","password":"geheim123"}`, &f)
	if !f.Checked || f.Verdict.Cause != trace.LoggedIn || f.Backend != "postgres" || f.Address != netip.MustParseAddr("10.20.0.5") {
		o.Errorf("got %+v", f)
	}
	from := make(map[string]string)
	for _, a := range f.Attributes {
		from[a.Name] = a.From
	}
	if from["session_timeout"] != "account" || from["max_sessions"] != "domain lab.example" {
		o.Errorf("got %v", from)
	}
	o.ask(200, "POST", "/v1/test-login", `{"user":"zoe@lab.example","password":"wrong"}`, &f)
	if f.Verdict.Cause != trace.WrongPassword {
		o.Errorf("got %+v", f.Verdict)
	}
	for range 5 { // with the one above as many as are free, and one more
		o.ask(200, "POST", "/v1/test-login", `{"user":"zoe@lab.example","password":"wrong"}`, &f)
	}
	if o.ask(200, "POST", "/v1/test-login", `{"user":"zoe@lab.example","password":"geheim123"}`, &f); f.Verdict.Cause != trace.AccountDelayed {
		o.Errorf("guesses are not delayed as at a login: %+v", f.Verdict)
	}
	var list struct{ Addresses []admin.AddressState }
	o.ask(200, "GET", "/v1/pools/lab/addresses", "", &list)
	if len(list.Addresses) != 9 || list.Addresses[4].State != "reserved" || list.Addresses[4].Account != "zoe@lab.example" || list.Addresses[0].State != "free" {
		o.Errorf("got %+v", list)
	}
	var rows int
	if err := o.node.db.pool.QueryRow(o.Context(), "SELECT (SELECT count(*) FROM logins) + (SELECT count(*) FROM leases WHERE state <> 'quarantine') + (SELECT count(*) FROM session_slots)").Scan(&rows); err != nil || rows != 0 {
		o.Errorf("it has left %d rows, %v", rows, err)
	}
}

// A reload takes operators in and puts them out, and nothing of a file with a fault.
func TestReloadOfOperators(t *testing.T) {
	o := openOffice(t, pgtest.DSN(t))
	text, err := os.ReadFile(o.file)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(old, new string) error {
		t.Helper()
		if err := os.WriteFile(o.file, []byte(strings.Replace(string(text), old, new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := o.node.reload(t.Context())
		return err
	}
	if err := rewrite("role: administer", "role: administer, password_hash: $argon2id$v=19$x"); err == nil {
		t.Error("a hash that is none was taken")
	}
	o.ask(200, "GET", "/v1/whoami", "", nil)
	if err := rewrite("role: administer", "role: view"); err != nil {
		t.Fatal(err)
	}
	o.ask(403, "POST", "/v1/reload", "", nil)
	if err := rewrite("- {name: anna, role: administer, token_sha256: "+admin.HashToken(o.token).String()+"}", "- {name: bert, role: view, password: \"correct horse battery\"}"); err != nil {
		t.Fatal(err)
	}
	o.ask(401, "GET", "/v1/whoami", "", nil)
	if _, err := o.node.operators.known.CheckPassword(t.Context(), "bert", aaa.NewSecret("correct horse battery"), netip.MustParseAddr("192.0.2.1")); err != nil {
		t.Error(err)
	}
	bert, _ := o.node.operators.known.CheckPassword(t.Context(), "bert", aaa.NewSecret("correct horse battery"), netip.MustParseAddr("192.0.2.1"))
	if _, err := o.node.reload(t.Context()); err != nil || bert.Over() {
		t.Errorf("a reload that changes nothing ends log-ins: %v", err)
	}
	text, _ = os.ReadFile(o.file)
	if err := rewrite("correct horse battery", "another horse battery"); err != nil || !bert.Over() {
		t.Errorf("log-ins outlive the password: %v", err)
	}
}

// What the command prints is what the configuration takes.
func TestOperatorCommands(t *testing.T) {
	run := func(input string, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		cmd := newRootCommand()
		cmd.SetArgs(append([]string{"operator"}, args...))
		cmd.SetIn(strings.NewReader(input))
		cmd.SetOut(&out)
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	item := func(text string) configs.Operator {
		t.Helper()
		_, item, _ := strings.Cut(text, "in admin.operators:")
		c, _, err := configs.Parse(append(configs.Minimal(), "admin: {listen: [\"127.0.0.1:0\"], operators: ["+item+"]}\n"...), "x.yaml")
		if err != nil {
			t.Fatal(err)
		}
		return c.Admin.Operators[0]
	}
	text := run("", "token")
	token := strings.Fields(strings.SplitN(text, ":", 2)[1])[0]
	if got := item(text).TokenSHA256; got != admin.HashToken(token).String() {
		t.Errorf("%q has %s", text, got)
	}
	list, err := operatorList(&configs.Config{Admin: configs.Admin{Operators: []configs.Operator{item(run("correct horse battery\n", "password", "--stdin"))}}}, nil)
	if err != nil || list[0].Password.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := list[0].Password.Check("", aaa.Proof{Method: aaa.PAP, Password: aaa.NewSecret("correct horse battery")}); err != nil {
		t.Error(err)
	}
	cmd := newRootCommand()
	cmd.SetArgs([]string{"operator", "password", "--stdin"})
	cmd.SetIn(strings.NewReader("short\n"))
	if err := cmd.Execute(); err == nil {
		t.Error("a short password was taken")
	}
}

// What the command line does with profiles can be asked for too, and all that a node answers is described.
func TestProfilesOverTheInterface(t *testing.T) {
	o := openOffice(t, pgtest.DSN(t))
	o.ask(200, "POST", "/v1/profiles", `{"name":"field","rate_down":10000000,"session_timeout_seconds":3600,"routes":["192.168.7.0/24"]}`, nil)
	o.ask(409, "POST", "/v1/profiles", `{"name":"field"}`, nil)
	o.ask(200, "PATCH", "/v1/profiles/field", `{"mtu":1400,"rate_down":null,"name":"office"}`, nil)
	var list struct{ Profiles []admin.Profile }
	o.ask(200, "GET", "/v1/profiles", "", &list)
	if len(list.Profiles) != 1 {
		t.Fatalf("got %+v", list)
	}
	if p := list.Profiles[0]; p.Name != "office" || p.RateDown != nil || p.MTU == nil || *p.MTU != 1400 || *p.SessionTimeout != 3600 || len(p.Routes) != 1 {
		t.Errorf("got %+v", p)
	}
	o.ask(404, "GET", "/v1/profiles/field", "", nil)
	o.ask(200, "DELETE", "/v1/profiles/office", "", nil)
	o.ask(404, "DELETE", "/v1/profiles/office", "", nil)
	var document struct{ Paths map[string]map[string]any }
	o.ask(200, "GET", "/v1/openapi.json", "", &document)
	for _, m := range o.node.mounts(nil) {
		method, path, _ := strings.Cut(m.Pattern, " ")
		if document.Paths[path][strings.ToLower(method)] == nil {
			t.Errorf("%s is not described", m.Pattern)
		}
	}
	if document.Paths["/ui/"]["get"] == nil {
		t.Error("the page is not described")
	}
}
