package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/lns/host/netns"
)

// Addresses of the world.
const (
	clientAddress = "192.0.2.2"
	serverAddress = "192.0.2.1"
	tunnelled     = "10.20.0.2" // headquarters, as the client reaches it through the tunnel
	forwarded     = "10.20.0.3" // the same machine, as the client reaches it by plain forwarding
	password      = "Admin@123"
	template      = "vt1" // the virtual template
)

// world is the picture of a client-initiated VPN, and what runs in it:
//
//	client wan 192.0.2.2 --- wan 192.0.2.1 lns hq 10.20.0.1 --- eth0 10.20.0.2, 10.20.0.3 headquarters
//
// The way through the tunnel and the way without it go over the same wires.
type world struct {
	program         string
	folder          string
	datapath        string // of the virtual template; empty: what the server chooses
	stack           string // so too: which packets of the kernel's path pass the stack
	spread          string // of its sockets; empty: what the server chooses
	client, lns, hq *netns.Namespace
	processes       []*process
	started         int
	admin           *admin.Client // of the server; nil before serve
}

func newWorld(parent, program, datapath string) (w *world, err error) {
	w = &world{program: program, datapath: datapath}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.folder, err = os.MkdirTemp(parent, "r"); err != nil {
		return nil, err
	}
	for _, n := range []**netns.Namespace{&w.client, &w.lns, &w.hq} {
		if *n, err = netns.New(""); err != nil {
			return nil, err
		}
	}
	return w, errors.Join(
		netns.Veth(w.client, "wan", w.lns, "wan"),
		netns.Veth(w.lns, "hq", w.hq, "eth0"),
		w.client.Address("wan", clientAddress+"/24"),
		w.client.Route("default", serverAddress),
		w.lns.Address("wan", serverAddress+"/24"),
		w.lns.Address("hq", "10.20.0.1/24"),
		w.hq.Address("eth0", tunnelled+"/24"),
		w.hq.Address("eth0", forwarded+"/24"),
		w.hq.Route("default", "10.20.0.1"),
	)
}

// close ends whatever still runs and removes the namespaces.
func (w *world) close() error {
	if w.admin != nil {
		w.admin.Close()
	}
	for _, p := range w.processes {
		p.kill()
	}
	var faults []error
	for _, n := range []*netns.Namespace{w.client, w.lns, w.hq} {
		if n != nil {
			faults = append(faults, n.Close())
		}
	}
	return errors.Join(append(faults, os.RemoveAll(w.folder))...)
}

// server is a running lnsgate serve.
type server struct {
	*process
	admin *admin.Client
}

// serve starts the server for that many accounts, user1 and so on, and waits until it answers.
func (w *world) serve(ctx context.Context, accounts int) (*server, error) {
	return w.serveThis(ctx, w.configuration(accounts))
}

// serveThis starts the server with a configuration and waits until it answers.
func (w *world) serveThis(ctx context.Context, configuration string) (*server, error) {
	return w.serveIn(ctx, w.lns, configuration)
}

// serveIn does so in a namespace, or where this program runs.
func (w *world) serveIn(ctx context.Context, n *netns.Namespace, configuration string) (*server, error) {
	s, err := w.serveAt(ctx, n, w.socket(), configuration)
	if err != nil {
		return nil, err
	}
	if w.admin != nil {
		w.admin.Close()
	}
	w.admin = s.admin
	return s, nil
}

// serveAt does so for a configuration with that admin socket, beside other servers.
func (w *world) serveAt(ctx context.Context, n *netns.Namespace, socket, configuration string) (*server, error) {
	config := socket + ".yaml"
	if err := os.WriteFile(config, []byte(configuration), 0o600); err != nil {
		return nil, err
	}
	p, err := w.start(n, "serve", w.program, "serve", "-c", config)
	if err != nil {
		return nil, err
	}
	s := &server{process: p, admin: admin.NewClient(socket)}
	ctx, cancel := context.WithTimeout(ctx, 4*patience) // with very many accounts in the file it takes seconds
	defer cancel()
	return s, until(ctx, "the server answers", func() (bool, error) {
		if !p.running() {
			return false, fmt.Errorf("%s has ended:\n%s", p.command, p.said())
		}
		_, err := s.admin.Version(ctx)
		return err == nil, nil
	})
}

