package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"lnsgate/lns/trace"
)

// AttemptPage is a part of the recorded attempts, the newest first.
type AttemptPage struct {
	Attempts []Attempt
	Next     string // Before of the page behind this one; empty: that was all
	Warning  string // why some are missing; empty: none are
}

// Attempts lists the recorded attempts that the filter wants.
func (c *Client) Attempts(ctx context.Context, f trace.Filter) (AttemptPage, error) {
	query := url.Values{}
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	set("user", f.User)
	set("domain", f.Domain)
	set("session", f.Session)
	set("before", f.Before)
	if f.Peer.IsValid() {
		set("peer", f.Peer.String())
	}
	if f.Address.IsValid() {
		set("address", f.Address.String())
	}
	if f.Failed {
		set("failed", "true")
	}
	for _, cause := range f.Causes {
		query.Add("cause", cause.Name())
	}
	for name, at := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !at.IsZero() {
			set(name, at.Format(time.RFC3339Nano))
		}
	}
	if f.Limit > 0 {
		set("limit", strconv.Itoa(f.Limit))
	}
	var list attemptList
	err := c.do(ctx, http.MethodGet, "attempts", query, nil, &list)
	return AttemptPage(list), err
}

// Attempt returns one attempt with all its steps.
func (c *Client) Attempt(ctx context.Context, id string) (Attempt, error) {
	var a Attempt
	err := c.do(ctx, http.MethodGet, "attempts/"+url.PathEscape(id), nil, nil, &a)
	return a, err
}
