package web

import (
	"bytes"
	"fmt"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/admin"
)

// forms are all that changes something, with the role that it takes.
var forms = []struct {
	path string
	role admin.Role
	form url.Values
	does string
}{
	{"/ui/session/kick", admin.Operate, url.Values{"id": {"1/1"}, "reason": {"maintenance"}}, "kick 1/1: maintenance"},
	{"/ui/users/add", admin.Administer, url.Values{"name": {"new"}, "password": {"x"}}, "add new by owner"},
	{"/ui/user/block", admin.Administer, url.Values{"name": {"user001"}, "block": {"yes"}}, "set user001 map[disabled:true] password false"},
	{"/ui/user/password", admin.Administer, url.Values{"name": {"user001"}, "password": {"x"}, "again": {"x"}}, "set user001 map[] password true"},
	{"/ui/user/delete", admin.Administer, url.Values{"name": {"user001"}, "sure": {"yes"}}, "delete user001"},
}

func done(w *world) string {
	var all []string
	for _, k := range w.kicked {
		all = append(all, "kick "+k)
	}
	return strings.Join(append(all, w.changed...), "; ")
}

func copied(form url.Values) url.Values {
	other := url.Values{}
	for name, values := range form {
		other[name] = values
	}
	return other
}

func TestFormsTakeTheirRole(t *testing.T) {
	for _, f := range forms {
		for token, role := range map[string]admin.Role{viewerToken: admin.View, operatorToken: admin.Operate, ownerToken: admin.Administer} {
			t.Run(fmt.Sprintf("%s as %s", f.path, role), func(t *testing.T) {
				w := newWorld()
				got := open(t, w, nil).as(token).submit("/ui/", f.path, copied(f.form))
				want, does := http.StatusForbidden, ""
				if role >= f.role {
					want, does = http.StatusSeeOther, f.does
				}
				if got.StatusCode != want || done(w) != does {
					t.Errorf("%d, did %q", got.StatusCode, done(w))
				}
			})
		}
	}
}

func TestFormsNeedTheirToken(t *testing.T) {
	for _, f := range forms {
		w := newWorld()
		b := open(t, w, nil).as(ownerToken)
		for _, token := range []string{"", "wrong", csrfOf(t, open(t, w, nil).as(ownerToken).see("/ui/"))} {
			form := copied(f.form)
			form.Set("csrf", token)
			if got := b.post(f.path, form); got.StatusCode != http.StatusForbidden || done(w) != "" {
				t.Errorf("%s with the token %q: %d, did %q", f.path, token, got.StatusCode, done(w))
			}
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	w := newWorld()
	b := open(t, w, nil).as(ownerToken)
	form := copied(forms[0].form)
	form.Set("csrf", csrfOf(t, b.see("/ui/")))
	b.headers["Sec-Fetch-Site"] = "cross-site"
	if got := b.post(forms[0].path, form); got.StatusCode != http.StatusForbidden || done(w) != "" {
		t.Errorf("%d, did %q", got.StatusCode, done(w))
	}
}

func TestNobodySeesAnythingBeforeTheLogin(t *testing.T) {
	w := newWorld()
	b := open(t, w, nil)
	for _, view := range allViews {
		got := b.get(view)
		if got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.Header.Get("Location"), "/ui/login") {
			t.Errorf("%s: %d to %s", view, got.StatusCode, got.Header.Get("Location"))
		}
	}
	if got := b.get("/ui/events"); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("events: %d", got.StatusCode)
	}
	for _, f := range forms {
		if got := b.post(f.path, copied(f.form)); got.StatusCode != http.StatusSeeOther || done(w) != "" {
			t.Errorf("%s: %d, did %q", f.path, got.StatusCode, done(w))
		}
	}
}

func TestLoginCookie(t *testing.T) {
	b := open(t, newWorld(), nil)
	b.cookies[cookieName] = "planted"
	got := b.login(url.Values{"name": {"anna"}, "password": {password}, "next": {"/ui/logins?failed=true"}})
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/ui/logins?failed=true" {
		t.Fatalf("%d to %s", got.StatusCode, got.Header.Get("Location"))
	}
	for _, c := range got.Cookies() {
		if c.Name == cookieName && (!c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Value == "planted" || len(c.Value) < 40) {
			t.Errorf("the cookie is %+v", c)
		}
	}
	first := b.cookies[cookieName]
	if first == "" {
		t.Fatal("there is no cookie")
	}
	again := open(t, newWorld(), nil)
	again.handler, again.page, again.cookies = b.handler, b.page, map[string]string{}
	again.as(ownerToken)
	if again.cookies[cookieName] == first {
		t.Error("two log-ins share an id")
	}
	csrf := csrfOf(t, b.see("/ui/"))
	if got := b.post("/ui/logout", url.Values{"csrf": {csrf}}); got.StatusCode != http.StatusSeeOther {
		t.Errorf("log out: %d", got.StatusCode)
	}
	b.cookies[cookieName] = first
	if got := b.get("/ui/"); got.StatusCode != http.StatusSeeOther {
		t.Error("the id is good after the log-out")
	}
}

