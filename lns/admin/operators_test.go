package admin

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/trace"
)

var somewhere = netip.MustParseAddr("192.0.2.7")

func someOperators(now func() time.Time) (*Operators, map[Role]string) {
	o, tokens := NewOperators(now), map[Role]string{View: NewToken(), Operate: NewToken(), Administer: NewToken()}
	o.Put([]Operator{
		{Name: "monitor", Role: View, Token: HashToken(tokens[View])},
		{Name: "desk", Role: Operate, Token: HashToken(tokens[Operate])},
		{Name: "anna", Role: Administer, Token: HashToken(tokens[Administer]), Password: secret.Hashed(HashPassword(aaa.NewSecret("correct horse")))},
	}, nil)
	return o, tokens
}

func TestTokens(t *testing.T) {
	now := noon
	o, tokens := someOperators(func() time.Time { return now })
	for role, token := range tokens {
		if actor, err := o.CheckToken(token, somewhere); err != nil || actor.Role != role || actor.From != "192.0.2.7" {
			t.Errorf("%v: %+v, %v", role, actor, err)
		}
	}
	var failure *Error
	var wait *WaitError
	for i := range guessBurst {
		if _, err := o.CheckToken("wrong", somewhere); !errors.As(err, &failure) || failure.Status != http.StatusUnauthorized {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if _, err := o.CheckToken("", somewhere); !errors.As(err, &wait) || wait.Err.Status != http.StatusTooManyRequests || wait.After <= 0 {
		t.Errorf("one guess too many: %v", err)
	}
	if _, err := o.CheckToken(tokens[View], somewhere); err != nil {
		t.Errorf("a right token is held back: %v", err)
	}
	if _, err := o.CheckToken("wrong", netip.MustParseAddr("192.0.2.8")); !errors.As(err, &failure) || failure.Status != http.StatusUnauthorized {
		t.Errorf("another source: %v", err)
	}
	now = now.Add(guessPause)
	if _, err := o.CheckToken("wrong", somewhere); errors.As(err, &wait) {
		t.Errorf("after the pause: %v", err)
	}
	o.Put(nil, nil)
	if _, err := o.CheckToken(tokens[View], netip.MustParseAddr("192.0.2.9")); err == nil {
		t.Error("an operator who is gone may still ask")
	}
	var none *Operators
	if _, err := none.CheckToken(tokens[View], somewhere); err == nil || none.Admits(somewhere) {
		t.Error("nobody is known, and somebody is let in")
	}
}

func TestPasswords(t *testing.T) {
	now := noon
	o, _ := someOperators(func() time.Time { return now })
	check := func(name, password string) error {
		_, err := o.CheckPassword(t.Context(), name, aaa.NewSecret(password), somewhere)
		return err
	}
	var failure *Error
	for _, wrong := range [][2]string{{"anna", "wrong"}, {"anna", ""}, {"nobody", "correct horse"}, {"desk", "correct horse"}, {"", ""}} {
		if err := check(wrong[0], wrong[1]); !errors.As(err, &failure) || failure.Status != http.StatusUnauthorized || failure.Message != errUnknown().Message {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	for range 2 * guessBurst { // the right one costs nothing
		if err := check("anna", "correct horse"); err != nil {
			t.Fatal(err)
		}
	}
	var wait *WaitError
	for range guessBurst - 5 {
		_ = check("anna", "wrong")
	}
	if err := check("anna", "correct horse"); !errors.As(err, &wait) {
		t.Errorf("after so many guesses: %v", err)
	}
	now = now.Add(2 * guessPause)
	if err := check("anna", "correct horse"); err != nil {
		t.Errorf("after the pause: %v", err)
	}
	if err := check("anna", strings.Repeat("x", longestPassword+1)); errors.As(err, &wait) || err == nil {
		t.Errorf("an endless password: %v", err)
	}
}

// What is checked at once is bounded, and so is who waits for it.
func TestPasswordsAreCheckedFewAtOnce(t *testing.T) {
	o, _ := someOperators(nil)
	for range passwordsAtOnce {
		o.checks <- struct{}{}
	}
	for range passwordsWaiting {
		o.waiting <- struct{}{}
	}
	var wait *WaitError
	if _, err := o.CheckPassword(t.Context(), "anna", aaa.NewSecret("correct horse"), somewhere); !errors.As(err, &wait) {
		t.Errorf("the queue is full, and it says %v", err)
	}
	<-o.waiting
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.CheckPassword(ctx, "anna", aaa.NewSecret("correct horse"), somewhere); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more, and it says %v", err)
	}
	<-o.checks
	if _, err := o.CheckPassword(t.Context(), "anna", aaa.NewSecret("correct horse"), somewhere); err != nil {
		t.Errorf("there is a place, and it says %v", err)
	}
}

func TestBudgetsForgetOldSources(t *testing.T) {
	var b budgets[netip.Prefix]
	source := netip.MustParseAddr("10.0.0.0")
	for range maxSources + 100 {
		b.spend(sourceOf(source), noon)
		source = source.Next()
	}
	if len(b.spent) > maxSources {
		t.Errorf("%d sources are remembered", len(b.spent))
	}
	v6 := func(text string) netip.Prefix { return sourceOf(netip.MustParseAddr(text)) }
	if v6("2001:db8::1") != v6("2001:db8::2") || v6("2001:db8::1") == v6("2001:db8:0:1::1") {
		t.Error("a source of IPv6 is a /64")
	}
	if b.spend(sourceOf(netip.Addr{}), noon.Add(time.Hour)) != 0 {
		t.Error("no address at all waits")
	}
}

func TestTokenHash(t *testing.T) {
	hash := HashToken("x")
	if back, err := ParseTokenHash(hash.String()); err != nil || back != hash {
		t.Errorf("%v, %v", back, err)
	}
	for _, wrong := range []string{"", "00", hash.String() + "00", strings.Replace(hash.String(), hash.String()[:1], "x", 1)} {
		if _, err := ParseTokenHash(wrong); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}

// Who may do what is the same for every way to ask.
func TestRolesOverTLS(t *testing.T) {
	o, tokens := someOperators(nil)
	base, client := startTLS(t, everything(&fakeDirectory{}), o)
	do := func(method, path, token, body string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var anything map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&anything); err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
		return resp.StatusCode
	}
	for _, test := range []struct {
		method, path, body string
		least              Role
	}{
		{get, "/healthz", "", Nobody}, {get, "/readyz", "", Nobody}, {get, "/v1/sessions", "", View}, {get, "/v1/openapi.json", "", View},
		{get, "/v1/audit", "", View}, {post, "/v1/kick", `{"user":"l2tpuser"}`, Operate}, {post, "/v1/reload", "", Operate},
		{post, "/v1/test-login", `{"user":"x"}`, Operate}, {post, "/v1/users", `{"name":"x"}`, Administer},
		{remove, "/v1/pools/x", "", Administer}, {patch, "/v1/domains/x", "{}", Administer}, {post, "/v1/nodes/x/forget", "{}", Administer},
	} {
		for role := Nobody; role <= Administer; role++ {
			want := http.StatusOK
			switch {
			case role < test.least && role == Nobody:
				want = http.StatusUnauthorized
			case role < test.least:
				want = http.StatusForbidden
			}
			if got := do(test.method, test.path, tokens[role], test.body); got != want {
				t.Errorf("%s %s as %v: %d, want %d", test.method, test.path, role, got, want)
			}
		}
	}
	if got := do(get, "/v1/sessions", "wrong", ""); got != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d", got)
	}
}

// startTLS runs a server over TCP with TLS.
func startTLS(t *testing.T, cfg Config, o *Operators) (string, *http.Client) {
	t.Helper()
	cfg.Operators = o
	return startServer(t, New(cfg))
}

func startServer(t *testing.T, server *Server) (string, *http.Client) {
	t.Helper()
	pair := httptest.NewTLSServer(nil) // for its certificate
	pair.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(ctx, listener, &tls.Config{Certificates: pair.TLS.Certificates}) }()
	client := pair.Client()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("ServeTLS: %v", err)
		}
	})
	return "https://" + listener.Addr().String(), client
}

