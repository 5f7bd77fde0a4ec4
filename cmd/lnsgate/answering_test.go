package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"lnsgate/configs"
)

// radiusOnly is a file without L2TP, in a folder of its own.
func radiusOnly(t *testing.T) (file string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "nas") // short, because unix sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	file = filepath.Join(folder, "lnsgate.yaml")
	text := fmt.Sprintf(`
admin_socket: %[1]s/admin.sock
state_dir: %[1]s
spool_dir: %[1]s/spool
radius_server:
  listen: ["127.0.0.1:0"]
  accounting_listen: ["127.0.0.1:0"]
  clients: [{name: router1, source: 127.0.0.1/32, secret: "5d8c0b7e6f1a49d3b2c4e7f8a1063d95"}]
domains: [{name: default, pools: [office]}]
pools: [{name: office, ranges: [10.20.0.0/24]}]
users: [{name: alice, password: "Admin@123"}]
`, folder)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A RADIUS server that carries nobody touches nothing that another would, and needs no privilege.
func TestRADIUSServersRunBesideEachOther(t *testing.T) {
	for range 2 {
		file := radiusOnly(t)
		config, _, err := configs.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		n, err := newNode(config, file, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := n.close(); err != nil {
				t.Error(err)
			}
		}()
		if n.host != nil || len(n.answering.server.Addresses()) != 2 || len(n.transport.Addrs()) != 0 {
			t.Errorf("host %v, RADIUS at %v, L2TP at %v", n.host, n.answering.server.Addresses(), n.transport.Addrs())
		}
	}
}
