package radtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// TestingT is the part of *testing.T and *testing.B that this package needs.
type TestingT interface {
	Helper()
	Failed() bool
	Logf(format string, args ...any)
	Skipf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Folders of the Debian packages freeradius, freeradius-config and freeradius-common.
const (
	shipped      = "/etc/freeradius/3.0"
	dictionaries = "/usr/share/freeradius"
	modules      = "/usr/lib/freeradius"
)

// find finds a program. Debian keeps the server where the PATH of a user does not look.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path := filepath.Join("/usr/sbin", name)
	_, err := os.Stat(path)
	return path, err
}

// need finds a program of a package and skips the test when this machine lacks it, or fails it when every test must run.
func need(t TestingT, name, debian string) string {
	t.Helper()
	path, err := find(name)
	if err != nil {
		lacks(t, fmt.Errorf("there is no %s: install the package %s", name, debian))
	}
	return path
}

// server finds the server and what it reads.
func server(t TestingT, database bool) string {
	t.Helper()
	program := need(t, "freeradius", "freeradius")
	wanted := map[string]string{filepath.Join(shipped, "mods-config/attr_filter/access_reject"): "freeradius-config"}
	if database {
		wanted[filepath.Join(modules, "rlm_sql_postgresql.so")] = "freeradius-postgresql"
	}
	for file, debian := range wanted {
		f, err := os.Open(file)
		switch {
		case errors.Is(err, os.ErrPermission):
			lacks(t, fmt.Errorf("%w: be root", err))
		case err != nil:
			lacks(t, fmt.Errorf("%w: install the package %s", err, debian))
		}
		f.Close()
	}
	return program
}

func lacks(t TestingT, err error) {
	t.Helper()
	if os.Getenv("LNSGATE_TEST_ALL") == "1" {
		t.Fatalf("this test needs FreeRADIUS, and LNSGATE_TEST_ALL=1 forbids to skip it: %v", err)
	}
	t.Skipf("needs FreeRADIUS: %v", err)
}
