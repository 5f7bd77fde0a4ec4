package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns"
	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
	"lnsgate/pool"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// evil is a user name that must never become markup.
const evil = `<img src=x onerror=alert(1)>"'&`

// world is a server with fakes beneath it.
type world struct {
	mu       sync.Mutex
	now      time.Time
	sessions []lns.SessionInfo
	attempts []trace.Attempt
	pools    []pool.Usage
	accounts map[string]admin.Account
	kicked   []string
	asked    int // about how many sessions all was asked
	changed  []string
	watch    chan trace.Event
	checks   []admin.Check
	servers  []admin.RADIUSServer
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) Tunnels() []lns.TunnelInfo                   { return nil }
func (w *world) Counters() map[string]uint64                 { return map[string]uint64{} }
func (w *world) Usage(context.Context) ([]pool.Usage, error) { return w.pools, nil }

func (w *world) EachSession(_ context.Context, show func(*lns.SessionHead)) {
	all := w.sessions
	for i := range all {
		head := all[i].Head()
		show(&head)
	}
}

func (w *world) SessionInfos(_ context.Context, refs []lns.SessionRef) (list []lns.SessionInfo) {
	all := w.sessions
	w.asked += len(refs)
	at := make(map[lns.SessionRef]int, len(all))
	for i := range all {
		at[lns.SessionRef{Tunnel: all[i].LocalTunnel, Session: all[i].LocalID}] = i
	}
	for _, ref := range refs {
		if i, open := at[ref]; open {
			list = append(list, all[i])
		}
	}
	return list
}

func (w *world) Kick(_ context.Context, who, reason string) (int, error) {
	w.kicked = append(w.kicked, who+": "+reason)
	return 1, nil
}

func (w *world) Find(_ context.Context, f trace.Filter) (found []trace.Attempt, _ error) {
	behind := f.Before == ""
	for _, a := range w.attempts {
		if behind && f.Matches(&a) && (f.Limit == 0 || len(found) < f.Limit) {
			found = append(found, a)
		}
		behind = behind || a.ID == f.Before
	}
	return found, nil
}

func (w *world) Ranges(context.Context, string) ([]string, error) {
	return []string{"10.1.0.0/16"}, nil
}

func (w *world) Addresses(_ context.Context, name string, after netip.Addr, limit int) (list []admin.AddressState, _ error) {
	var usage pool.Usage
	for _, u := range w.pools {
		if u.Pool == name {
			usage = u
		}
	}
	first := netip.MustParseAddr("10.1.0.0")
	for i := range usage.Size {
		one := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		if (after.IsValid() && !after.Less(one)) || len(list) == limit || one.Less(first) {
			continue
		}
		s := admin.AddressState{Address: one, State: "free"}
		switch {
		case i%16 == 5:
			s.State, s.Account, s.Since = "quarantined", "bert", noon.Add(-time.Minute)
		case i%32 == 7:
			s.State, s.Account, s.Static = "reserved", "carol", true
		case i*2 < usage.Size:
			s.State, s.Account, s.Session, s.Since = "leased", fmt.Sprintf("user%05d", i), fmt.Sprintf("a%d", i), noon.Add(-time.Hour)
		}
		list = append(list, s)
	}
	return list, nil
}

// directory is the part of the world that accounts stand in.
type directory struct {
	admin.Directory
	w *world
}

func (d directory) Accounts(_ context.Context, f admin.AccountFilter) (list []admin.Account, _ error) {
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range d.w.accounts {
			if !yield(n) {
				return
			}
		}
	}) {
		if (f.Name == "" || f.Name == name) && name > f.After && strings.Contains(name, f.Match) && len(list) < f.Limit {
			list = append(list, d.w.accounts[name])
		}
	}
	return list, nil
}

func (d directory) AddAccount(ctx context.Context, name string, c admin.AccountChange) (string, error) {
	d.w.changed = append(d.w.changed, "add "+name+" by "+admin.ActorOf(ctx).Name)
	d.w.accounts[name] = admin.Account{Name: name, Status: "active"}
	return "the password is stored sealed", nil
}

