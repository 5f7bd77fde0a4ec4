package web

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"lnsgate/lns/host/netns"
	"lnsgate/test/pgtest"
)

// program is the path of the binary under test.
var program string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "lnsgate-web-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(folder, "lnsgate")
	if netns.Missing() == "" { // otherwise the test skips or fails before it would run it
		if output, err := exec.Command("go", "build", "-o", program, "lnsgate/cmd/lnsgate").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, output)
			os.Exit(1)
		}
	}
	code := pgtest.Run(m)
	os.RemoveAll(folder)
	os.Exit(code)
}
