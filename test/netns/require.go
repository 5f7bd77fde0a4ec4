package netns

import (
	"os"
	"os/exec"

	"lnsgate/lns/host/netns"
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

// Require skips the test when this process cannot build networks, or fails it when every test must run.
func Require(t TestingT) {
	t.Helper()
	missing := netns.Missing()
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
	RequireProgram(t, name)
}

// RequireProgram skips the test when this machine has no such program, or fails it when every test must run. It returns its path.
func RequireProgram(t TestingT, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	requireThing(t, "the command "+name, err)
	return path
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
