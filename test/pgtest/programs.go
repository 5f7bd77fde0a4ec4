package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// TestingT is the part of *testing.T and *testing.B that this package needs.
type TestingT interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Skipf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// require skips the test when there is no server to be had, or fails it when every test must run.
func require(t TestingT, err error) {
	t.Helper()
	var missing *missingError
	switch {
	case err == nil:
	case !errors.As(err, &missing):
		t.Fatalf("pgtest: %v", err)
	case os.Getenv("LNSGATE_TEST_ALL") == "1":
		t.Fatalf("this test needs a PostgreSQL server, and LNSGATE_TEST_ALL=1 forbids to skip it: %v", err)
	default:
		t.Skipf("needs a PostgreSQL server: %v", err)
	}
}

// missingError says that this machine lacks something.
type missingError struct{ what string }

func (e *missingError) Error() string { return e.what }

// programs are the server programs and the user to run them as.
type programs struct {
	folder string
	user   *syscall.Credential // nil: as we are
}

// programsVariable names the folder of the server programs, in place of those that are found.
const programsVariable = "LNSGATE_TEST_PG_BIN"

// findPrograms looks for the newest server programs: those of pg_config, and those of Debian.
func findPrograms() (programs, error) {
	if folder := os.Getenv(programsVariable); folder != "" {
		if _, err := os.Stat(filepath.Join(folder, "initdb")); err != nil {
			return programs{}, fmt.Errorf("%s: %w", programsVariable, err)
		}
		who, err := unprivileged()
		return programs{folder, who}, err
	}
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(folders, func(a, b string) int { return majorOf(b) - majorOf(a) })
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, strings.TrimSpace(string(out)))
	}
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, "initdb")); err != nil {
			continue
		}
		who, err := unprivileged()
		return programs{folder, who}, err
	}
	return programs{}, &missingError{"there is no initdb: install the package postgresql, or set LNSGATE_TEST_DATABASE"}
}

// Program finds a client program that fits the server, such as pg_dump: beside the server programs that LNSGATE_TEST_PG_BIN names,
// else where the machine has it. Without it the test is skipped, or fails when every test must run.
func Program(t TestingT, name string) string {
	t.Helper()
	path := name
	if folder := os.Getenv(programsVariable); folder != "" {
		path = filepath.Join(folder, name)
	}
	found, err := exec.LookPath(path)
	if err != nil {
		require(t, &missingError{"there is no " + path})
	}
	return found
}

// majorOf is the version in a path such as /usr/lib/postgresql/15/bin.
func majorOf(folder string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return n
}

// unprivileged is the user that the server runs as when we are root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, &missingError{"there is neither a user postgres nor a user nobody, and the server refuses to run as root"}
}

// own gives a folder to the user of the programs.
func (p programs) own(folder string) error {
	if p.user == nil {
		return nil
	}
	return os.Chown(folder, int(p.user.Uid), int(p.user.Gid))
}

// run runs one of the programs to its end. What it prints is part of the error. Nothing but files is handed on to it,
// so nothing waits for the server that it may leave running.
func (p programs) run(folder, name string, args ...string) error {
	printed, err := os.OpenFile(filepath.Join(folder, name+".out"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer printed.Close()
	cmd := exec.Command(filepath.Join(p.folder, name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, printed, printed
	// A session of its own: Ctrl-C is for the tests, the watcher does the rest.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.user, Setsid: true}
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(printed.Name())
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(text)))
	}
	return nil
}
