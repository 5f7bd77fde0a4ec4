package trace

import (
	"fmt"
	"net/netip"
	"time"
)

// Actor is who did what a step tells.
type Actor uint8

// The actors.
const (
	Peer    Actor = iota // it sent us something
	LNS                  // we sent it something, or decided
	Backend              // a back end of AAA answered: local, postgres, a RADIUS group
	Pools                // the address allocator answered
	Host                 // data path, routes, ARP
	Admin                // somebody who may: kick, CoA, a changed row
	actorCount
)

var actorNames = [actorCount]string{"peer", "lns", "backend", "pools", "host", "admin"}

// String returns the actor in one lower-case word.
func (a Actor) String() string {
	if a < actorCount {
		return actorNames[a]
	}
	return fmt.Sprintf("actor %d", uint8(a))
}

// MarshalText writes the actor as String does.
func (a Actor) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (a *Actor) UnmarshalText(b []byte) error { return parseWord(a, actorNames[:], b, "actor") }

// Step is one thing that happened on the way. It never holds a password, a challenge response or a key.
type Step struct {
	After  time.Duration `json:"after_ns"`          // since the attempt began
	Stage  Stage         `json:"stage"`             //
	Actor  Actor         `json:"actor"`             //
	Who    string        `json:"who,omitempty"`     // which back end or pool: "hq", "postgres", "sales"; empty for peer and LNS
	What   string        `json:"what"`              // "SCCRQ", "LCP Configure-Request", "asked", "lease"
	Detail string        `json:"detail,omitempty"`  // its content in words: options, the name as typed, the answer
	Took   time.Duration `json:"took_ns,omitempty"` // of a question: until the answer came
	Again  bool          `json:"again,omitempty"`   // a repetition of what was said before
}

// Attempt is the story of one attempt to log in, from the first datagram to the end of the session that came of it. It is a
// copy: nobody writes to it any more.
type Attempt struct {
	ID      string    `json:"id"` // unique over all nodes and restarts; that of the session (Acct-Session-Id) once there is a call
	Node    string    `json:"node"`
	Began   time.Time `json:"began"`           // the first datagram
	Opened  time.Time `json:"opened,omitzero"` // user traffic could flow; zero: it never could
	Ended   time.Time `json:"ended,omitzero"`  // zero: it is under way, or open
	Verdict Verdict   `json:"verdict"`         // InProgress, LoggedIn, or why it failed or ended

	Peer        netip.AddrPort `json:"peer"`
	HostName    string         `json:"host_name,omitempty"`
	Vendor      string         `json:"vendor,omitempty"`
	Fingerprint string         `json:"fingerprint,omitempty"` // "Windows 10 or 11", "MikroTik RouterOS", as far as it shows
	Group       string         `json:"l2tp_group,omitempty"`
	Template    string         `json:"virtual_template,omitempty"`
	Tunnel      uint16         `json:"tunnel"`  // our id
	Session     uint16         `json:"session"` // our id; 0: there was no call
	Calling     string         `json:"calling_number,omitempty"`
	Called      string         `json:"called_number,omitempty"`

	Name    string     `json:"user"` // the identity as typed; empty: the peer never said it
	Method  string     `json:"method,omitempty"`
	Account string     `json:"account,omitempty"`
	Domain  string     `json:"domain,omitempty"`
	Rule    string     `json:"rule,omitempty"`    // in words: which rule chose the domain
	Backend string     `json:"backend,omitempty"` // which said yes, or no
	Address netip.Addr `json:"address,omitzero"`
	Pool    string     `json:"pool,omitempty"`
	Why     string     `json:"address_because,omitempty"` // why this address

	// Times is how often the same happened to the same stranger, the last time at Ended; the steps are of the first. 0: once.
	Times int `json:"times,omitempty"`

	Steps   []Step `json:"steps"`
	LeftOut int    `json:"steps_left_out,omitempty"` // steps that did not fit
}

// Handle is what the session is called by kick and by show sessions, "12/7"; empty when there was no call.
func (a *Attempt) Handle() string {
	if a.Session == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", a.Tunnel, a.Session)
}

// Failed says that the attempt is over and the session never opened.
func (a *Attempt) Failed() bool { return a.Opened.IsZero() && !a.Ended.IsZero() }
