package negotiate

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"lnsgate/lns/ppp"
)

// ErrNotAdoptable says that what the LAC negotiated cannot be taken over as it
// stands. The link has to be negotiated anew; nothing has changed.
var ErrNotAdoptable = errors.New("negotiate: the LAC's LCP cannot be taken over")

// Adopt takes over the LCP that a LAC has negotiated with the peer (RFC 2661
// sections 4.4.5 and 5.7.1): the arguments are the values of the AVPs Initial
// Received, Last Sent and Last Received LCP CONFREQ, lists of options without a
// packet header. The LAC's requests count as ours from here on, its magic number
// included. The state becomes Opened and LayerUp is told.
//
// The error wraps ErrNotAdoptable: an AVP is missing or malformed, a multilink
// bundle or an option of unknown effect was agreed, or the authentication is not
// one of those configured. The caller then negotiates with Up and Open.
// initialReceived says nothing that the last request does not; it is only
// checked.
func (l *LCP) Adopt(initialReceived, lastSent, lastReceived []byte, now time.Time, out *Out) error {
	if l.m.state > Closed {
		return fmt.Errorf("%w: state is %v", ErrNotAdoptable, l.m.state)
	}
	if len(lastSent) == 0 || len(lastReceived) == 0 {
		return fmt.Errorf("%w: the last request sent or received is missing", ErrNotAdoptable)
	}
	for _, list := range [][]byte{initialReceived, lastSent, lastReceived} {
		if err := ppp.Options(list).Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrNotAdoptable, err)
		}
	}
	ours, err := adoptable(lastSent)
	if err != nil {
		return fmt.Errorf("last request sent: %w", err)
	}
	peer, err := adoptable(lastReceived)
	if err != nil {
		return fmt.Errorf("last request received: %w", err)
	}
	if peer.auth != AuthNone {
		return fmt.Errorf("%w: the peer wants us to authenticate", ErrNotAdoptable)
	}
	if !l.permits(ours.auth) {
		return fmt.Errorf("%w: authentication %v is not one of %v", ErrNotAdoptable, ours.auth, l.cfg.Authentication)
	}
	l.ours, l.peer = ours, peer
	l.m.reason = ReasonNone
	l.m.heard = true
	l.m.state = Opened
	l.m.begin()
	out.Changes = append(out.Changes, LayerUp)
	l.opened(now)
	return nil
}

// permits says whether a peer that was asked for this authentication is one that
// we would have asked the same.
func (l *LCP) permits(a AuthProtocol) bool {
	if len(l.cfg.Authentication) == 0 {
		return a == AuthNone
	}
	return slices.Contains(l.cfg.Authentication, a)
}

// adoptable reads one side's request, or says what in it we cannot live up to.
func adoptable(list ppp.Options) (lcpRequest, error) {
	for o := range list.All() {
		if !adoptableOption(o) {
			return lcpRequest{}, fmt.Errorf("%w: option %d with %d octets", ErrNotAdoptable, o.Type, len(o.Value))
		}
	}
	return readRequest(list), nil
}

// adoptableOption: the character map has no meaning in a tunnel, and an endpoint
// discriminator has none without a bundle.
func adoptableOption(o ppp.Option) bool {
	switch o.Type {
	case ppp.LCPMRU:
		mru, ok := o.MRU()
		return ok && mru >= ppp.MinimumMRU
	case ppp.LCPMagic, ppp.LCPACCM:
		return len(o.Value) == 4
	case ppp.LCPPFC, ppp.LCPACFC:
		return len(o.Value) == 0
	case ppp.LCPAuthentication:
		return authProtocolOf(o) != AuthNone
	case ppp.LCPEndpointDiscriminator:
		return true
	}
	return false
}
