package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/test/netns"
	"lnsgate/test/pgtest"
)

// patience bounds everything that is waited for; a test that passes waits for far less.
const patience = 30 * time.Second

// The network: nothing but the server and the machine of the operator, from where people dial in too.
const (
	serverAddress   = "192.0.2.1"
	operatorAddress = "192.0.2.2"
	pageAddress     = serverAddress + ":8443"
)

// The operators, and people who dial in. A password stands nowhere but here.
const (
	annaPassword = "correct horse battery"
	veraToken    = "lnsgate-0123456789abcdefghijklmnopqrstuvwxyz"
	alice        = "alice@sales.example"
	bob          = "bob@sales.example"
	userPassword = "Kw9-tulip-7"
)

const sql = `
	INSERT INTO domains (name) VALUES ('sales.example'), ('lab.example');
	INSERT INTO pools (name) VALUES ('sales'), ('lab');
	INSERT INTO pool_ranges (pool, range) VALUES ('sales', '10.10.1.0/24'), ('lab', '10.64.0.0/16');
	INSERT INTO domain_pools (domain, pool) VALUES ('sales.example', 'sales'), ('lab.example', 'lab');
	INSERT INTO accounts (name, password, description) VALUES ('alice@sales.example', '` + userPassword + `', 'Alice, sales'), ('bob@sales.example', '` + userPassword + `', NULL);
	INSERT INTO accounts (name, password) SELECT 'desk' || n || '@sales.example', '` + userPassword + `' FROM generate_series(1, 120) n;
	INSERT INTO accounts (name, password) SELECT 'rack' || n || '@lab.example', '` + userPassword + `' FROM generate_series(0, 39) n;
	`

// world is a server, and the machine of the operator.
type world struct {
	t                *testing.T
	server, operator *netns.Namespace
	folder           string
	admin            *admin.Client
	log              transcript
}

// transcript collects what a program writes.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *transcript) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	netns.RequireTUN(t)
	for _, name := range []string{"chromium", "node"} {
		netns.RequireCommand(t, name)
	}
	w := &world{t: t, server: netns.NewTest(t), operator: netns.NewTest(t), folder: t.TempDir()}
	must(t, netns.Veth(w.operator, "eth0", w.server, "eth0"))
	must(t, w.server.Address("eth0", serverAddress+"/24"))
	must(t, w.operator.Address("eth0", operatorAddress+"/24"))
	db := pgtest.New(t)
	_, err := db.Exec(context.Background(), sql)
	must(t, err)
	w.serve(db.Config().ConnString())
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) serve(database string) {
	w.t.Helper()
	socket, file := filepath.Join(w.folder, "admin.sock"), filepath.Join(w.folder, "lnsgate.yaml")
	config := fmt.Sprintf(`
node: hq1
admin_socket: %s
state_dir: %s
spool_dir: %s
database: {url: "%s"}
listen: [0.0.0.0:1701]
virtual_templates:
  - {name: vt1, address: 10.10.0.1/32, mru: 1460}
l2tp_groups:
  - {name: default, virtual_template: vt1, tunnel_name: LNS}
admin:
  listen: ["%s"]
  operators:
    - {name: anna, role: administer, password: "%s"}
    - {name: vera, role: view, token: "%s"}
`, socket, w.folder, w.folder, database, pageAddress, annaPassword, veraToken)
	must(w.t, os.WriteFile(file, []byte(config), 0o600))
	command := exec.Command(program, "serve", "-c", file)
	command.Stdout, command.Stderr = &w.log, &w.log
	w.start(w.server, command)
	w.admin = admin.NewClient(socket)
	w.t.Cleanup(w.admin.Close)
	w.eventually("the server serves", func() bool {
		domains, err := w.admin.Domains(context.Background())
		return err == nil && len(domains) == 2
	})
}

// start runs a program in a namespace until the test ends. The channel is closed when it is over.
func (w *world) start(n *netns.Namespace, command *exec.Cmd) <-chan struct{} {
	w.t.Helper()
	must(w.t, n.Start(command))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = command.Wait() // the outcome stays in ProcessState
	}()
	w.t.Cleanup(func() {
		_ = command.Process.Kill() // it may be gone
		<-done
		if w.t.Failed() && command.Args[1] == "serve" {
			w.t.Logf("the log of the server:\n%s", &w.log)
		}
	})
	return done
}

func (w *world) eventually(what string, ready func() bool) {
	w.t.Helper()
	if !poll(ready) {
		w.t.Fatalf("it never became true that %s\n%s", what, &w.log)
	}
}

func poll(ready func() bool) bool {
	deadline, tick := time.NewTimer(patience), time.NewTicker(20*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return false
		}
	}
	return true
}

// dial has somebody dial in. It stays online until it is ended by the server or the test is over.
func (w *world) dial(user, password string, more ...string) <-chan struct{} {
	w.t.Helper()
	args := append([]string{"dial", "--json", "--server", serverAddress, "--user", user, "--password", password}, more...)
	return w.start(w.operator, exec.Command(program, args...))
}

// leaks tells which secrets stand in a text.
func leaks(text string) error {
	var found []error
	for _, secret := range []string{annaPassword, veraToken, userPassword} {
		if strings.Contains(text, secret) {
			found = append(found, fmt.Errorf("%q stands in it", secret))
		}
	}
	return errors.Join(found...)
}
