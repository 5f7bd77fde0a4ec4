package web

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/admin"
)

// entranceView is the form to log in.
type entranceView struct {
	frame
	Next, Name, Fault string
}

func (p *Page) cookie(name, value string, age time.Duration) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(age / time.Second), Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

// loginForm shows the form to log in, with a token of its own: nobody can be logged in by the form of another site.
func (p *Page) loginForm(w http.ResponseWriter, r *http.Request) {
	if _, _, ok := p.visitOf(r); ok {
		http.Redirect(w, r, localPath(r.URL.Query().Get("next")), http.StatusSeeOther)
		return
	}
	p.showEntrance(w, http.StatusOK, entranceView{Next: localPath(r.URL.Query().Get("next"))})
}

func (p *Page) showEntrance(w http.ResponseWriter, status int, v entranceView) {
	token := rand.Text()
	http.SetCookie(w, p.cookie(entranceToken, token, time.Hour))
	v.frame = frame{Title: "Log in", Node: p.cfg.Node, Version: p.cfg.Version, CSRF: token}
	p.render(w, status, "login", v)
}

// login checks who it is. Guessing is made slow by admin.Operators.
func (p *Page) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	sent, err := r.Cookie(entranceToken)
	if p.forgery.Check(r) != nil || err != nil || r.ParseForm() != nil ||
		subtle.ConstantTimeCompare([]byte(sent.Value), []byte(r.PostForm.Get("csrf"))) != 1 {
		p.showEntrance(w, http.StatusForbidden, entranceView{Fault: "The form was too old. Log in with this one."})
		return
	}
	name, password, token := r.PostForm.Get("name"), r.PostForm.Get("password"), strings.TrimSpace(r.PostForm.Get("token"))
	from := admin.Source(r)
	var actor admin.Actor
	if token != "" {
		actor, err = p.cfg.Operators.CheckToken(token, from)
	} else {
		actor, err = p.cfg.Operators.CheckPassword(r.Context(), name, aaa.NewSecret(password), from)
	}
	if err != nil {
		p.refuse(w, r, entranceView{Next: localPath(r.PostForm.Get("next")), Name: name}, err)
		return
	}
	if old, err := r.Cookie(cookieName); err == nil {
		p.visits.drop(old.Value)
	}
	id, _ := p.visits.begin(actor, p.cfg.Now())
	http.SetCookie(w, p.cookie(cookieName, id, visitLife))
	http.SetCookie(w, p.cookie(entranceToken, "", -time.Second))
	p.server.Audit(admin.WithActor(r.Context(), actor), "log in to the page", actor.Name, "", nil)
	http.Redirect(w, r, localPath(r.PostForm.Get("next")), http.StatusSeeOther)
}

func (p *Page) refuse(w http.ResponseWriter, r *http.Request, v entranceView, err error) {
	status := http.StatusInternalServerError
	v.Fault = err.Error()
	var failure *admin.Error
	if errors.As(err, &failure) {
		status, v.Fault = failure.Status, sentence(failure.Message)
		if failure.Hint != "" {
			v.Fault += " " + sentence(failure.Hint)
		}
	}
	var wait *admin.WaitError
	if errors.As(err, &wait) {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.After/time.Second)+1))
	}
	operator := "unknown" // what was typed may be a password in the wrong field
	if p.cfg.Operators.Knows(v.Name) {
		operator = v.Name
	}
	if say, unsaid := p.refusals.count(p.cfg.Now()); say {
		p.cfg.Log.Warn("nobody was let into the page", "operator", operator, "from", admin.Source(r), "cause", err, "unlogged_before", unsaid)
	}
	p.showEntrance(w, status, v)
}

// refusedLines is how many log-ins that failed the log is told of in a minute. Whoever guesses is not to fill the disk.
const refusedLines = 20

// refusals counts the log-ins that failed. The zero value is ready. It is safe for concurrent use.
type refusals struct {
	mu     sync.Mutex
	since  time.Time // when the minute began
	said   int       // in this minute
	unsaid int       // since the last that was said
}

// count says whether the log is to be told, and of how many it was not told before.
func (r *refusals) count(now time.Time) (say bool, unsaid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := now.Sub(r.since); age >= time.Minute || age < 0 {
		r.since, r.said = now, 0
	}
	if r.said >= refusedLines {
		r.unsaid++
		return false, 0
	}
	r.said++
	unsaid, r.unsaid = r.unsaid, 0
	return true, unsaid
}

// logout ends the visit, and the streams that belong to it.
func (p *Page) logout(a *ask) error {
	if cookie, err := a.Cookie(cookieName); err == nil {
		p.visits.drop(cookie.Value)
	}
	http.SetCookie(a.w, p.cookie(cookieName, "", -time.Second))
	http.Redirect(a.w, a.Request, "/ui/login", http.StatusSeeOther)
	return nil
}

// localPath is a view of this page, whatever somebody has put into a link.
func localPath(next string) string {
	path, _, _ := strings.Cut(next, "?")
	if !strings.HasPrefix(next, "/ui/") || path == "/ui/login" || strings.ContainsAny(next, "\\\r\n") || strings.Contains(next, "//") {
		return "/ui/"
	}
	return next
}
