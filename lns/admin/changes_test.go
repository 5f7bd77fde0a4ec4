package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/trace"
)

func auditOf(t *testing.T, s *Server) []Change {
	t.Helper()
	var list auditList
	if err := json.Unmarshal(ask(t, s, get, "/v1/audit", nil).Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	return list.Changes
}

// Every change says who, from where, what and what came of it, in the log and in the audit; and no secret.
func TestChangesAreWrittenDown(t *testing.T) {
	d := &fakeDirectory{}
	cfg := everything(d)
	var log bytes.Buffer
	cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := New(cfg)
	changes := 0
	for _, test := range []struct{ method, path, body, action, target, detail, told string }{
		{post, "/v1/users", `{"name":"zoe@lab","password":"geheim1","mtu":1400,"session_timeout_seconds":60,"dns":["10.0.0.1"],"profile":null}`,
			"add account", "zoe@lab", "password (set)", "add account zoe@lab dns=[10.0.0.1], mtu=1400, profile taken back, session_timeout=60 seconds"},
		{patch, "/v1/users/zoe%40lab", `{"disabled":true,"address":"10.0.0.9"}`, "change account", "zoe@lab", "disabled=true, address=10.0.0.9", "set account zoe@lab disabled=true"},
		{post, "/v1/users/zoe/password", `{"password":"geheim2"}`, "change password of account", "zoe", "password (set)", "set account zoe "},
		{remove, "/v1/users/zoe", "", "delete account", "zoe", "", "delete account zoe"},
		{post, "/v1/domains", `{"name":"lab","pools":["p"],"blocked":true}`, "add domain", "lab", "blocked=true, pools=[p]", "add domain lab blocked=true"},
		{patch, "/v1/pools/p", `{"ranges":["10.0.0.0/24"],"quarantine_seconds":1.5}`, "change pool", "p", "ranges=[10.0.0.0/24]", "set pool p quarantine=1.5 seconds"},
		{post, "/v1/pools/p/drain", `{"range":"10.0.0.0/24"}`, "drain pool", "p", "range=10.0.0.0/24", "drain pool p"},
		{post, "/v1/nases", `{"name":"r1","source":"192.0.2.7","secret":"geheim3"}`, "add NAS", "r1", "secret (set)", "add NAS r1 secret (set), source=192.0.2.7"},
		{post, "/v1/profiles", `{"name":"field","rate_down":10000000,"session_timeout_seconds":86400}`, "add profile", "field", "rate_down=10000000",
			"add profile field rate_down=10000000, session_timeout=86400 seconds"},
		{patch, "/v1/profiles/field", `{"pools":["p"],"mtu":null}`, "change profile", "field", "mtu taken back, pools=[p]", "set profile field mtu taken back, pools=[p]"},
		{remove, "/v1/profiles/field", "", "delete profile", "field", "", "delete profile field"},
		{post, "/v1/nodes/lns3/forget", `{"force":true}`, "forget node", "lns3", "", "forget node lns3"},
		{post, "/v1/kick", `{"user":"l2tpuser","reason":"late"}`, "kick", "l2tpuser", "reason: late", ""},
		{post, "/v1/reload", "", "reload", "", "", ""},
	} {
		r := httptest.NewRequestWithContext(WithActor(t.Context(), Actor{Name: "anna", Role: Administer, From: "192.0.2.7"}), test.method, test.path, strings.NewReader(test.body))
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		changes++
		list := auditOf(t, s)
		if w.Code != 200 || len(list) != changes {
			t.Fatalf("%s %s: %d %s, %d changes", test.method, test.path, w.Code, w.Body, len(list))
		}
		c := list[0]
		if c.Name != "anna" || c.Role != Administer || c.From != "192.0.2.7" || c.Action != test.action || c.Target != test.target ||
			!strings.Contains(c.Detail, test.detail) || c.Error != "" || !c.At.Equal(noon) {
			t.Errorf("%s %s: %+v", test.method, test.path, c)
		}
		if n := len(d.told); test.told != "" && (d.told[n-1] != test.told || d.by[n-1].Name != "anna") {
			t.Errorf("%s %s: told %q by %v", test.method, test.path, d.told[n-1], d.by[n-1])
		}
		if !strings.Contains(log.String(), "action=\""+test.action+"\"") && !strings.Contains(log.String(), "action="+test.action) || !strings.Contains(log.String(), "operator=anna") {
			t.Errorf("%s %s is not in the log", test.method, test.path)
		}
	}
	text, _ := json.Marshal(auditOf(t, s))
	if both := log.String() + string(text); strings.Contains(both, "geheim") {
		t.Errorf("a secret is in %s", both)
	}
}

func TestChangesThatFail(t *testing.T) {
	d := &fakeDirectory{err: &Error{http.StatusConflict, "there is an account of this name already", ""}}
	s := New(everything(d))
	if w := ask(t, s, post, "/v1/users", map[string]any{"name": "x"}); w.Code != http.StatusConflict {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if c := auditOf(t, s)[0]; c.Target != "x" || !strings.Contains(c.Error, "already") {
		t.Errorf("%+v", c)
	}
	cfg := everything(d)
	cfg.Elsewhere = nil
	here := New(cfg)
	for path, body := range map[string]any{"/v1/kick": KickRequest{User: "nobody"}, "/v1/bans/lift": LiftRequest{Who: "nobody"}} {
		if w := ask(t, here, post, path, body); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if c := auditOf(t, here)[0]; c.Target != "nobody" || c.Error == "" {
			t.Errorf("%s: %+v", path, c)
		}
	}
	for path, body := range map[string]any{"/v1/users": map[string]any{}, "/v1/users/x/password": PasswordRequest{}, "/v1/pools": map[string]any{"nam": "x"}} {
		if w := ask(t, s, post, path, body); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	bare := New(Config{Engine: twoTunnels()})
	for _, r := range bare.storedRoutes() {
		if r.role == Administer {
			if w := ask(t, bare, r.method, strings.ReplaceAll(r.path, "{name}", "x"), struct{}{}); w.Code != http.StatusNotImplemented {
				t.Errorf("without a database: %s %s: %d %s", r.method, r.path, w.Code, w.Body)
			}
		}
	}
}

func TestAuditIsBounded(t *testing.T) {
	s := New(Config{Engine: twoTunnels()})
	for range auditKept + 7 {
		s.Audit(t.Context(), "capture", "anna", "", errors.New("no"))
	}
	if list := auditOf(t, s); len(list) != auditKept {
		t.Errorf("%d changes", len(list))
	}
	var list auditList
	if err := json.Unmarshal(ask(t, s, get, "/v1/audit?limit=3", nil).Body.Bytes(), &list); err != nil || len(list.Changes) != 3 {
		t.Errorf("%d, %v", len(list.Changes), err)
	}
}

// A setting that is left out is none, null is one, and a value is one.
func TestOptional(t *testing.T) {
	var u UserRequest
	if err := json.Unmarshal([]byte(`{"mtu":null,"disabled":false}`), &u); err != nil {
		t.Fatal(err)
	}
	got := settingsOf(u)
	if value, there := got["mtu"]; !there || value != nil || got["disabled"] != false || len(got) != 2 {
		t.Errorf("got %v", got)
	}
	u = UserRequest{Name: Set("x"), Password: "p"}
	if text, err := json.Marshal(u); err != nil || string(text) != `{"name":"x","password":"p"}` {
		t.Errorf("%s, %v", text, err)
	}
	if c, _, detail := u.change(); c.Password == nil || c.Password.Reveal() != "p" || strings.Contains(detail, "=p") {
		t.Errorf("%+v, %q", c, detail)
	}
}

func TestHealth(t *testing.T) {
	for _, test := range []struct {
		check Check
		ready int
	}{
		{Check{"sockets", true, true, ""}, 200}, {Check{"pool p", false, false, "full"}, 200}, {Check{"sockets", false, true, "none"}, 503},
	} {
		cfg := Config{Engine: twoTunnels(), Health: func(context.Context) []Check { return []Check{test.check} }}
		s := New(cfg)
		w := ask(t, s, get, "/readyz", nil)
		if w.Code != test.ready || !strings.Contains(w.Body.String(), test.check.Name) {
			t.Errorf("%+v: %d %s", test.check, w.Code, w.Body)
		}
		stranger := httptest.NewRecorder()
		s.Handler().ServeHTTP(stranger, httptest.NewRequestWithContext(t.Context(), get, "/readyz", nil))
		if stranger.Code != test.ready || strings.Contains(stranger.Body.String(), test.check.Name) {
			t.Errorf("a stranger is told %d %s", stranger.Code, stranger.Body)
		}
	}
}

// Events come as they happen, with signs of life between them; and the stream ends with the server.
func TestEvents(t *testing.T) {
	feed := make(chan trace.Event)
	cfg := everything(&fakeDirectory{})
	cfg.Watch = func(context.Context) <-chan trace.Event { return feed }
	o, tokens := someOperators(nil)
	base, client := startTLS(t, cfg, o)
	r, _ := http.NewRequestWithContext(t.Context(), get, base+"/v1/events", nil)
	r.Header.Set("Authorization", "Bearer "+tokens[View])
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("content type %q", kind)
	}
	lines := bufio.NewScanner(resp.Body)
	feed <- trace.Event{Kind: trace.SessionOpened, ID: "a1", Name: "anna"}
	var got []string
	for len(got) < 4 && lines.Scan() {
		got = append(got, lines.Text())
	}
	if len(got) != 4 || got[2] != "event: session-opened" || !strings.Contains(got[3], `"user":"anna"`) {
		t.Errorf("got %q", got)
	}
	close(feed)
	for lines.Scan() {
	}
}

func TestEventsAreForFewReaders(t *testing.T) {
	s := New(everything(&fakeDirectory{}))
	for range maxStreams {
		s.streams <- struct{}{}
	}
	if w := ask(t, s, get, "/v1/events", nil); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	bare := New(Config{Engine: twoTunnels()})
	if w := ask(t, bare, get, "/v1/events", nil); w.Code != http.StatusNotImplemented {
		t.Errorf("%d", w.Code)
	}
}

func TestSilentEventsBeat(t *testing.T) {
	cfg := everything(&fakeDirectory{})
	ctx, cancel := context.WithCancel(WithActor(t.Context(), Actor{Name: "anna", Role: View, From: "192.0.2.7"}))
	cfg.Watch = func(context.Context) <-chan trace.Event { return nil }
	s := New(cfg)
	s.patience.beat = time.Millisecond
	w := &beating{ResponseRecorder: httptest.NewRecorder(), cancel: cancel}
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, get, "/v1/events", nil))
	if !strings.Contains(w.Body.String(), ": alive\n\n") {
		t.Errorf("got %q", w.Body)
	}
}

