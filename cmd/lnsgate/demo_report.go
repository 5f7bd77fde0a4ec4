package main

import (
	"encoding/json"
	"io"
	"slices"
	"time"
)

// demoReport is the outcome for programs.
type demoReport struct {
	OK             bool       `json:"ok"`
	Address        string     `json:"address"` // what the client was given
	Steps          []demoStep `json:"steps"`
	PingMS         float64    `json:"ping_ms"` // the median
	HTTPOK         bool       `json:"http_ok"`
	HTTPSource     string     `json:"http_source"`     // whom the headquarters server saw
	RejectedReason string     `json:"rejected_reason"` // what the LNS's log says of the wrong password
	Error          string     `json:"error,omitempty"`
}

// demoStep is one thing that happened.
type demoStep struct {
	TimeMS  float64 `json:"time_ms"` // since the demo began
	Phase   string  `json:"phase"`   // tunnel, session, lcp, authentication, ipcp, ping, http, wrong password, goodbye
	From    string  `json:"from"`    // client or lns
	To      string  `json:"to"`      // client, lns, headquarters or log
	Message string  `json:"message"`
	Detail  string  `json:"detail"`
}

// add puts a step behind the others. The clocks of two processes are compared, so a step may seem to be a little too early.
func (r *demoReport) add(at time.Duration, s demoStep) {
	s.TimeMS = milliseconds(at)
	if n := len(r.Steps); n > 0 {
		s.TimeMS = max(s.TimeMS, r.Steps[n-1].TimeMS)
	}
	r.Steps = append(r.Steps, s)
}

// fail takes the error in, if there is one.
func (r *demoReport) fail(err error) {
	if err != nil {
		r.OK, r.Error = false, err.Error()
	}
}

func (r *demoReport) print(w io.Writer) {
	if r.Steps == nil {
		r.Steps = []demoStep{}
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.Encode(r) // nobody is left to tell when standard output is gone
}

// milliseconds counts them, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
