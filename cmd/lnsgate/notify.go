package main

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// States that systemd understands, see sd_notify(3).
const (
	notifyReady     = "READY=1"
	notifyReloading = "RELOADING=1"
	notifyStopping  = "STOPPING=1"
)

// notify tells systemd a state, several lines at most one per variable. Without systemd it does nothing.
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "@") {
		return fmt.Errorf("systemd is not told %q: NOTIFY_SOCKET=%s is neither a path nor an abstract name", state, path)
	}
	// A leading @ names an abstract socket; package net knows the notation.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("systemd is not told %q: %w", state, err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("systemd is not told %q: %w", state, err)
	}
	return nil
}