func (w *world) socket() string { return filepath.Join(w.folder, "admin.sock") }

func (w *world) configuration(accounts int) string {
	return configuration(w.common(), accounts)
}

// sqlConfiguration is that of a node which has its accounts and pools in a database, and that many in the file as well.
func (w *world) sqlConfiguration(s *sqlServer, d *sqlDatabase, accounts int) string {
	text := fmt.Sprintf("database: {url: %q, key_file: %q}\n", d.url, s.keyFile)
	if accounts > 0 {
		return text + w.configuration(accounts)
	}
	return text + w.common()
}

// common is what every configuration here has.
func (w *world) common() string { return common(w.socket(), w.folder, w.carriage()) + w.sockets() }

// carriage is what is said of the path of packets in the virtual template.
func (w *world) carriage() (text string) {
	if w.datapath != "" {
		text += ", datapath: " + w.datapath
	}
	if w.stack != "" {
		text += ", stack: " + w.stack
	}
	return text
}

// sockets is what is said of the sockets.
func (w *world) sockets() string {
	if w.spread == "" {
		return ""
	}
	return fmt.Sprintf("udp: {spread: %s}\n", w.spread)
}

// common has the limits per source raised, because all calls come from one.
func common(socket, folder, carriage string) string {
	return fmt.Sprintf("admin_socket: %s\nstate_dir: %s\n", socket, folder) + fmt.Sprintf(`limits:
  new_tunnels_per_second_per_source: 1000000
  half_open_per_source: 4096
virtual_templates:
  - {name: %s, address: 10.10.0.1/32, ppp_authentication: [chap]%s}
l2tp_groups:
  - {name: default, virtual_template: %[1]s, tunnel_name: LNS}
`, template, carriage)
}

// configuration is what a small office would write, behind what is common.
func configuration(common string, accounts int) string {
	var b strings.Builder
	b.WriteString(common)
	b.WriteString(`domains:
  - {name: default, authentication: [local], pools: [pool1]}
pools:
  - {name: pool1, ranges: [10.128.0.0/14]}
users:
`)
	for n := range accounts {
		fmt.Fprintf(&b, "  - {name: user%d, password: %q}\n", n+1, password)
	}
	return b.String()
}

// end ends the server as an administrator would, so that another can take its place.
func (s *server) end(ctx context.Context) error {
	if err := s.interrupt(ctx); err != nil {
		return err
	}
	if !s.command.ProcessState.Success() {
		return fmt.Errorf("%s: %s\n%s", s.command, s.command.ProcessState, s.said())
	}
	return nil
}

// open is how many sessions are open.
func (s *server) open(ctx context.Context) (int, error) {
	counters, err := s.admin.Counters(ctx)
	return int(counters["sessions_opened"]) - int(counters["sessions_closed"]), err
}

// awaitOpen waits until that many sessions are open.
func (s *server) awaitOpen(ctx context.Context, want int) error {
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	return until(ctx, fmt.Sprintf("%d sessions are open", want), func() (bool, error) {
		n, err := s.open(ctx)
		return n == want, err
	})
}

// busy measures the processor time of a process and its children during f, and that of the threads of the kernel that work
// for it alone.
func busy(p *process, f func() error) (time.Duration, error) {
	before, err := familyTime(p.pid())
	if err != nil {
		return 0, err
	}
	threads := threadsTime(template)
	if err := f(); err != nil {
		return 0, err
	}
	after, err := familyTime(p.pid())
	return after - before + threadsTime(template) - threads, err
}