func TestForeignSourcesAreHungUpOn(t *testing.T) {
	o, tokens := someOperators(nil)
	base, client := startTLS(t, everything(&fakeDirectory{}), o)
	var list []Operator
	for _, one := range o.known.Load().operators {
		list = append(list, one.Operator)
	}
	o.Put(list, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	r, _ := http.NewRequestWithContext(t.Context(), get, base+"/healthz", nil)
	if resp, err := client.Do(r); err == nil {
		resp.Body.Close()
		t.Error("it was answered")
	}
	o.Put(list, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	r, _ = http.NewRequestWithContext(t.Context(), get, base+"/v1/whoami", nil)
	r.Header.Set("Authorization", "bearer "+tokens[View])
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var who Actor
	if err := json.NewDecoder(resp.Body).Decode(&who); err != nil || who != (Actor{Name: "monitor", Role: View, From: "127.0.0.1"}) {
		t.Errorf("%+v, %v", who, err)
	}
}

// Whoever is logged in on the page must not be made to change something by another site.
func TestRequestsOfOtherSites(t *testing.T) {
	cfg := everything(&fakeDirectory{})
	cfg.Who = func(r *http.Request) (Actor, bool) {
		return Actor{Name: "anna", Role: Administer}, r.Header.Get("Cookie") == "s=1"
	}
	s := New(cfg)
	do := func(cookie, site, method, path string) int {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(`{"user":"l2tpuser"}`))
		r.Header.Set("Cookie", cookie)
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code
	}
	for _, test := range []struct {
		cookie, site, method, path string
		want                       int
	}{
		{"s=1", "same-origin", post, "/v1/kick", 200}, {"s=1", "cross-site", post, "/v1/kick", 403},
		{"s=1", "cross-site", get, "/v1/sessions", 200}, {"s=2", "same-origin", post, "/v1/kick", 401},
	} {
		if got := do(test.cookie, test.site, test.method, test.path); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

func TestOverTheSocketTheUserCounts(t *testing.T) {
	client := start(t, Config{Engine: twoTunnels()})
	var who Actor
	if err := client.do(t.Context(), get, "whoami", nil, nil, &who); err != nil || who.Role != Administer || who.From != onSocket || who.Name == "" {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestMounts(t *testing.T) {
	cfg := everything(&fakeDirectory{})
	var seen Actor
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen = ActorOf(r.Context()) })
	cfg.Mounts = []Mount{{Pattern: "GET /metrics", Role: View, Handler: handler}, {Pattern: "GET /page/", Role: Nobody, Handler: handler}}
	s := New(cfg)
	if w := ask(t, s, get, "/metrics", nil); w.Code != 200 || seen.Name != "anna" {
		t.Errorf("%d, %+v", w.Code, seen)
	}
	for path, want := range map[string]int{"/metrics": 401, "/page/x": 200} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), get, path, nil))
		if w.Code != want {
			t.Errorf("%s without a token: %d, want %d", path, w.Code, want)
		}
	}
}

