package web

import (
	"net/url"
	"strings"

	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
)

// attemptList is a page of the recorded attempts.
type attemptList struct {
	Attempts []admin.Attempt
	Next     string
	Warning  string
}

func (a *ask) attempts(query url.Values) (list attemptList, err error) {
	err = a.get("/v1/attempts", query, &list)
	return list, err
}

// loginsView is a page of the attempts that match.
type loginsView struct {
	frame
	User, Domain, Peer, Cause string
	Failed                    bool
	Filtered                  bool
	Attempts                  []admin.Attempt
	First, Next               string
	Causes                    []trace.Cause
}

func (p *Page) logins(a *ask) error {
	q := a.URL.Query()
	v := loginsView{frame: a.frame("logins", "Logins"), User: strings.TrimSpace(q.Get("user")), Domain: strings.TrimSpace(q.Get("domain")),
		Peer: strings.TrimSpace(q.Get("peer")), Cause: q.Get("cause"), Failed: q.Get("failed") != "", Causes: trace.Causes()}
	kept := url.Values{}
	for name, value := range map[string]string{"user": v.User, "domain": v.Domain, "peer": v.Peer, "cause": v.Cause} {
		if value != "" {
			kept.Set(name, value)
		}
	}
	if v.Failed {
		kept.Set("failed", "true")
	}
	v.Filtered = len(kept) > 0
	given := url.Values{"limit": {pageRows}}
	for name, values := range kept {
		given[name] = values
	}
	if before := q.Get("before"); before != "" {
		given.Set("before", before)
		v.First = "?" + kept.Encode()
	}
	list, err := a.attempts(given)
	if err != nil {
		return err
	}
	v.Attempts, v.frame.Warning = list.Attempts, list.Warning
	if list.Next != "" {
		kept.Set("before", list.Next)
		v.Next = "?" + kept.Encode()
	}
	return a.show("logins", v)
}

// attemptParts is an attempt and its drawing.
type attemptParts struct {
	*admin.Attempt
	Ladder ladder
}

func partsOf(one *admin.Attempt) *attemptParts { return &attemptParts{one, drawLadder(&one.Attempt)} }

// attemptView explains one attempt.
type attemptView struct {
	frame
	Attempt *attemptParts
}

func (p *Page) attempt(a *ask) error {
	var one admin.Attempt
	if err := a.get(path("attempts", a.URL.Query().Get("id")), nil, &one); err != nil {
		return err
	}
	name := one.Name
	if name == "" {
		name = "a peer without a name"
	}
	return a.show("attempt", attemptView{a.frame("logins", "Login of "+name), partsOf(&one)})
}

// causesView lists what a verdict can name.
type causesView struct {
	frame
	Causes []trace.Cause
}

func (p *Page) causes(a *ask) error {
	return a.show("causes", causesView{a.frame("logins", "Every cause a verdict can name"), trace.Causes()})
}