func TestWrongPasswordsAreBounded(t *testing.T) {
	b := open(t, newWorld(), nil)
	codes := map[int]int{}
	for range 14 {
		got := b.login(url.Values{"name": {"anna"}, "password": {"guess"}})
		codes[got.StatusCode]++
		if page := bodyOf(t, got); strings.Contains(page, "guess") {
			t.Fatal("the password is in the page")
		}
	}
	if codes[http.StatusUnauthorized] != 10 || codes[http.StatusTooManyRequests] != 4 {
		t.Errorf("answers: %v", codes)
	}
	if got := b.login(url.Values{"name": {"anna"}, "password": {password}}); got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" {
		t.Errorf("the right one during the wait: %d", got.StatusCode)
	}
}

func TestTheLoginFormIsOurs(t *testing.T) {
	b := open(t, newWorld(), nil)
	if got := b.post("/ui/login", url.Values{"token": {ownerToken}}); got.StatusCode != http.StatusForbidden {
		t.Errorf("without a token of the form: %d", got.StatusCode)
	}
	if b.cookies[cookieName] != "" {
		t.Error("it logs in")
	}
}

func TestLoginLeadsOnlyToThePage(t *testing.T) {
	for _, next := range []string{"//evil.example", "https://evil.example", "/ui//evil.example", "/v1/reload", "/ui/\\evil", "/ui/login", ""} {
		if to := localPath(next); to != "/ui/" {
			t.Errorf("%q leads to %q", next, to)
		}
	}
	if to := localPath("/ui/session?id=1%2F2"); to != "/ui/session?id=1%2F2" {
		t.Errorf("a view leads to %q", to)
	}
}

func TestVisitsEnd(t *testing.T) {
	w := newWorld()
	b := open(t, w, nil).as(viewerToken)
	open := func() bool { return b.get("/ui/").StatusCode == http.StatusOK }
	w.pass(visitIdle - time.Second)
	if !open() {
		t.Error("it ended before its time")
	}
	b.headers[liveHeader] = "1"
	w.pass(visitIdle - time.Second)
	if !open() {
		t.Error("what the page asks by itself is refused before the time")
	}
	delete(b.headers, liveHeader)
	w.pass(2 * time.Second)
	if open() {
		t.Error("what the page asks by itself keeps a log-in alive")
	}
	b.as(viewerToken)
	for range int(visitLife / (visitIdle / 2)) {
		w.pass(visitIdle/2 - time.Second)
		open()
	}
	w.pass(time.Minute)
	if open() {
		t.Error("it lasts for ever")
	}
}

func TestVisitsFollowTheOperators(t *testing.T) {
	w := newWorld()
	b := open(t, w, nil).as(ownerToken)
	b.page.cfg.Operators.Put([]admin.Operator{{Name: "owner", Role: admin.View, Token: admin.HashToken(ownerToken)}}, nil)
	if got := b.get("/ui/"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("with another role: %d", got.StatusCode)
	}
	b.as(ownerToken)
	b.page.cfg.Operators.Put([]admin.Operator{{Name: "owner", Role: admin.View, Token: admin.HashToken(ownerToken)}}, nil)
	if got := b.get("/ui/"); got.StatusCode != http.StatusOK {
		t.Errorf("as before: %d", got.StatusCode)
	}
	b.page.cfg.Operators.Put([]admin.Operator{{Name: "owner", Role: admin.View, Token: admin.HashToken("another")}}, nil)
	if got := b.get("/ui/"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("with another token: %d", got.StatusCode)
	}
	b.page.cfg.Operators.Put([]admin.Operator{{Name: "owner", Role: admin.View, Token: admin.HashToken(ownerToken)}}, nil)
	b.as(ownerToken)
	b.page.cfg.Operators.Put(nil, nil)
	if got := b.get("/ui/"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("gone: %d", got.StatusCode)
	}
}