// beating is a reader that goes when it has heard a sign of life.
type beating struct {
	*httptest.ResponseRecorder
	cancel context.CancelFunc
}

func (b *beating) Write(text []byte) (int, error) {
	if strings.Contains(string(text), "alive") {
		b.cancel()
	}
	return b.ResponseRecorder.Write(text)
}
func (b *beating) SetReadDeadline(time.Time) error  { return nil }
func (b *beating) SetWriteDeadline(time.Time) error { return nil }

// A stream over HTTP/2 lives on between signs of life that are further apart than a write may take.
func TestEventsOverHTTP2(t *testing.T) {
	o, tokens := someOperators(nil)
	cfg := everything(&fakeDirectory{})
	cfg.Operators = o
	cfg.Watch = func(context.Context) <-chan trace.Event { return nil }
	s := New(cfg)
	s.patience.slow, s.patience.beat = 30*time.Millisecond, 90*time.Millisecond
	base, client := startServer(t, s)
	trust := client.Transport.(*http.Transport).TLSClientConfig.Clone()
	trust.NextProtos = nil
	client = &http.Client{Transport: &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, get, base+"/v1/events", nil)
	r.Header.Set("Authorization", "Bearer "+tokens[View])
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Fatalf("it speaks %s", resp.Proto)
	}
	lines, beats := bufio.NewScanner(resp.Body), 0
	for beats < 3 && lines.Scan() {
		if strings.Contains(lines.Text(), "alive") {
			beats++
		}
	}
	if beats != 3 {
		t.Errorf("%d signs of life, and then %v", beats, lines.Err())
	}
}

// An answer without a body has an end, and takes no place of a reader.
func TestHeadOfAStream(t *testing.T) {
	s := New(everything(&fakeDirectory{}))
	for range maxStreams + 1 {
		if w := ask(t, s, http.MethodHead, "/v1/events", nil); w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/event-stream" || w.Body.Len() > 0 {
			t.Fatalf("%d %v %q", w.Code, w.Header(), w.Body)
		}
	}
}
