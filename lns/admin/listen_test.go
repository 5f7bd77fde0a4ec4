package admin

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListenMakesFolderAndMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "lnsgate", "lnsgate.sock")
	listener, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	listener.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays after Close: %v", err)
	}
}

// leaveStale makes what a killed server leaves behind: a socket file that nobody listens on.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
}

func TestListenRemovesStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	leaveStale(t, path)
	listener, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
}

func TestListenRefusesLiveSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = Listen(path)
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.Socket != path || !strings.Contains(err.Error(), "already answers") {
		t.Errorf("got %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the first server lost its socket: %v", err)
	}
	conn.Close()
}

func TestListenTouchesNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "important.txt")
	if err := os.WriteFile(path, []byte("keep me"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "keep me" {
		t.Errorf("the file is %q, %v", text, err)
	}
}

func TestClientSaysWhyNobodyAnswers(t *testing.T) {
	folder := t.TempDir()
	stale := filepath.Join(folder, "stale")
	leaveStale(t, stale)
	tests := []struct {
		name, socket, want string
	}{
		{"never started", filepath.Join(folder, "none"), "there is no socket"},
		{"killed", stale, "is gone"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewClient(test.socket).Tunnels(t.Context())
			var down *NotRunningError
			if !errors.As(err, &down) || down.Socket != test.socket {
				t.Fatalf("got %v", err)
			}
			for _, part := range []string{test.socket, test.want, "lnsgate serve -c FILE", "--socket"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
	denied := &NotRunningError{Socket: "s", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}}
	if text := denied.Error(); !strings.Contains(text, "no permission") || !strings.Contains(text, "group") {
		t.Errorf("got %q", text)
	}
}

func TestClientIsInterrupted(t *testing.T) {
	client := start(t, Config{Engine: twoTunnels()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Tunnels(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Something else than lnsgate may listen on the socket that a person names.
func TestClientOfAStranger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stranger := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/pools" {
			w.WriteHeader(http.StatusTeapot)
		}
		w.Write([]byte("<html>"))
	})}
	done := make(chan struct{})
	go func() { stranger.Serve(listener); close(done) }()
	client := NewClient(path)
	if _, err := client.Tunnels(t.Context()); err == nil || !strings.Contains(err.Error(), "not understood") {
		t.Errorf("got %v", err)
	}
	if _, err := client.Pools(t.Context()); err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("got %v", err)
	}
	client.Close()
	stranger.Close()
	<-done
}

// A request under way may finish when the server is told to stop, and Serve waits for it.
func TestServeLetsRequestsFinish(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	server := New(Config{Engine: twoTunnels(), Reload: func(ctx context.Context) (Reloaded, error) {
		close(entered)
		<-release
		return Reloaded{}, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	served, reloaded := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	client := NewClient(path)
	defer client.Close()
	go func() {
		_, err := client.Reload(t.Context())
		reloaded <- err
	}()
	<-entered
	cancel()
	close(release)
	if err := <-reloaded; err != nil {
		t.Errorf("the request: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays after Serve: %v", err)
	}
}

// A second server that an ordinary user starts cannot even ask whether root's still lives.
func TestListenOnAnothersSocketSaysWhoMay(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "s")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for _, mode := range []struct {
		path string
		mode fs.FileMode
	}{{filepath.Dir(folder), 0o755}, {folder, 0o755}, {path, 0}} {
		if err := os.Chmod(mode.path, mode.mode); err != nil {
			t.Fatal(err)
		}
	}
	err = asNobody(t, func() error { _, err := Listen(path); return err })
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "may be in use") ||
		!strings.HasSuffix(err.Error(), "(systemd: RuntimeDirectory=lnsgate)") {
		t.Errorf("got %v", err)
	}
}

// asNobody runs do without root's right to open everything.
func asNobody(t *testing.T, do func() error) error {
	t.Helper()
	result := make(chan error, 1)
	go func() {
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // for good: the thread ends with this goroutine
			if _, err := unix.SetfsuidRetUid(65534); err != nil {
				result <- err
				return
			}
		}
		result <- do()
	}()
	return <-result
}