func TestVisitsAreBounded(t *testing.T) {
	var v visits
	v.init()
	first, one := v.begin(admin.Actor{Name: "a0"}, noon)
	for i := range 2 * mostVisits {
		v.begin(admin.Actor{Name: fmt.Sprintf("a%d", i%100)}, noon.Add(time.Duration(i)*time.Second))
	}
	if len(v.byID) > mostVisits || v.find(first, noon, false) != nil {
		t.Errorf("%d are kept", len(v.byID))
	}
	select {
	case <-one.ended:
	default:
		t.Error("the streams of one that is gone go on")
	}
	for i := range 40 {
		v.begin(admin.Actor{Name: "many"}, noon.Add(time.Hour/2+time.Duration(i)*time.Second))
	}
	n := 0
	for _, one := range v.byID {
		if one.actor.Name == "many" {
			n++
		}
	}
	if n != mostOfOne {
		t.Errorf("one operator has %d", n)
	}
}

func TestAKickNeedsAReason(t *testing.T) {
	w := newWorld()
	if got := open(t, w, nil).as(operatorToken).submit("/ui/", "/ui/session/kick", url.Values{"id": {"1/1"}, "reason": {" "}}); got.StatusCode != http.StatusBadRequest || len(w.kicked) > 0 {
		t.Errorf("%d, %v", got.StatusCode, w.kicked)
	}
}

func TestUserFormsCheckWhatIsTyped(t *testing.T) {
	w := newWorld()
	b := open(t, w, nil).as(ownerToken)
	for path, form := range map[string]url.Values{"/ui/user/password": {"name": {"user001"}, "password": {"x"}, "again": {"y"}}, "/ui/user/delete": {"name": {"user001"}},
		"/ui/users/add": {"name": {"nobody"}}} {
		if got := b.submit("/ui/", path, form); got.StatusCode != http.StatusBadRequest || done(w) != "" {
			t.Errorf("%s: %d, did %q", path, got.StatusCode, done(w))
		}
	}
}

func TestTheRecordOfChangesShowsWhatThePageDid(t *testing.T) {
	b := open(t, newWorld(), nil).as(operatorToken)
	b.submit("/ui/", "/ui/session/kick", url.Values{"id": {"1/1"}, "reason": {"maintenance"}})
	if page := b.see("/ui/changes"); !strings.Contains(page, "maintenance") || !strings.Contains(page, "198.51.100.7") || !strings.Contains(page, "log in to the page") {
		t.Errorf("got %s", page)
	}
}

func TestWhatIsTypedIntoTheWrongFieldIsNotLogged(t *testing.T) {
	var log bytes.Buffer
	b := open(t, newWorld(), func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	b.login(url.Values{"name": {password}, "password": {password + "!"}})
	b.login(url.Values{"name": {"anna"}, "password": {password + "!"}})
	if text := log.String(); strings.Contains(text, password) || !strings.Contains(text, "operator=anna") || !strings.Contains(text, "from=198.51.100.7") {
		t.Errorf("the log: %s", text)
	}
}

// Only the form with a file may be large, and only for those who may import.
func TestFormsAreSmall(t *testing.T) {
	b := open(t, newWorld(), nil).as(ownerToken)
	csrf := csrfOf(t, b.see("/ui/"))
	large := func() (*bytes.Buffer, string) {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		_ = form.WriteField("csrf", csrf)
		_ = form.WriteField("reason", strings.Repeat("x", 2*maxForm))
		_ = form.Close()
		return &body, form.FormDataContentType()
	}
	for path, want := range map[string]int{"/ui/session/kick": http.StatusRequestEntityTooLarge, importPath: http.StatusNotImplemented} {
		body, kind := large()
		r := httptest.NewRequest(http.MethodPost, path, body)
		r.Header.Set("Content-Type", kind)
		if got := b.do(r); got.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, got.StatusCode, want)
		}
	}
}

func TestGuessesDoNotFillTheLog(t *testing.T) {
	var log bytes.Buffer
	w := newWorld()
	b := open(t, w, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	for range 3 * refusedLines {
		b.login(url.Values{"token": {"wrong"}})
	}
	if n := strings.Count(log.String(), "\n"); n != refusedLines {
		t.Errorf("%d lines", n)
	}
	w.pass(time.Minute)
	b.login(url.Values{"token": {"wrong"}})
	if text := log.String(); strings.Count(text, "\n") != refusedLines+1 || !strings.Contains(text, fmt.Sprintf("unlogged_before=%d", 2*refusedLines)) {
		t.Errorf("a minute later: %s", text)
	}
}
