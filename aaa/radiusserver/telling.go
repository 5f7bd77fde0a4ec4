package radiusserver

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"lnsgate/aaa"
)

// quiet is how long the log hears nothing more of the same fault: a NAS that is set up wrongly asks again and again, and so does
// whoever wants to fill the disk.
const quiet = time.Minute

// occasion is when the log was told of a fault.
type occasion struct {
	last  atomic.Int64 // in Unix nanoseconds; 0: never
	since atomic.Uint64
}

// come says whether the log is to be told now, and of how many it was not told before.
func (o *occasion) come(now time.Time) (untold uint64, yes bool) {
	last := o.last.Load()
	if last != 0 && now.UnixNano()-last < int64(quiet) || !o.last.CompareAndSwap(last, now.UnixNano()) {
		o.since.Add(1)
		return 0, false
	}
	return o.since.Swap(0), true
}

// occasions are those of one client.
type occasions [outcomeCount]occasion

// tellDropped tells of a request of a client that gets no answer.
func (s *Server) tellDropped(c *client, o Outcome, from netip.AddrPort) {
	advice := advices[o]
	if advice == "" {
		return
	}
	if untold, yes := c.told[o].come(time.Now()); yes {
		s.config.Log.Warn("RADIUS server: a request is dropped: "+advice, "nas", c.Name, "peer", from.String(), "more_before", untold)
	}
}

// advices are for the log.
var advices = [outcomeCount]string{
	Malformed:     "its lengths do not add up, or it lacks an attribute that must be there",
	WrongCode:     "it does not belong to this port; authentication and accounting have a port each",
	Forged:        "it was not made with the secret of this client; compare the secrets",
	Unsigned:      "it has no Message-Authenticator, which this client must send, or has sent before; have the NAS sign, or set the policy of the client to off",
	UnsignedProxy: "it came through a proxy without a Message-Authenticator, as forged ones do; have the proxy sign, or allow it for this client",
	Unproven:      "it is not signed and has no password, response or EAP",
	Busy:          "too many requests are being answered; see what the back ends are waiting for",
}

// tellStranger tells of who asks and may not; c is the client, if the address is that of one.
func (s *Server) tellStranger(c *client, transport string, from netip.AddrPort) {
	untold, yes := s.strangers.come(time.Now())
	switch {
	case !yes:
	case c == nil:
		s.config.Log.Warn("RADIUS server: dropped, for no client has this source; if it is a NAS of yours, add it with this source and a secret "+
			"(radius_server.clients, or: lnsgate nas add)", "peer", from.String(), "transport", transport, "more_before", untold)
	default:
		s.config.Log.Warn("RADIUS server: dropped, for this client may not ask over "+transport+"; over udp it needs a secret, over tls radius_server.tls",
			"nas", c.Name, "peer", from.String(), "more_before", untold)
	}
}

// explained adds to a no what only who sees the request can tell: a password that was hidden with another secret is no text.
func explained(no *aaa.Rejection, x *exchange, r *aaa.Request) *aaa.Rejection {
	if x.signed || r.Proof.Method != aaa.PAP || isText(r.Proof.Password.Reveal()) || no.Cause != aaa.WrongPassword && no.Cause != aaa.UnknownUser {
		return no
	}
	own := *no
	own.Detail = strings.TrimPrefix(no.Detail+"; the password is no text: if all of this NAS are so, its secret is not that of the client", "; ")
	return &own
}

func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
