package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"lnsgate/lns/trace"
)

// Limits of one page of attempts.
const (
	attemptPage = 100
	attemptMost = 1000
)

var attemptParams = []param{
	{"user", "the name as typed, or the account", textParam},
	{"domain", "in any case", textParam},
	{"peer", "where it comes from: an address or a network", textParam},
	{"address", "what it was given", textParam},
	{"session", "the handle, such as 12/7", textParam},
	{"failed", "only those that never opened", switchParam},
	{"cause", "one of these causes, by their names; see /v1/causes", listParam},
	{"since", "begun then or later", momentParam},
	{"until", "begun before", momentParam},
	{"limit", "at most so many", numberParam},
	{"before", "those behind the attempt of this id: the next page", textParam},
}

// Attempt is one attempt to log in, and what its verdict means in words.
type Attempt struct {
	trace.Attempt
	Meaning Meaning `json:"meaning"`
}

// Meaning is a cause in words.
type Meaning struct {
	Sentence string       `json:"sentence"`
	Remedy   string       `json:"remedy"`
	Helper   trace.Helper `json:"helper"` // who can do it
}

// Cause is one of the causes that a verdict can name.
type Cause struct {
	Name  trace.Cause `json:"name"`
	Stage trace.Stage `json:"stage"` // where it strikes, as a rule
	Meaning
}

type (
	attemptList struct {
		Attempts []Attempt `json:"attempts"`
		Next     string    `json:"next,omitempty"`    // give it as before for the next page; left out: that was all
		Warning  string    `json:"warning,omitempty"` // why some are missing
	}
	causeList struct {
		Causes []Cause `json:"causes"`
	}
)

func meaningOf(c trace.Cause) Meaning { return Meaning{c.String(), c.Remedy(), c.Helper()} }

func attemptView(a *trace.Attempt) Attempt {
	view := Attempt{*a, meaningOf(a.Verdict.Cause)}
	if view.Steps == nil {
		view.Steps = []trace.Step{}
	}
	return view
}

func (s *Server) causes(*http.Request) (any, error) {
	var list causeList
	for _, c := range trace.Causes() {
		list.Causes = append(list.Causes, Cause{c, c.Stage(), meaningOf(c)})
	}
	return list, nil
}

func (s *Server) attempts(r *http.Request) (any, error) {
	if s.cfg.Attempts == nil {
		return attemptList{Attempts: []Attempt{}}, nil
	}
	f, err := readAttemptFilter(r)
	if err != nil {
		return nil, err
	}
	limit := f.Limit
	f.Limit++ // one more tells whether there is another page
	found, err := s.cfg.Attempts.Find(r.Context(), f)
	if err != nil && len(found) == 0 {
		return nil, fmt.Errorf("the attempts cannot be read: %w", err)
	}
	list := attemptList{Attempts: make([]Attempt, 0, len(found))}
	if err != nil {
		list.Warning = err.Error()
	}
	for i := range found {
		if i == limit {
			list.Next = found[i-1].ID
			break
		}
		list.Attempts = append(list.Attempts, attemptView(&found[i]))
	}
	return list, nil
}

func (s *Server) attempt(r *http.Request) (any, error) {
	id := r.PathValue("id")
	gone := &Error{http.StatusNotFound, fmt.Sprintf("no attempt %q is recorded", id), "old ones make room for new ones; see /v1/attempts"}
	if s.cfg.Attempts == nil {
		return nil, gone
	}
	found, err := s.cfg.Attempts.Find(r.Context(), trace.Filter{ID: id, Limit: 1})
	switch {
	case len(found) > 0:
		return attemptView(&found[0]), nil
	case err != nil:
		return nil, fmt.Errorf("the attempts cannot be read: %w", err)
	}
	return nil, gone
}

func readAttemptFilter(r *http.Request) (f trace.Filter, err error) {
	values := r.URL.Query()
	f = trace.Filter{User: values.Get("user"), Domain: values.Get("domain"), Session: values.Get("session"), Before: values.Get("before")}
	var faults [6]error
	f.Address, faults[0] = addressParam(r, "address")
	f.Peer, faults[1] = networkParam(r, "peer")
	f.Failed, faults[2] = yes(r, "failed")
	f.Since, faults[3] = momentParamOf(r, "since")
	f.Until, faults[4] = momentParamOf(r, "until")
	f.Limit, faults[5] = number(r, "limit", attemptPage, attemptMost)
	if f.Limit == 0 {
		f.Limit = attemptPage
	}
	for _, given := range values["cause"] {
		for name := range strings.SplitSeq(given, ",") {
			var c trace.Cause
			if c.UnmarshalText([]byte(name)) != nil {
				return f, &Error{http.StatusBadRequest, fmt.Sprintf("cause: there is no cause %q", name), "see /v1/causes"}
			}
			f.Causes = append(f.Causes, c)
		}
	}
	return f, errors.Join(faults[:]...)
}
