package main

import (
	"net"
	"path/filepath"
	"testing"
)

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := notify(notifyReady); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 100)
	n, err := systemd.Read(text)
	if err != nil || string(text[:n]) != "READY=1" {
		t.Errorf("systemd was told %q, %v", text[:n], err)
	}
}

func TestNotifyAbstract(t *testing.T) {
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	t.Setenv("NOTIFY_SOCKET", systemd.LocalAddr().String()) // the kernel chose it: @ and five digits
	if err := notify(notifyStopping); err != nil {
		t.Error(err)
	}
}

func TestNotifyWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := notify(notifyReady); err != nil {
		t.Error(err)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if notify(notifyReady) == nil {
		t.Error("a socket that is not there was told")
	}
	t.Setenv("NOTIFY_SOCKET", "vsock:2:1")
	if notify(notifyReloading) == nil {
		t.Error("an address family that is not spoken was told")
	}
}
