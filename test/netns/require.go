package netns

import (
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// TestingT is the part of *testing.T and *testing.B that this package needs.
type TestingT interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// All says that no test may be skipped, because the environment has LNSGATE_TEST_ALL=1.
func All() bool { return os.Getenv("LNSGATE_TEST_ALL") == "1" }

// Missing names what this process lacks to build networks: capabilities in words, or "" when nothing is missing.
func Missing() string {
	var missing []string
	if !effective(unix.CAP_SYS_ADMIN) {
		missing = append(missing, "CAP_SYS_ADMIN")
	}
	if !effective(unix.CAP_NET_ADMIN) {
		missing = append(missing, "CAP_NET_ADMIN")
	}
	return strings.Join(missing, " and ")
}

// Require skips the test when this process cannot build networks, or fails it when every test must run.
func Require(t TestingT) {
	t.Helper()
	missing := Missing()
	switch {
	case missing == "":
	case All():
		t.Fatalf("this test needs %s, and LNSGATE_TEST_ALL=1 forbids to skip it", missing)
	default:
		t.Skipf("needs %s", missing)
	}
}

// RequireTUN is Require for tests that also open a TUN device.
func RequireTUN(t TestingT) {
	t.Helper()
	Require(t)
	requireThing(t, "/dev/net/tun", func() error { _, err := os.Stat("/dev/net/tun"); return err }())
}

// RequireCommand is Require for tests that also run a program of this machine.
func RequireCommand(t TestingT, name string) {
	t.Helper()
	Require(t)
	_, err := exec.LookPath(name)
	requireThing(t, "the command "+name, err)
}

func requireThing(t TestingT, name string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case All():
		t.Fatalf("this test needs %s, and LNSGATE_TEST_ALL=1 forbids to skip it: %v", name, err)
	default:
		t.Skipf("needs %s: %v", name, err)
	}
}

// effective says whether the calling thread holds a capability.
func effective(capability int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[capability/32].Effective&(1<<(capability%32)) != 0
}
