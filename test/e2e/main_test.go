package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"lnsgate/lns/host/netns"

	"go.uber.org/goleak"
)

// program is the path of the binary under test.
var program string

// TestMain builds the program once, and looks for goroutines that the tests left behind.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "lnsgate-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	program = filepath.Join(folder, "lnsgate")
	if netns.Missing() == "" { // otherwise every test skips or fails before it would run it
		if err := build(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	// A program with the race detector waits a second at its end unless told otherwise. The tests run it often.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func build() error {
	args := []string{"build", "-o", program}
	if raced {
		args = append(args, "-race")
	}
	command := exec.Command("go", append(args, "lnsgate/cmd/lnsgate")...)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, output)
	}
	return nil
}
