package trace

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Filter chooses attempts. A zero field chooses all.
type Filter struct {
	ID      string       // this attempt
	User    string       // the name as typed, or the account
	Domain  string       // whatever its case
	Peer    netip.Prefix // where it comes from
	Address netip.Addr   // what it was given
	Session string       // the handle "12/7" of a session of this node
	Failed  bool         // only those that never opened
	Causes  []Cause      // one of these
	Since   time.Time    // begun then or later
	Until   time.Time    // begun before
	Before  string       // in the order of newest first, those behind the attempt of this ID: the next page
	Limit   int          // at most so many
}

// Matches says whether the attempt is one of those that are wanted, whatever their number and place.
func (f *Filter) Matches(a *Attempt) bool {
	return (f.ID == "" || f.ID == a.ID) &&
		(f.User == "" || f.User == a.Name || f.User == a.Account) &&
		(f.Domain == "" || strings.EqualFold(f.Domain, a.Domain)) &&
		(!f.Peer.IsValid() || f.Peer.Contains(a.Peer.Addr().Unmap())) &&
		(!f.Address.IsValid() || f.Address == a.Address) &&
		(f.Session == "" || f.Session == a.Handle()) &&
		(!f.Failed || a.Failed()) &&
		(len(f.Causes) == 0 || slices.Contains(f.Causes, a.Verdict.Cause)) &&
		(f.Since.IsZero() || !a.Began.Before(f.Since)) &&
		(f.Until.IsZero() || a.Began.Before(f.Until))
}
