package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"
)

// BanKind says what a ban shuts out.
type BanKind string

// The kinds.
const (
	BannedAccount BanKind = "account"
	BannedSource  BanKind = "source"
)

// Ban shuts an account or a source out.
type Ban struct {
	Who   string    `json:"who"` // a name, an address or a network
	Kind  BanKind   `json:"kind"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"` // left out: until it is lifted
	Why   string    `json:"why,omitempty"`
	By    string    `json:"by"` // who has banned it; lnsgate: it follows from failed logins
}

// Bans are those of the server. They are safe for concurrent use. An error of Ban or Unban says that a restart will not know of it.
type Bans interface {
	Bans(now time.Time) []Ban
	Ban(Ban) error
	Unban(who string, now time.Time) (found bool, err error)
}

// BanRequest asks for a ban.
type BanRequest struct {
	Who        string `json:"who"`                   // an address or a network, and anything else is the name of an account
	ForSeconds int64  `json:"for_seconds,omitempty"` // 0: until it is lifted
	Why        string `json:"why,omitempty"`
}

// LiftRequest asks for the end of a ban.
type LiftRequest struct {
	Who string `json:"who"`
}

type banList struct {
	Bans []Ban `json:"bans"`
}

// The most that a ban may say: it stands in every verdict.
const (
	maxBanned   = 320
	maxBanWhy   = 200
	longestBan  = 10 * 365 * 24 * 3600
	lineTooLong = "shorten it"
)

func (s *Server) banRoutes() []route {
	return []route{
		{method: get, path: "/v1/bans", about: "Who is shut out of this node, until when, by whom and why.", answers: banList{}, do: s.bans},
		{method: post, path: "/v1/bans", role: Operate, about: "Shuts an account or a source out. Its sessions go on: kick them.", body: BanRequest{}, answers: Done{},
			change: "ban", do: s.ban},
		{method: post, path: "/v1/bans/lift", role: Operate, about: "Lets it in again.", body: LiftRequest{}, answers: Done{}, change: "lift ban", do: s.lift},
	}
}

func (s *Server) banBook() (Bans, error) {
	if s.cfg.Bans == nil {
		return nil, &Error{http.StatusNotImplemented, "nobody can be banned here", ""}
	}
	return s.cfg.Bans, nil
}

func (s *Server) bans(*http.Request) (any, error) {
	book, err := s.banBook()
	if err != nil {
		return nil, err
	}
	return banList{some(book.Bans(s.cfg.Now()))}, nil
}

func (s *Server) ban(r *http.Request) (any, error) {
	var req BanRequest
	book, err := s.banBook()
	if err == nil {
		err = decode(r.Body, &req)
	}
	switch {
	case err != nil:
		return nil, err
	case req.Who == "" || len(req.Who) > maxBanned:
		return nil, &Error{http.StatusBadRequest, "a ban names an account, an address or a network", "the field who"}
	case len(req.Why) > maxBanWhy:
		return nil, &Error{http.StatusBadRequest, fmt.Sprintf("the reason is longer than %d octets", maxBanWhy), lineTooLong}
	case req.ForSeconds < 0 || req.ForSeconds > longestBan:
		return nil, &Error{http.StatusBadRequest, "a ban lasts between a second and ten years", "0, or leaving it out, is until it is lifted"}
	}
	now := s.cfg.Now()
	one := Ban{Who: req.Who, Since: now, Why: req.Why, By: cmp.Or(ActorOf(r.Context()).Name, "operator")}
	if req.ForSeconds > 0 {
		one.Until = now.Add(time.Duration(req.ForSeconds) * time.Second)
	}
	noteChange(r, req.Who, fmt.Sprintf("for %s; reason: %s", banTime(req.ForSeconds), req.Why))
	return Done{Name: req.Who}, book.Ban(one)
}

func banTime(seconds int64) string {
	if seconds == 0 {
		return "ever"
	}
	return (time.Duration(seconds) * time.Second).String()
}

func (s *Server) lift(r *http.Request) (any, error) {
	var req LiftRequest
	book, err := s.banBook()
	if err == nil {
		err = decode(r.Body, &req)
	}
	if err != nil {
		return nil, err
	}
	noteChange(r, req.Who, "")
	found, err := book.Unban(req.Who, s.cfg.Now())
	if !found {
		return nil, &Error{http.StatusNotFound, fmt.Sprintf("%q is not banned", req.Who), "see lnsgate bans"}
	}
	return Done{Name: req.Who}, err
}

// Bans tells who is shut out.
func (c *Client) Bans(ctx context.Context) ([]Ban, error) {
	var list banList
	err := c.do(ctx, http.MethodGet, "bans", nil, nil, &list)
	return list.Bans, err
}

// Ban shuts an account or a source out.
func (c *Client) Ban(ctx context.Context, req BanRequest) error {
	return c.do(ctx, http.MethodPost, "bans", nil, req, &Done{})
}

// LiftBan lets it in again.
func (c *Client) LiftBan(ctx context.Context, who string) error {
	return c.do(ctx, http.MethodPost, "bans/lift", nil, LiftRequest{who}, &Done{})
}
