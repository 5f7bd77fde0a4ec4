package capture

import (
	"errors"
	"net/netip"
	"strings"

	"lnsgate/lns/trace"
)

// Filter chooses what is captured. All that it names must fit; it must name something.
type Filter struct {
	User   string       // the name as typed, or the account
	Domain string       // whatever its case
	Peer   netip.Prefix // where it comes from
	Failed bool         // only attempts that fail
}

// ErrEverything says that a filter names nothing: a capture of everybody is the business of other tools.
var ErrEverything = errors.New("name what to capture: a user, a domain, a peer, or failed attempts")

// Validate returns ErrEverything for a filter that names nothing.
func (f Filter) Validate() error {
	if f.User == "" && f.Domain == "" && !f.Peer.IsValid() && !f.Failed {
		return ErrEverything
	}
	return nil
}

// byPeer says that nothing but the source of a datagram has to be known.
func (f Filter) byPeer() bool { return f.User == "" && f.Domain == "" && !f.Failed }

// from says whether the peer is one that is wanted, as far as that goes.
func (f Filter) from(peer netip.AddrPort) bool {
	return !f.Peer.IsValid() || f.Peer.Contains(peer.Addr().Unmap().WithZone(""))
}

// answer says whether something is wanted.
type answer uint8

const (
	notYet answer = iota // it is not known enough of it
	yes
	no
)

// judge says whether an attempt is wanted of which an event tells.
func (f Filter) judge(e *trace.Event) answer {
	if !f.from(e.Peer) {
		return no
	}
	result := yes
	for _, one := range [...]answer{f.judgeEnd(e.Kind), f.judgeUser(e), f.judgeDomain(e)} {
		switch {
		case one == no:
			return no
		case one == notYet:
			result = notYet
		}
	}
	return result
}

func (f Filter) judgeEnd(k trace.EventKind) answer {
	switch {
	case !f.Failed || k == trace.AttemptFailed:
		return yes
	case k == trace.SessionOpened || k == trace.SessionClosed:
		return no
	}
	return notYet
}

func (f Filter) judgeUser(e *trace.Event) answer {
	switch {
	case f.User == "" || f.User == e.Name || f.User == e.Account:
		return yes
	case decided(e.Kind) || e.Account != "":
		return no
	}
	return notYet
}

func (f Filter) judgeDomain(e *trace.Event) answer {
	switch {
	case f.Domain == "" || strings.EqualFold(f.Domain, e.Domain):
		return yes
	case decided(e.Kind) || e.Domain != "":
		return no
	}
	return notYet
}

// decided says that nothing more will become known of who it is.
func decided(k trace.EventKind) bool {
	return k == trace.AttemptFailed || k == trace.SessionOpened || k == trace.SessionClosed
}