func (d directory) SetAccount(_ context.Context, name string, c admin.AccountChange) (string, error) {
	d.w.changed = append(d.w.changed, fmt.Sprintf("set %s %v password %v", name, c.Settings, c.Password != nil))
	return "", nil
}

func (d directory) DeleteAccount(_ context.Context, name string) error {
	d.w.changed = append(d.w.changed, "delete "+name)
	delete(d.w.accounts, name)
	return nil
}

func (d directory) WhoHad(context.Context, netip.Addr, time.Time) ([]admin.Holder, error) {
	return nil, nil
}

// steps of a login that failed for want of the right password.
func steps() []trace.Step {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return []trace.Step{
		{After: 0, Stage: trace.StageTunnel, Actor: trace.Peer, What: "SCCRQ", Detail: "host name anna-pc, vendor Microsoft"},
		{After: ms(1), Stage: trace.StageTunnel, Actor: trace.LNS, What: "SCCRP", Detail: "tunnel 12"},
		{After: ms(30), Stage: trace.StageLink, Actor: trace.LNS, What: "LCP Configure-Request"},
		{After: ms(1030), Stage: trace.StageLink, Actor: trace.LNS, What: "LCP Configure-Request", Again: true},
		{After: ms(2040), Stage: trace.StageAuthentication, Actor: trace.Peer, What: "CHAP Response", Detail: "name " + evil},
		{After: ms(2041), Stage: trace.StageAuthentication, Actor: trace.LNS, What: "domain", Who: "sales", Detail: "the name has none: the default domain"},
		{After: ms(2060), Stage: trace.StageAuthentication, Actor: trace.Backend, Who: "postgres", What: "asked", Detail: "the password is wrong", Took: ms(19)},
		{After: ms(2061), Stage: trace.StageAuthentication, Actor: trace.LNS, What: "CHAP Failure"},
	}
}

func newWorld() *world {
	w := &world{now: noon, accounts: map[string]admin.Account{}, watch: make(chan trace.Event, 8),
		pools: []pool.Usage{{Pool: "big", Size: 65536, Leased: 30000, Quarantined: 4096, Static: 2048}, {Pool: "small", Size: 240, Leased: 229}}}
	for i := range 300 {
		name := fmt.Sprintf("user%03d", i)
		w.accounts[name] = admin.Account{Name: name, Status: "active"}
	}
	w.accounts[evil] = admin.Account{Name: evil, Status: "active"}
	for i := range 120 {
		w.sessions = append(w.sessions, session(i))
	}
	w.sessions[3].User = evil
	for i := range 130 {
		began := noon.Add(-time.Duration(i+1) * time.Minute)
		w.attempts = append(w.attempts, trace.Attempt{ID: fmt.Sprintf("n1-%03d", i), Node: "n1", Began: began, Ended: began.Add(3 * time.Second), Name: evil,
			Peer: netip.MustParseAddrPort("192.0.2.9:1701"), Domain: "sales", Verdict: trace.Verdict{Cause: trace.WrongPassword, Detail: evil}, Steps: steps()})
	}
	return w
}

func session(i int) lns.SessionInfo {
	return lns.SessionInfo{Name: fmt.Sprintf("%d/%d", 1+i/60000, 1+i%60000), LocalTunnel: uint16(1 + i/60000), LocalID: uint16(1 + i%60000), User: fmt.Sprintf("user%06d", i),
		Account: fmt.Sprintf("user%06d", i), Domain: "sales", Phase: "open", Address: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Pool: "big",
		Remote: netip.MustParseAddrPort("192.0.2.9:1701"), Since: noon.Add(-time.Hour), OpenSince: noon.Add(-time.Hour)}
}

// browser is somebody in front of the page, who accepts cookies and follows no link by itself.
type browser struct {
	t       *testing.T
	handler http.Handler
	cookies map[string]string
	headers map[string]string
	page    *Page
}

const viewerToken, operatorToken, ownerToken = "lnsgate-viewer", "lnsgate-operator", "lnsgate-owner"

// password of the operator anna. It is hashed once for all tests, since that is slow on purpose.
const password = "correct horse battery"

