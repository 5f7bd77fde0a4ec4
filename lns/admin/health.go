package admin

import (
	"context"
	"net/http"
	"time"
)

// Check is one thing that the server needs.
type Check struct {
	Name   string `json:"name"` // such as sockets, database, radius hq, pool sales
	Well   bool   `json:"well"`
	Needed bool   `json:"needed"`           // nobody can log in without it; else it is a warning
	Reason string `json:"reason,omitempty"` // why it is not well
}

// Health is what the server needs, and whether it has it.
type Health struct {
	Ready  bool    `json:"ready"` // people can log in
	Checks []Check `json:"checks"`
}

// Alive says that the server answers.
type Alive struct {
	Alive bool `json:"alive"`
}

// healthTime bounds how long the checks may take.
const healthTime = 5 * time.Second

func (s *Server) check(ctx context.Context) Health {
	h := Health{Ready: true, Checks: []Check{}}
	if s.cfg.Health == nil {
		return h
	}
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	for _, c := range s.cfg.Health(ctx) {
		h.Ready = h.Ready && (c.Well || !c.Needed)
		h.Checks = append(h.Checks, c)
	}
	return h
}

func (s *Server) health(r *http.Request) (any, error) { return s.check(r.Context()), nil }

// alive answers whoever restarts servers that hang.
func alive(*http.Request) (any, error) { return Alive{true}, nil }

// ready answers whoever sends people only to servers that work. To those who may not see more it says no reason.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	h := s.check(r.Context())
	status := http.StatusOK
	if !h.Ready {
		status = http.StatusServiceUnavailable
	}
	if ActorOf(r.Context()).Role < View {
		h.Checks = []Check{}
	}
	s.write(w, r, status, h)
}
