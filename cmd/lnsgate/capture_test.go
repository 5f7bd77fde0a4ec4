package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lnsgate/lns/admin"
	"lnsgate/lns/capture"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/trace"
)

func newTestHub() *capture.Hub {
	return capture.New(capture.Config{Program: "lnsgate test", Node: "hq-1", Watch: func(ctx context.Context) <-chan trace.Event {
		events := make(chan trace.Event)
		context.AfterFunc(ctx, func() { close(events) })
		return events
	}})
}

// auditNotes is what was written down of operators.
type auditNotes struct{ all []string }

func (n *auditNotes) audit(ctx context.Context, action, target, _ string, err error) {
	n.all = append(n.all, fmt.Sprint(admin.ActorOf(ctx).Name, " ", action, " ", target, " ", err != nil))
}

type nowhere struct{}

func (nowhere) Send(datapath.Path, []byte) error        { return nil }
func (nowhere) SendBatch(datapath.Path, [][]byte) error { return nil }

// say has a message pass to a peer.
func say(t *testing.T, hub *capture.Hub) {
	t.Helper()
	hello := l2tp.AppendControl(nil, 1, 0, 0, 0, l2tp.Append(nil, l2tp.Hello{}, l2tp.AppendOptions{}))
	path := datapath.Path{Remote: netip.MustParseAddrPort("192.0.2.9:1701"), Local: netip.MustParseAddr("192.0.2.1")}
	if err := hub.Sender(nowhere{}).Send(path, hello); err != nil {
		t.Error(err)
	}
}

// The command writes what the server sends until as many packets as asked for are there.
func TestCaptureCommand(t *testing.T) {
	hub, notes := newTestHub(), &auditNotes{}
	socket := serveMounts(t, captureMounts(hub, notes.audit))
	file := filepath.Join(t.TempDir(), "x.pcapng")
	if err := os.WriteFile(file, bytes.Repeat([]byte("old"), 1<<16), 0o644); err != nil { // of before, and everybody may read it
		t.Fatal(err)
	}
	armed := func() {
		if len(hub.List()) == 1 {
			say(t, hub)
			say(t, hub)
		}
	}
	said, err := lnsgateWhen(t, "capturing", armed, "capture", "--socket", socket, "--peer", "192.0.2.9", "--count", "2", "-w", file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, "capturing; Ctrl-C ends it") || !strings.Contains(said, "the capture has ended") {
		t.Errorf("it says %q", said)
	}
	octets, err := os.ReadFile(file)
	if err != nil || bytes.Count(octets, []byte("\x45\x00\x00\x30")) != 2 {
		t.Errorf("%v, %d octets: %x", err, len(octets), octets)
	}
	if len(notes.all) != 1 || !strings.Contains(notes.all[0], "capture count=2&data=none&peer=192.0.2.9 false") {
		t.Errorf("written down: %q", notes.all)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || info.Size() > 1<<16 {
		t.Errorf("others may read the file, or what was there before: %v %d %v", info.Mode(), info.Size(), err)
	}
}

// lnsgateWhen is lnsgate, and does something when the command has said a word.
func lnsgateWhen(t *testing.T, word string, do func(), args ...string) (string, error) {
	t.Helper()
	said := &listener{word: word, do: do}
	root := newRootCommand()
	root.SetOut(said)
	root.SetErr(said)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return said.String(), err
}

type listener struct {
	bytes.Buffer
	word string
	do   func()
}

func (l *listener) Write(b []byte) (int, error) {
	n, err := l.Buffer.Write(b)
	if do := l.do; do != nil && strings.Contains(l.String(), l.word) {
		l.do = nil
		do()
	}
	return n, err
}

// serveMounts runs a server with these handlers and returns its socket.
func serveMounts(t *testing.T, mounts []admin.Mount) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listening, err := admin.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	server := admin.New(admin.Config{Engine: &fakeEngine{}, Mounts: mounts})
	go func() { served <- server.Serve(ctx, listening) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return socket
}

// Who may only operate sees no secrets and no content, and mistakes are told before anything is armed.
func TestCaptureIsRefused(t *testing.T) {
	hub, notes := newTestHub(), &auditNotes{}
	mux := http.NewServeMux()
	for _, m := range captureMounts(hub, notes.audit) {
		if m.Role != admin.Operate {
			t.Errorf("%s takes the role %s", m.Pattern, m.Role)
		}
		mux.Handle(m.Pattern, m.Handler)
	}
	for _, c := range []struct {
		method, target string
		status         int
		says           string
	}{
		{"GET", "/v1/capture?user=anna&secrets=true", http.StatusForbidden, "takes the role administer"},
		{"GET", "/v1/capture?user=anna&data=whole", http.StatusForbidden, "takes the role administer"},
		{"GET", "/v1/capture", http.StatusBadRequest, "name what to capture"},
		{"GET", "/v1/capture?usr=anna", http.StatusBadRequest, `no parameter \"usr\"`},
		{"GET", "/v1/capture?user=anna&user=bob", http.StatusBadRequest, "given twice"},
		{"GET", "/v1/capture?peer=nowhere", http.StatusBadRequest, "neither an address nor a network"},
		{"GET", "/v1/capture?user=a&data=some", http.StatusBadRequest, "no amount of user data"},
		{"GET", "/v1/capture?user=a&count=-1", http.StatusBadRequest, "cannot be negative"},
		{"DELETE", "/v1/captures/7", http.StatusNotFound, "there is no capture"},
		{"HEAD", "/v1/capture?user=anna", http.StatusMethodNotAllowed, "use GET"},
		{"GET", "/v1/captures", http.StatusOK, `"captures":[]`},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(c.method, c.target, nil)
		mux.ServeHTTP(w, r.WithContext(admin.WithActor(r.Context(), admin.Actor{Name: "olga", Role: admin.Operate, From: "test"})))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s: %d %s", c.method, c.target, w.Code, w.Body)
		}
	}
	if left := hub.List(); len(left) != 0 {
		t.Errorf("armed: %+v", left)
	}
	if want := []string{"olga capture user=anna&secrets=true true", "olga capture user=anna&data=whole true"}; !slices.Equal(notes.all, want) {
		t.Errorf("written down: %q", notes.all)
	}
}
