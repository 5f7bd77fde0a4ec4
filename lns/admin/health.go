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

// healthFresh is how long one answer serves all who ask: strangers may ask too, and each check costs the database and the pools work.
const healthFresh = time.Second

// checkup is the last answer. One who asks at a time has the checks made, and the others wait for what comes of it.
type checkup struct {
	turn chan struct{} // holds the one who may look at what follows
	at   time.Time     // when last began; zero: never
	last Health
}

// check tells how the server is, or was a moment ago. The error is the context's.
func (s *Server) check(ctx context.Context) (Health, error) {
	select {
	case s.checkup.turn <- struct{}{}:
		defer func() { <-s.checkup.turn }()
	case <-ctx.Done():
		return Health{}, ctx.Err()
	}
	now := s.cfg.Now()
	if age := now.Sub(s.checkup.at); s.checkup.at.IsZero() || age < 0 || age >= healthFresh {
		s.checkup.last, s.checkup.at = s.examine(context.WithoutCancel(ctx)), now
	}
	return s.checkup.last, nil
}

// examine has the checks made. Whoever asked may go meanwhile: the answer is for others too.
func (s *Server) examine(ctx context.Context) Health {
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

func (s *Server) health(r *http.Request) (any, error) { return s.check(r.Context()) }

// alive answers whoever restarts servers that hang.
func alive(*http.Request) (any, error) { return Alive{true}, nil }

// ready answers whoever sends people only to servers that work. To those who may not see more it says no reason.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	h, err := s.check(r.Context())
	if err != nil {
		return // who asked is gone
	}
	status := http.StatusOK
	if !h.Ready {
		status = http.StatusServiceUnavailable
	}
	if ActorOf(r.Context()).Role < View {
		h.Checks = []Check{}
	}
	s.write(w, r, status, h)
}
