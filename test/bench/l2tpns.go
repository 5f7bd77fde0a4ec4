package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// l2tpnsSecret is shared by l2tpns and the lnsgate that answers it.
const l2tpnsSecret = "7f0e6a2d9c1b4835"

// inTurn measures lnsgate as the LNS of this world, ends it, and measures l2tpns in its place, unless that is nil.
func (w *world) inTurn(ctx context.Context, ours, theirs func(server *process) error) error {
	s, err := w.serveThis(ctx, w.askingHeadquarters())
	if err != nil {
		return err
	}
	if err := ours(s.process); err != nil {
		return err
	}
	if err := s.end(ctx); err != nil || theirs == nil {
		return err
	}
	p, err := w.serveL2TPNS(ctx)
	if err != nil {
		return err
	}
	return theirs(p)
}

// serveL2TPNS starts the l2tpns of Debian as the LNS of this world, with the RADIUS server at headquarters. It returns when
// l2tpns serves.
func (w *world) serveL2TPNS(ctx context.Context) (*process, error) {
	log, config := filepath.Join(w.folder, "l2tpns.log"), filepath.Join(w.folder, "l2tpns.conf")
	settings := fmt.Sprintf(l2tpnsSettings, log, filepath.Join(w.folder, "l2tpns.pid"), serverAddress, tunnelled, l2tpnsSecret)
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	if _, err := w.lns.Run("sysctl", "-qw", "net.ipv4.ip_forward=1"); err != nil { // as lnsgate does for itself
		return nil, err
	}
	p, err := w.start(w.lns, "l2tpns", "l2tpns", "-c", config, "-h", "l2tpns")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return p, until(ctx, "l2tpns has found no other of its cluster", func() (bool, error) {
		if !p.running() {
			return false, fmt.Errorf("%s has ended:\n%s", p.command, p.said())
		}
		said, _ := os.ReadFile(log) // it is not there at first
		return bytes.Contains(said, []byte("declaring myself the master")), nil
	})
}

// l2tpnsSettings are for its log, its pid file, its address, its RADIUS server, and the secret.
const l2tpnsSettings = `set debug 2
set log_file "%s"
set pid_file "%s"
set l2tp_secret "secret"
set bind_address %s
set iftun_address 10.10.0.1
set tundevicename l2tpns0
set primary_radius %s
set primary_radius_port 1812
set radius_secret "%s"
set radius_accounting no
set radius_authtypes "chap,pap"
set cli_bind_address 127.0.0.1
set send_garp no
set cluster_interface hq
`

// atHeadquarters starts the RADIUS server of both: an lnsgate with that many accounts.
func (w *world) atHeadquarters(ctx context.Context, users int) (*server, error) {
	socket := filepath.Join(w.folder, "hq.sock")
	var b strings.Builder
	fmt.Fprintf(&b, "admin_socket: %s\nstate_dir: %s\nspool_dir: %s\n", socket, w.folder, filepath.Join(w.folder, "spool"))
	fmt.Fprintf(&b, "radius_server:\n  listen: ['%s:1812']\n  accounting_listen: ['%s:1813']\n  clients:\n", tunnelled, tunnelled)
	fmt.Fprintf(&b, "    - {name: lns, source: 10.20.0.1/32, secret: %q, message_authenticator: off}\n", l2tpnsSecret)
	b.WriteString("default_domain: default\ndomains:\n  - {name: default, pools: [pool1]}\n")
	b.WriteString("pools:\n  - {name: pool1, ranges: [10.128.0.0/14], quarantine: 0s}\nusers:\n")
	for n := range users {
		fmt.Fprintf(&b, "  - {name: user%d, password: %q}\n", n+1, password)
	}
	return w.serveAt(ctx, w.hq, socket, b.String())
}

// askingHeadquarters is the configuration of an LNS of ours with that RADIUS server.
func (w *world) askingHeadquarters() string {
	return w.common() + fmt.Sprintf(`domains:
  - {name: default, authentication: [hq], pools: [pool1]}
pools:
  - {name: pool1, ranges: [10.128.0.0/14]}
radius:
  - name: hq
    servers: [{address: %s, secret: %q}]
`, tunnelled, l2tpnsSecret)
}
