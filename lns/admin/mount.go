package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"lnsgate/lns/trace"
)

// Attempts finds recorded attempts to log in, the newest first. It is safe for concurrent use.
type Attempts interface {
	Find(context.Context, trace.Filter) ([]trace.Attempt, error)
}

// Mount hangs a handler of another room into the server.
type Mount struct {
	Pattern string // of http.ServeMux, with its method: "GET /metrics"
	Role    Role   // what it takes to ask for it; Nobody: everybody may, and the handler looks after itself
	Handler http.Handler

	About   string      // what it does, in a sentence, for the description of the interface; empty: it is not described
	Query   []Parameter // that it takes
	Media   string      // of its answer; empty: JSON
	Answers any         // a value of the type that it answers with, when that is JSON; nil: nothing to tell
}

// Parameter is one that a [Mount] takes in its query.
type Parameter struct {
	Name, About string
	Number      bool // a whole number; else a text
	Switch      bool // true or false
}

// route is what there is to describe of a mount.
func (m *Mount) route() *route {
	method, path, found := strings.Cut(m.Pattern, " ")
	if !found {
		method, path = get, m.Pattern
	}
	r := &route{method: method, path: strings.TrimSuffix(path, "{$}"), role: m.Role, open: m.Role == Nobody, about: m.About, media: m.Media, answers: m.Answers}
	if r.answers == nil {
		r.answers = struct{}{}
	}
	for _, p := range m.Query {
		kind := textParam
		switch {
		case p.Number:
			kind = numberParam
		case p.Switch:
			kind = switchParam
		}
		r.query = append(r.query, param{p.Name, p.About, kind})
	}
	return r
}

// admit lets a request through whose actor has the role.
func (s *Server) admit(role Role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := allowed(r, role); err != nil {
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowed says why the one who asks may not.
func allowed(r *http.Request, role Role) error {
	actor := ActorOf(r.Context())
	switch {
	case actor.Role >= role:
		return nil
	case actor.Role == Nobody:
		return &Error{http.StatusUnauthorized, "this takes an operator of the server",
			"send Authorization: Bearer TOKEN; tokens stand in the configuration under admin.operators"}
	}
	return &Error{http.StatusForbidden, fmt.Sprintf("%s may only %s, and this takes the role %s", actor.Name, actor.Role, role),
		"ask an administrator to do it, or for the role (admin.operators in the configuration)"}
}
