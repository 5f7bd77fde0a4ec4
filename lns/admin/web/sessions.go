package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"lnsgate/lns/admin"
)

// pageRows is how many rows one view of a list has.
const pageRows = "50"

// sessionColumns are those that can be sorted by.
var sessionColumns = []struct{ Key, Title string }{
	{"session", "Session"}, {"user", "User"}, {"domain", "Domain"}, {"address", "Address"}, {"peer", "Peer"}, {"since", "Since"},
	{"received", "Received"}, {"sent", "Sent"},
}

// column is the head of a column.
type column struct {
	Key, Title, Link string
	Sorted           string // ascending, descending or none
}

// sessionsView is a page of the sessions that match.
type sessionsView struct {
	frame
	Search, Domain, Sort string
	Columns              []column
	Sessions             []admin.Session
	Total                int
	First, Next          string // links; empty: there is none
	Peer                 string
}

func (p *Page) sessions(a *ask) error {
	q := a.URL.Query()
	v := sessionsView{frame: a.frame("sessions", "Sessions"), Search: strings.TrimSpace(q.Get("q")), Domain: q.Get("domain"), Sort: q.Get("sort"), Peer: q.Get("peer")}
	kept := url.Values{}
	given := url.Values{"limit": {pageRows}}
	for name, pair := range map[string][2]string{
		"search": {"q", v.Search}, "domain": {"domain", v.Domain}, "sort": {"sort", v.Sort}, "peer": {"peer", v.Peer}} {
		if pair[1] != "" {
			given.Set(name, pair[1])
			kept.Set(pair[0], pair[1])
		}
	}
	v.Columns = heads(v.Sort, kept)
	if after := q.Get("after"); after != "" {
		given.Set("after", after)
		v.First = "?" + kept.Encode()
	}
	var list struct {
		admin.SessionPage
		Warning string
	}
	if err := a.get("/v1/sessions", given, &list); err != nil {
		return err
	}
	v.Sessions, v.Total, v.frame.Warning = list.Sessions, list.Total, list.Warning
	if list.Next != "" {
		kept.Set("after", list.Next)
		v.Next = "?" + kept.Encode()
	}
	return a.show("sessions", v)
}

// heads make the links that sort: a column that is sorted by already is turned round.
func heads(sort string, kept url.Values) []column {
	name, down := strings.CutPrefix(sort, "-")
	var list []column
	for _, one := range sessionColumns {
		c := column{Key: one.Key, Title: one.Title, Sorted: "none"}
		to := one.Key
		if one.Key == name {
			c.Sorted = "ascending"
			if down {
				c.Sorted = "descending"
			} else {
				to = "-" + to
			}
		} else if one.Key == "received" || one.Key == "sent" || one.Key == "since" {
			to = "-" + to // the largest, or the latest, first
		}
		q := url.Values{"sort": {to}}
		for k, values := range kept {
			if k != "sort" {
				q[k] = values
			}
		}
		c.Link = "?" + q.Encode()
		list = append(list, c)
	}
	return list
}

// sessionView is one session, and how it came to be.
type sessionView struct {
	frame
	Session *admin.Session
	Gone    string // the handle of a session that is over
	Attempt *attemptParts
	Logins  int // of this user in the last day, as far as they are recorded
	ByUser  []admin.Attempt
	Line    *linePlot // nil: it was never asked
}

func (p *Page) session(a *ask) error {
	id := a.URL.Query().Get("id")
	v := sessionView{frame: a.frame("sessions", "Session "+id), Gone: id}
	var list struct{ Sessions []admin.Session }
	if err := a.get("/v1/sessions", url.Values{"session": {id}, "limit": {"1"}}, &list); err != nil {
		return err
	}
	if len(list.Sessions) > 0 && id != "" {
		v.Session = &list.Sessions[0]
		v.Line = plotLine(v.Session.Line)
	}
	found, err := a.attempts(url.Values{"session": {id}, "limit": {"1"}})
	if err != nil || id == "" {
		v.Warning = warningOf(err, "")
	} else if len(found.Attempts) > 0 && (v.Session == nil || v.Session.Record == "" || found.Attempts[0].ID == v.Session.Record) {
		v.Attempt = partsOf(&found.Attempts[0])
	}
	if v.Session == nil && v.Attempt == nil {
		return &admin.Error{Status: http.StatusNotFound, Message: "there is no session " + id, Hint: "it may be over and forgotten; see Logins"}
	}
	if v.Session != nil && v.Session.User != "" {
		since := p.cfg.Now().Add(-24 * time.Hour).Format(time.RFC3339)
		if recent, err := a.attempts(url.Values{"user": {v.Session.User}, "since": {since}, "limit": {"100"}}); err == nil {
			v.Logins = len(recent.Attempts)
			v.ByUser = recent.Attempts[:min(len(recent.Attempts), 8)]
		}
	}
	return a.show("session", v)
}

func (p *Page) kick(a *ask) error {
	id, reason := a.PostForm.Get("id"), strings.TrimSpace(a.PostForm.Get("reason"))
	if reason == "" {
		return &admin.Error{Status: http.StatusBadRequest, Message: "a kick needs a reason: nothing was ended", Hint: "it goes into the log and the record of changes"}
	}
	var done admin.KickResult
	if err := a.send(http.MethodPost, "/v1/kick", admin.KickRequest{Session: id, Reason: reason}, &done); err != nil {
		return err
	}
	return a.back("/ui/sessions", "Session %s was ended.", id)
}
