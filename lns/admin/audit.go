package admin

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// auditKept is how many changes are remembered. The log has them all.
const auditKept = 1000

// Change is one thing that an operator did, or tried to.
type Change struct {
	At     time.Time `json:"at"`
	Name   string    `json:"name"` // of the operator
	Role   Role      `json:"role"`
	From   string    `json:"from"`             // where the operator asked from; "socket" on this host
	Action string    `json:"action"`           // such as kick
	Target string    `json:"target,omitempty"` // what it was done to
	Detail string    `json:"detail,omitempty"` // never a secret
	Error  string    `json:"error,omitempty"`  // why it was not done; left out: it was done
}

type auditList struct {
	Changes []Change `json:"changes"`
}

// auditRing is the last changes. It is safe for concurrent use.
type auditRing struct {
	mu   sync.Mutex
	list []Change // oldest first
}

func (a *auditRing) add(c Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) == auditKept {
		a.list = append(a.list[:0], a.list[1:]...)
	}
	a.list = append(a.list, c)
}

// last returns the newest, the newest first.
func (a *auditRing) last(most int) []Change {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := slices.Clone(a.list[max(0, len(a.list)-most):])
	slices.Reverse(list)
	return append([]Change{}, list...)
}

func (s *Server) audited(r *http.Request) (any, error) {
	most, err := number(r, "limit", auditKept, auditKept)
	if err != nil {
		return nil, err
	}
	return auditList{s.changes.last(most)}, nil
}

type noteKey struct{}

// noteChange says what a change was done to, and what is worth remembering of it.
func noteChange(r *http.Request, target, detail string) {
	if c, ok := r.Context().Value(noteKey{}).(*Change); ok {
		c.Target, c.Detail = target, detail
	}
}

// audit runs the handler of a change and writes down what came of it.
func (s *Server) audit(r *http.Request, route route) (any, error) {
	note := &Change{Action: route.change, Target: r.PathValue("name")}
	body, err := route.do(r.WithContext(context.WithValue(r.Context(), noteKey{}, note)))
	s.Audit(r.Context(), note.Action, note.Target, note.Detail, err)
	return body, err
}

// Audit writes down a change that the actor of the context has made, or has tried to: in the log, and where /v1/audit shows it. It is
// for the handlers of other rooms too. The detail must not hold a secret.
func (s *Server) Audit(ctx context.Context, action, target, detail string, err error) {
	actor := ActorOf(ctx)
	c := Change{At: s.cfg.Now(), Name: actor.Name, Role: actor.Role, From: actor.From, Action: action, Target: target, Detail: detail}
	fields := []any{"operator", actor.Name, "role", actor.Role.String(), "from", actor.From, "action", action, "target", target, "detail", detail}
	if err != nil {
		c.Error = err.Error()
		s.cfg.Log.Warn("an operator's change failed", append(fields, "cause", err)...)
	} else {
		s.cfg.Log.Info("changed by an operator", fields...)
	}
	s.changes.add(c)
}
