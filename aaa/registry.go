package aaa

import (
	"context"
	"net/netip"
	"time"
)

// SessionPolicy is what happens to a login over a limit of sessions.
type SessionPolicy uint8

// The policies.
const (
	RefuseNew  SessionPolicy = iota // the new login is rejected
	ReplaceOld                      // the oldest session gives way
)

// String returns refuse or replace, as in the configuration.
func (p SessionPolicy) String() string {
	if p == ReplaceOld {
		return "replace"
	}
	return "refuse"
}

// Entry is a session that counts towards the limits of its account and domain.
type Entry struct {
	Session         string // unique over all nodes and restarts
	Name            string // as typed
	Account, Domain string
	Peer            netip.AddrPort
	Since           time.Time

	AccountLimit, DomainLimit int // 0: none
	Policy                    SessionPolicy
}

// Registry counts the live sessions of every node. It is safe for concurrent use.
type Registry interface {
	// Enter counts a session in before it may open. Over a limit it answers with a *Rejection of cause SessionLimit, or,
	// where the policy is to replace, has the oldest sessions end, on whatever node they live. To enter a session
	// again replaces what was said of it.
	Enter(context.Context, Entry) error
	// Leave counts it out. A session that is not there is no error.
	Leave(ctx context.Context, session string) error
}
