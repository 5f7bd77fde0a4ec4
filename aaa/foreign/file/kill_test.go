package file

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa/foreign"
	"lnsgate/aaa/foreign/foreigntest"
)

// victim puts sessions into a file and says so when each is there, until it is killed.
func victim(path string) {
	s, err := Open(Config{Path: path})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for writer := range 8 {
		go func() {
			for n := writer; ; n += 8 {
				if err := s.Put(context.Background(), foreigntest.Start("a", n, time.Now())); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println(n)
				mu.Unlock()
			}
		}()
	}
	select {}
}

func TestKilledProcessLosesNothingThatItSaidWasThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions")
	said := map[string]bool{}
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LNSGATE_TEST_VICTIM="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			said["a/login"+lines.Text()] = true
			if n == 200 {
				cmd.Process.Kill() //nolint:errcheck // it is there
			}
		}
		cmd.Wait() //nolint:errcheck // it was killed
	}
	s := mustOpen(t, path)
	found, err := s.Find(t.Context(), foreign.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range found {
		delete(said, r.Session)
	}
	if len(found) < 200 || len(said) > 0 {
		t.Errorf("%d sessions are there, lost are %v", len(found), said)
	}
}
