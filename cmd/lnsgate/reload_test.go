package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"lnsgate/configs"
	"lnsgate/lns/admin"

	"golang.org/x/sys/unix"
)

// A new virtual template waits for the next start, so a domain or group on it must not come into force without it, whether
// or not the domain has a pool.
func TestReloadKeepsTemplatesAndTheirUsersTogether(t *testing.T) {
	for _, more := range []string{
		"domains:\n  - {name: finance, pools: [pool1], virtual_template: vt3}\n",
		"domains:\n  - {name: finance, virtual_template: vt3}\n",
		"l2tp_groups:\n  - {name: finance, tunnel_names: [x], virtual_template: vt3}\n",
	} {
		section, item, _ := strings.Cut(more, "\n")
		next := strings.NewReplacer(section+"\n", section+"\n"+item, "virtual_templates:\n",
			"virtual_templates:\n  - {name: vt3, address: 10.30.0.1/32}\n").Replace(departments)
		file := filepath.Join(t.TempDir(), "x.yaml")
		if err := os.WriteFile(file, []byte(next), 0o600); err != nil {
			t.Fatal(err)
		}
		old := parse(t, departments)
		n := &node{log: slog.New(slog.DiscardHandler), config: old, file: file}
		_, err := n.reload(t.Context()) // refused before it touches a room: there is none
		var faults *configs.Faults
		var inForce *admin.InForceError
		if !errors.As(err, &faults) || errors.As(err, &inForce) || n.config != old ||
			!strings.Contains(err.Error(), "is on the virtual template vt3, which does not exist: a new one is made at the next start") {
			t.Errorf("%s: %v", item, err)
		}
		if !strings.Contains(err.Error(), "x.yaml: line ") {
			t.Errorf("no line: %v", err)
		}
	}
}

// A hangup signal during the start must not kill the process, as it does where nobody has asked for it.
func TestHangupDuringTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- serve(context.Background(), file) }()
	pipe, err := os.OpenFile(file, os.O_WRONLY, 0) // waits until serve reads its file
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // a signal to our own thread has arrived when the call returns
	defer runtime.UnlockOSThread()
	if err := unix.Tgkill(os.Getpid(), unix.Gettid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	pipe.Close()
	if err := <-served; err == nil || !strings.Contains(err.Error(), "the file is empty") {
		t.Errorf("got %v", err)
	}
}
