package trace

import (
	"fmt"
	"net/netip"
	"time"
)

// EventKind is what an event tells.
type EventKind uint8

// The kinds.
const (
	AttemptBegan   EventKind = iota // a peer has begun to dial in
	AttemptChanged                  // a name, a domain or an address is known now
	AttemptFailed                   // over, without a session
	SessionOpened
	SessionClosed
	eventKindCount
)

var eventKinds = [eventKindCount]string{"attempt-began", "attempt-changed", "attempt-failed", "session-opened", "session-closed"}

// String returns the kind with dashes.
func (k EventKind) String() string {
	if k < eventKindCount {
		return eventKinds[k]
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// MarshalText writes the kind as String does.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *EventKind) UnmarshalText(b []byte) error { return parseWord(k, eventKinds[:], b, "event") }

// Event tells whoever watches that something has happened to an attempt. It is a few words; the attempt itself is asked for.
type Event struct {
	Kind    EventKind      `json:"kind"`
	At      time.Time      `json:"at"`
	ID      string         `json:"id"`                // of the attempt
	Tunnel  uint16         `json:"tunnel,omitempty"`  // our id; 0: there was none
	Session string         `json:"session,omitempty"` // "12/7": the handle for kick
	Peer    netip.AddrPort `json:"peer"`
	Name    string         `json:"user,omitempty"`
	Account string         `json:"account,omitempty"`
	Domain  string         `json:"domain,omitempty"`
	Address netip.Addr     `json:"address,omitzero"`
	Verdict Verdict        `json:"verdict"`
}
