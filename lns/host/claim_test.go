package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lnsgate/test/netns"
)

func clean(n *netns.Namespace, h *Host) error {
	return n.Do(func() error { _, err := h.CleanUp(); return err })
}

func TestOnlyOneServesInANamespace(t *testing.T) {
	n, first := room(t, t.TempDir())
	second := newHost(t, n, t.TempDir())
	must(t, clean(n, first))
	must(t, clean(n, first))
	err := clean(n, second)
	if want := fmt.Sprintf("process %d serves in this network namespace", os.Getpid()); !errors.Is(err, ErrRunning) ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	must(t, n.Do(first.Close))
	must(t, clean(n, second))
}

func TestOnlyOneServesWithAStateDirectory(t *testing.T) {
	state := t.TempDir()
	n, first := room(t, state)
	elsewhere := netns.NewTest(t)
	second := newHost(t, elsewhere, state)
	must(t, clean(n, first))
	err := clean(elsewhere, second)
	if want := fmt.Sprintf("process %d has locked %s", os.Getpid(), filepath.Join(state, lockName)); !errors.Is(err, ErrRunning) ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	must(t, n.Do(first.Close))
	must(t, clean(elsewhere, second))
}

func TestServersInTwoNamespacesDoNotMeet(t *testing.T) {
	n, first := room(t, t.TempDir())
	elsewhere := netns.NewTest(t)
	second := newHost(t, elsewhere, t.TempDir())
	must(t, clean(n, first))
	must(t, clean(elsewhere, second))
}

func TestALockThatIsNotOursSaysWhoMay(t *testing.T) {
	folder := t.TempDir()
	must(t, os.Chmod(folder, 0o500))
	result := make(chan error, 1)
	go func() {
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // for good: the thread ends with this goroutine
			if _, err := unix.SetfsuidRetUid(65534); err != nil {
				result <- err
				return
			}
		}
		_, err := takeLock(filepath.Join(folder, lockName))
		result <- err
	}()
	if err := <-result; !errors.Is(err, fs.ErrPermission) || !strings.HasSuffix(err.Error(), "as the user that runs it here") {
		t.Errorf("got %v", err)
	}
}

// Abstract names belong to whoever takes them first.
func TestAStrangerCannotKeepTheServerFromStarting(t *testing.T) {
	netns.RequireCommand(t, "setpriv")
	n := netns.NewTest(t)
	stranger := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/proc/self/fd/3")
	binary, err := os.Open(os.Args[0]) // the folder of the binary is not the stranger's to enter
	must(t, err)
	defer binary.Close()
	stranger.ExtraFiles = []*os.File{binary}
	stranger.Env = append(os.Environ(), squatter+"=1")
	out, err := stranger.StdoutPipe()
	must(t, err)
	must(t, n.Start(stranger))
	t.Cleanup(func() { _ = stranger.Process.Kill(); _ = stranger.Wait() })
	line := make([]byte, 6)
	if _, err := out.Read(line); err != nil || string(line) != "taken\n" {
		t.Fatalf("the stranger said %q, %v", line, err)
	}
	var log bytes.Buffer
	var h *Host
	must(t, n.Do(func() (err error) {
		h, err = New(Config{StateDir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&log, nil))})
		return err
	}))
	t.Cleanup(func() { must(t, n.Do(h.Close)) })
	must(t, clean(n, h))
	if want := fmt.Sprintf("process=%d uid=65534", stranger.Process.Pid); !strings.Contains(log.String(), want) {
		t.Errorf("want %s in %s", want, log.String())
	}
}
