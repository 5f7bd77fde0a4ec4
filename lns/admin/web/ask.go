package web

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lnsgate/lns/admin"
)

// ask is one request of an operator who has logged in.
type ask struct {
	*http.Request
	page  *Page
	w     http.ResponseWriter
	visit *visit
	actor admin.Actor
}

// reply takes the answer of the interface.
type reply struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *reply) Header() http.Header         { return r.header }
func (r *reply) WriteHeader(status int)      { r.status = status }
func (r *reply) Write(b []byte) (int, error) { return r.body.Write(b) }

// get asks the interface. The error is an *admin.Error when it says no.
func (a *ask) get(path string, query url.Values, into any) error {
	return a.call(http.MethodGet, path, query, nil, into)
}

// send has the interface change something.
func (a *ask) send(method, path string, body, into any) error {
	return a.call(method, path, nil, body, into)
}

func (a *ask) call(method, path string, query url.Values, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(admin.WithActor(a.Context(), a.actor), method, path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.RemoteAddr = a.RemoteAddr
	got := &reply{header: make(http.Header), status: http.StatusOK}
	a.page.server.Handler().ServeHTTP(got, r)
	if got.status != http.StatusOK {
		failure := &admin.Error{Status: got.status}
		if json.Unmarshal(got.body.Bytes(), failure) != nil || failure.Message == "" {
			failure.Message = fmt.Sprintf("%s %s is answered with %d", method, path, got.status)
		}
		return failure
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(got.body.Bytes(), into)
}

// openSessions counts them.
func (a *ask) openSessions() (int, error) {
	var list struct{ Total int }
	err := a.get("/v1/sessions", url.Values{"limit": {"1"}, "phase": {"open"}}, &list)
	return list.Total, err
}

// back sends the browser to a view that says what was done.
func (a *ask) back(to, notice string, args ...any) error {
	a.page.visits.say(a.visit, fmt.Sprintf(notice, args...))
	http.Redirect(a.w, a.Request, to, http.StatusSeeOther)
	return nil
}

// path escapes one part of a path of the interface.
func path(parts ...string) string {
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/v1/" + strings.Join(parts, "/")
}

// handler answers a request. Its error becomes a page that says what is wrong.
type handler func(*ask) error

// maxForm bounds what a form may send, besides an import.
const maxForm = 64 << 10

// only lets in who has logged in and has the role, and for what changes something only a form of ours.
func (p *Page) only(role admin.Role, next handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		one, actor, ok := p.visitOf(r)
		if !ok {
			p.entrance(w, r)
			return
		}
		a := &ask{Request: r, page: p, w: w, visit: one, actor: actor}
		err := a.admit(role)
		if err == nil {
			err = next(a)
		}
		if err != nil {
			a.fail(err)
		}
	}
}

func (a *ask) admit(role admin.Role) error {
	if a.actor.Role < role {
		return &admin.Error{Status: http.StatusForbidden, Message: fmt.Sprintf("%s may only %s, and this takes the role %s", a.actor.Name, a.actor.Role, role),
			Hint: "ask an administrator to do it, or for the role (admin.operators in the configuration)"}
	}
	if a.Method == http.MethodGet || a.Method == http.MethodHead {
		return nil
	}
	foreign := &admin.Error{Status: http.StatusForbidden, Message: "this form is not of your log-in: nothing was changed",
		Hint: "open the page again and repeat it there"}
	if a.page.forgery.Check(a.Request) != nil {
		return foreign
	}
	limit := int64(maxForm)
	if a.URL.Path == importPath && a.actor.Role >= admin.Administer {
		limit = maxImport
		_ = http.NewResponseController(a.w).SetReadDeadline(time.Now().Add(uploadTime)) // without it the usual one counts
	}
	a.Body = http.MaxBytesReader(a.w, a.Body, limit)
	if err := a.readForm(); err != nil {
		var long *http.MaxBytesError
		if errors.As(err, &long) {
			return &admin.Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the form has more than %d octets: nothing was changed", long.Limit)}
		}
		return &admin.Error{Status: http.StatusBadRequest, Message: "the form cannot be read: " + err.Error()}
	}
	if subtle.ConstantTimeCompare([]byte(a.PostFormValue("csrf")), []byte(a.visit.csrf)) != 1 {
		return foreign
	}
	return nil
}

func (a *ask) readForm() error {
	if err := a.ParseMultipartForm(maxImport); !errors.Is(err, http.ErrNotMultipart) {
		return err
	}
	return nil
}

// entrance sends who is not logged in to the log-in. What the page asks by itself is told in the status.
func (p *Page) entrance(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(liveHeader) != "" || r.URL.Path == "/ui/events" {
		http.Error(w, "log in again", http.StatusUnauthorized)
		return
	}
	to := "/ui/login"
	if r.Method == http.MethodGet && r.URL.Path != "/ui/" {
		to += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}