// A stream lives as long as its reader is who they were when it began.
func TestStreamsEndWithWhatTheOperatorWas(t *testing.T) {
	hash := secret.Hashed(HashPassword(aaa.NewSecret("correct horse")))
	was := Operator{Name: "anna", Role: View, Token: HashToken("token"), Password: hash}
	for name, change := range map[string]func(*Operator) bool{
		"deleted":          func(*Operator) bool { return true },
		"another role":     func(o *Operator) bool { o.Role = Operate; return false },
		"another token":    func(o *Operator) bool { o.Token = HashToken("other"); return false },
		"another password": func(o *Operator) bool { o.Password = secret.Hashed("$argon2id$other"); return false },
	} {
		t.Run(name, func(t *testing.T) {
			o := NewOperators(nil)
			o.Put([]Operator{was, {Name: "desk", Role: View, Token: HashToken("desk")}}, nil)
			cfg := everything(&fakeDirectory{})
			cfg.Watch = func(context.Context) <-chan trace.Event { return nil }
			base, client := startTLS(t, cfg, o)
			stream := func(token string) *http.Response {
				r, _ := http.NewRequestWithContext(t.Context(), get, base+"/v1/events", nil)
				r.Header.Set("Authorization", "Bearer "+token)
				resp, err := client.Do(r)
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Fatalf("%+v, %v", resp, err)
				}
				return resp
			}
			anna, desk := stream("token"), stream("desk")
			defer anna.Body.Close()
			defer desk.Body.Close()
			actor, err := o.CheckToken("desk", somewhere)
			if err != nil {
				t.Fatal(err)
			}
			o.Put([]Operator{was, {Name: "desk", Role: View, Token: HashToken("desk")}}, nil) // nothing has changed
			now := was
			list := []Operator{{Name: "desk", Role: View, Token: HashToken("desk")}}
			if gone := change(&now); !gone {
				list = append(list, now)
			}
			o.Put(list, nil)
			if _, err := io.Copy(io.Discard, anna.Body); err != nil { // hangs for as long as the stream lives
				t.Error(err)
			}
			if actor.Over() {
				t.Error("another operator's streams end too")
			}
		})
	}
}
