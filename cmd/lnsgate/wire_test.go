package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lnsgate/configs"
	"lnsgate/test/netns"
)

// A server whose device was removed would go on accepting people whose traffic goes nowhere.
func TestTheServerEndsWhenADeviceIsRemoved(t *testing.T) {
	netns.RequireTUN(t)
	netns.RequireCommand(t, "ip")
	folder := t.TempDir()
	file := filepath.Join(folder, "lnsgate.yaml")
	text := strings.ReplaceAll(`
listen: ["127.0.0.1:1701"]
admin_socket: DIR/s
state_dir: DIR
forwarding: false
virtual_templates: [{name: vt1, address: 10.10.0.1/32}]
l2tp_groups: [{name: default, virtual_template: vt1}]
domains: [{name: default, authentication: [local], pools: [pool1]}]
pools: [{name: pool1, ranges: [10.10.1.10-10.10.1.250]}]
users: [{name: l2tpuser, password: "Admin@123"}]
`, "DIR", folder)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, _, err := configs.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	host := netns.NewTest(t)
	var n *node
	if err := host.Do(func() (err error) {
		n, err = newNode(config, file, slog.New(slog.NewTextHandler(t.Output(), nil)))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- n.run(ctx, nil) }()
	if out, err := host.Run("ip", "link", "del", "vt1"); err != nil {
		t.Error(out, err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "vt1 cannot be read any more") {
		t.Errorf("ended with %v", err)
	}
}
