package web

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"lnsgate/lns"
	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
)

// views are all that can be opened.
var allViews = []string{"/ui/", "/ui/sessions", "/ui/sessions?q=user000001&sort=-user", "/ui/session?id=1/4", "/ui/logins", "/ui/logins?failed=true&cause=wrong-password",
	"/ui/login/one?id=n1-000", "/ui/causes", "/ui/pools", "/ui/pool?name=small", "/ui/pool?name=big", "/ui/pool?name=big&address=10.1.3.7", "/ui/domains", "/ui/users",
	"/ui/user?name=" + url.QueryEscape(evil), "/ui/changes"}

func TestEveryViewOpens(t *testing.T) {
	b := open(t, newWorld(), nil).as(ownerToken)
	for _, view := range append(allViews, "/ui/import") {
		page := b.see(view)
		if strings.Contains(page, "<img") || !strings.Contains(page, "</html>") {
			t.Errorf("%s lets a name become markup, or is cut:\n%s", view, page)
		}
		for _, inline := range []string{"<style", " style=", "onclick", "<script>", "javascript:", "http://", "https://"} {
			if strings.Contains(page, inline) {
				t.Errorf("%s has %q in it", view, inline)
			}
		}
		if strings.Contains(page, `"alert"`) {
			t.Errorf("%s warns:\n%s", view, page)
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	b := open(t, newWorld(), nil)
	for _, path := range []string{"/ui/login", "/ui/", "/ui/assets/style.css", "/ui/nothing"} {
		h := b.get(path).Header
		for name, part := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age"} {
			if !strings.Contains(h.Get(name), part) {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
	}
}

func TestAssets(t *testing.T) {
	b := open(t, newWorld(), nil)
	for name, kind := range map[string]string{"style.css": "text/css", "live.js": "javascript", "icon.svg": "image/svg"} {
		if got := b.get("/ui/assets/" + name); got.StatusCode != http.StatusOK || !strings.Contains(got.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.Header.Get("Content-Type"))
		}
	}
	for _, name := range []string{"none.css", "..%2ftemplates%2flogin.html", ""} {
		if got := b.get("/ui/assets/" + name); got.StatusCode == http.StatusOK {
			t.Errorf("%q is served", name)
		}
	}
}

func TestRootLeadsToThePage(t *testing.T) {
	got := open(t, newWorld(), nil).get("/")
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/ui/" {
		t.Errorf("%d to %s", got.StatusCode, got.Header.Get("Location"))
	}
}

func TestSessionsPageThroughAHundredThousand(t *testing.T) {
	w := newWorld()
	w.sessions = nil
	for i := range 100_000 {
		w.sessions = append(w.sessions, session(i))
	}
	b := open(t, w, nil).as(viewerToken)
	page := b.see("/ui/sessions?sort=-user")
	if w.asked != 50 {
		t.Errorf("to show fifty sessions all was asked about %d", w.asked)
	}
	if !strings.Contains(page, "100\u202f000") || !strings.Contains(page, "user099999") || strings.Contains(page, "user099949") {
		t.Error("the first page is not the last fifty names")
	}
	next := linkIn(t, page, `rel="next"`)
	page = b.see("/ui/sessions" + next)
	if !strings.Contains(page, "user099949") || !strings.Contains(page, "user099900") || strings.Contains(page, "user099950") || strings.Contains(page, "user099899") {
		t.Error("the second page is not the fifty before")
	}
	if page = b.see("/ui/sessions?q=user012345"); !strings.Contains(page, "user012345") || strings.Contains(page, `rel="next"`) {
		t.Error("the search does not find the one")
	}
}

func TestLoginsAndUsersPage(t *testing.T) {
	b := open(t, newWorld(), nil).as(viewerToken)
	page := b.see("/ui/logins")
	if !strings.Contains(page, "n1-000") || !strings.Contains(page, "n1-049") || strings.Contains(page, "n1-050") {
		t.Error("the first page is not the newest fifty")
	}
	if page = b.see("/ui/logins" + linkIn(t, page, `rel="next"`)); !strings.Contains(page, "n1-050") || strings.Contains(page, "n1-049") {
		t.Error("the second page is not the fifty before")
	}
	page = b.see("/ui/users?match=user")
	if !strings.Contains(page, "user049") || strings.Contains(page, "user050") {
		t.Error("the first page of users is not the first fifty")
	}
	if page = b.see("/ui/users" + linkIn(t, page, `rel="next"`)); !strings.Contains(page, "user050") || strings.Contains(page, "user049") {
		t.Error("the second page of users is not the fifty behind")
	}
}

// linkIn finds the link that has a mark.
func linkIn(t *testing.T, page, mark string) string {
	t.Helper()
	before, _, found := strings.Cut(page, mark)
	at := strings.LastIndex(before, `href="`)
	if !found || at < 0 {
		t.Fatalf("no link with %s", mark)
	}
	link, _, _ := strings.Cut(before[at+len(`href="`):], `"`)
	return strings.ReplaceAll(link, "&amp;", "&")
}

func TestAFailedLoginIsExplained(t *testing.T) {
	page := open(t, newWorld(), nil).as(viewerToken).see("/ui/login/one?id=n1-000")
	for _, part := range []string{html.EscapeString(sentence(trace.WrongPassword.String())), "What to do", "Who can help", "LCP Configure-Request ×2", "postgres", "2.060 s", "<svg", "took 19ms"} {
		if !strings.Contains(page, part) {
			t.Errorf("%q is missing", part)
		}
	}
}

func TestPoolPicture(t *testing.T) {
	b := open(t, newWorld(), nil).as(viewerToken)
	page := b.see("/ui/pool?name=big&address=10.1.3.9")
	for _, part := range []string{"10.1.255.0", `class="leased here"`, "10.1.3.0/24", "Who has it", "user00777", "Who had it before"} {
		if !strings.Contains(page, part) {
			t.Errorf("%q is missing", part)
		}
	}
	if n := strings.Count(page, `aria-label="10.1.3.`); n != 256 {
		t.Errorf("%d cells of the block are drawn", n)
	}
	if strings.Contains(page, `aria-label="10.1.4.`) {
		t.Error("cells of another block are drawn")
	}
	if page = b.see("/ui/pool?name=small"); strings.Count(page, `aria-label="10.1.0.`) != 240 {
		t.Error("a small pool is not drawn whole")
	}
	if got := b.get("/ui/pool?name=none"); got.StatusCode != http.StatusNotFound {
		t.Errorf("a pool that is not there: %d", got.StatusCode)
	}
}

func TestSessionThatIsOver(t *testing.T) {
	w := newWorld()
	w.sessions = []lns.SessionInfo{session(0)}
	b := open(t, w, nil).as(viewerToken)
	if got := b.get("/ui/session?id=9/9"); got.StatusCode != http.StatusNotFound {
		t.Errorf("%d", got.StatusCode)
	}
	if page := b.see("/ui/session?id=1/1"); strings.Contains(page, "End session") {
		t.Error("who may only look is shown the button")
	}
}

func TestALoginIsTested(t *testing.T) {
	b := open(t, newWorld(), nil).as(operatorToken)
	for given, says := range map[string]string{password: "It would work", "guess": "It would fail"} {
		got := b.submit("/ui/test", "/ui/test", url.Values{"user": {evil}, "password": {given}, "method": {"chap"}, "from": {"192.0.2.1"}})
		page := bodyOf(t, got)
		if got.StatusCode != http.StatusOK || !strings.Contains(page, says) || strings.Contains(page, given) || strings.Contains(page, "<img") {
			t.Errorf("%s: %d\n%s", given, got.StatusCode, page)
		}
	}
	if got := b.submit("/ui/test", "/ui/test", url.Values{"user": {"a"}, "from": {"here"}}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("from nowhere: %d", got.StatusCode)
	}
	if got := open(t, newWorld(), nil).as(viewerToken).get("/ui/test"); got.StatusCode != http.StatusForbidden {
		t.Errorf("who may only look: %d", got.StatusCode)
	}
}

func TestTheOverviewSaysFirstWhatIsWrong(t *testing.T) {
	w := newWorld()
	w.checks = []admin.Check{{Name: "sockets", Well: true, Needed: true}, {Name: "radius hq", Reason: "192.0.2.5:1812 is dead since 03:12:00"}}
	w.servers = []admin.RADIUSServer{{Group: "hq", Role: "authentication", Address: "192.0.2.5:1812", State: "dead"}}
	b := open(t, w, nil).as(viewerToken)
	page := b.see("/ui/")
	for _, part := range []string{"People can log in, but not all is well.", "is dead since 03:12:00", `<span class="chip bad">dead</span>`, "nearly full"} {
		if !strings.Contains(page, part) {
			t.Errorf("%q is missing", part)
		}
	}
	w.checks[0].Well = false
	w.pass(time.Second) // for so long one answer serves all
	if page = b.see("/ui/"); !strings.Contains(page, "People cannot log in.") {
		t.Error("it does not say that nobody can log in")
	}
	w.checks = nil
	w.pass(time.Second)
	if page = b.see("/ui/"); !strings.Contains(page, "All is well.") {
		t.Error("it does not say that all is well")
	}
}