var hashed = sync.OnceValue(func() secret.Credential { return secret.Hashed(admin.HashPassword(aaa.NewSecret(password))) })

func operators(w *world) *admin.Operators {
	known := admin.NewOperators(w.clock)
	known.Put([]admin.Operator{{Name: "viewer", Role: admin.View, Token: admin.HashToken(viewerToken)}, {Name: "operator", Role: admin.Operate, Token: admin.HashToken(operatorToken)},
		{Name: "owner", Role: admin.Administer, Token: admin.HashToken(ownerToken)}, {Name: "anna", Role: admin.Operate, Password: hashed()}}, nil)
	return known
}

// open makes a page over a world, and a browser that is not logged in.
func open(t *testing.T, w *world, tune func(*Config)) *browser {
	t.Helper()
	cfg := Config{Operators: operators(w), Node: "n1", Version: "test", Stored: true, Now: w.clock,
		Watch: func(context.Context) <-chan trace.Event { return w.watch }}
	if tune != nil {
		tune(&cfg)
	}
	p := New(cfg)
	server := admin.New(admin.Config{Engine: w, Pools: w, Attempts: w, Addresses: w, Directory: directory{w: w}, Operators: cfg.Operators, Mounts: p.Mounts(), Who: p.Who,
		TestLogin: w.testLogin, Health: func(context.Context) []admin.Check { return w.checks }, RADIUS: func() []admin.RADIUSServer { return w.servers }, Watch: cfg.Watch, Now: w.clock, Version: "test",
		Domains: func() ([]aaa.Domain, string) { return []aaa.Domain{{Name: "sales", Pools: []string{"big"}}}, "sales" }})
	p.Ask(server)
	return &browser{t: t, handler: server.Handler(), cookies: map[string]string{}, headers: map[string]string{}, page: p}
}

// as is a browser that is logged in.
func (b *browser) as(token string) *browser {
	b.t.Helper()
	got := b.login(url.Values{"token": {token}})
	if got.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("log in with %s: %d %s", token, got.StatusCode, bodyOf(b.t, got))
	}
	return b
}

func (b *browser) login(form url.Values) *http.Response {
	b.t.Helper()
	page := bodyOf(b.t, b.get("/ui/login"))
	form.Set("csrf", csrfOf(b.t, page))
	return b.post("/ui/login", form)
}

func (b *browser) get(path string) *http.Response {
	return b.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (b *browser) post(path string, form url.Values) *http.Response {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

func (b *browser) do(r *http.Request) *http.Response {
	r.RemoteAddr, r.TLS = "198.51.100.7:5555", &tls.ConnectionState{}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for name, value := range b.headers {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	got := w.Result()
	for _, c := range got.Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return got
}

// page gets a view that has to be there.
func (b *browser) see(path string) string {
	b.t.Helper()
	got := b.get(path)
	text := bodyOf(b.t, got)
	if got.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %d\n%s", path, got.StatusCode, text)
	}
	return text
}

// submit posts a form with the token of the view that it stands on.
func (b *browser) submit(from, path string, form url.Values) *http.Response {
	b.t.Helper()
	form.Set("csrf", csrfOf(b.t, b.see(from)))
	return b.post(path, form)
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func csrfOf(t *testing.T, page string) string {
	t.Helper()
	found := csrfField.FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no form with a token in\n%s", page)
	}
	return html.UnescapeString(found[1])
}

func (d directory) Pools(context.Context, string) ([]admin.StoredPool, error) { return nil, nil }

func (w *world) testLogin(_ context.Context, test admin.LoginTest) (admin.LoginForecast, error) {
	f := admin.LoginForecast{Checked: test.Password != "", Verdict: trace.Verdict{Cause: trace.LoggedIn},
		Steps: []admin.ForecastStep{{Stage: trace.StageAuthentication, What: "account", Result: admin.Passed, Detail: test.User}}}
	if test.Password != password {
		f.Verdict.Cause, f.Steps[0].Result = trace.WrongPassword, admin.Refused
	}
	return f, nil
}
