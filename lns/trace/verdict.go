package trace

import "fmt"

// Cause is the typed reason for the end of a session or of an attempt to open one.
type Cause uint8

// The causes, grouped by the step of a login in which they strike.
const (
	Unknown Cause = iota

	// Tunnel and call.
	TunnelLost        // the peer stopped acknowledging control messages
	TunnelClosed      // the peer closed the tunnel with StopCCN
	CallClosed        // the peer closed the call with CDN
	CallRefused       // we refused the call
	TunnelShutdown    // we closed the tunnel
	SetupTimeout      // the session was not open in time
	TooManySessions   // a limit of the configuration was reached
	PeerTerminated    // the peer ended the link with LCP Terminate-Request
	PeerClosedIPCP    // the peer closed IPCP and nothing else carries traffic
	LinkNoAnswer      // LCP Configure-Requests went unanswered
	LinkNotConverging // LCP could not agree
	LinkLooped        // our own magic number came back
	LinkRejected      // the peer rejected what a link cannot do without
	EchoLost          // LCP Echo-Requests went unanswered

	// Authentication.
	AuthenticationRefused     // the peer refuses every method that is offered
	AuthenticationNoAnswer    // the peer did not answer the challenge or send its name
	ChallengeNoAnswer         // the peer said who it is, and did not answer what it was then asked
	AuthenticationRejected    // the check said no
	AuthenticationUnavailable // the check could not be made
	AuthenticationTimeout     // the check took too long

	// Address and IPCP.
	NoAddress         // no pool has a free address
	AddressInUse      // the account's own address is held by another session
	NoPool            // neither account nor domain names an address or a pool
	AddressFault      // the allocator failed
	IPCPNoAnswer      // IPCP Configure-Requests went unanswered
	IPCPNotConverging // IPCP could not agree
	IPCPRejected      // the peer does not speak IPCP

	// Data path and life.
	DataPathFault  // the data path refused the session
	IdleTimeout    // no user traffic for the idle timeout
	SessionTimeout // the longest life of a session is over
	Kicked         // an administrator ended the session
	Requested      // somebody who may do so asked for the end, such as a RADIUS server
	AccountChanged // the account was deleted, disabled or changed
	Displaced      // the same account logged in again and needs its address
	Shutdown       // lnsgate is stopping
	causeCount
)

var sentences = [causeCount]string{
	Unknown:                   "no reason is known",
	TunnelLost:                "the peer no longer answers: its network is gone, or datagrams are lost on the way",
	TunnelClosed:              "the peer closed the tunnel",
	CallClosed:                "the peer closed the call",
	CallRefused:               "the call was refused",
	TunnelShutdown:            "the tunnel was closed by this side",
	SetupTimeout:              "the login was not complete in time",
	TooManySessions:           "a limit on sessions is reached",
	PeerTerminated:            "the peer hung up",
	PeerClosedIPCP:            "the peer closed IPCP: it has no use for an IPv4 address",
	LinkNoAnswer:              "the peer answers no LCP Configure-Request: what we send does not reach its PPP, or it has none running",
	LinkNotConverging:         "the peer and we could not agree on the link (LCP)",
	LinkLooped:                "the link is looped back: our own magic number came back",
	LinkRejected:              "the peer rejects LCP itself",
	EchoLost:                  "the peer answers no LCP Echo-Request: it is switched off, asleep or unreachable",
	AuthenticationRefused:     "the peer refuses every authentication method that this virtual template offers",
	AuthenticationNoAnswer:    "the peer did not say who it is",
	ChallengeNoAnswer:         "the peer did not answer a challenge in time: its user hesitates, or its program has given up",
	AuthenticationRejected:    "the login was rejected",
	AuthenticationUnavailable: "the login could not be checked",
	AuthenticationTimeout:     "the login could not be checked in time",
	NoAddress:                 "no free address is left",
	AddressInUse:              "the account's own address is in use by another session",
	NoPool:                    "neither the account nor its domain names an address or a pool",
	AddressFault:              "the address could not be leased",
	IPCPNoAnswer:              "the peer answers no IPCP Configure-Request",
	IPCPNotConverging:         "the peer and we could not agree on addresses (IPCP)",
	IPCPRejected:              "the peer does not speak IPCP: it wants no IPv4",
	DataPathFault:             "the data path could not be set up",
	IdleTimeout:               "no user traffic for the idle timeout",
	SessionTimeout:            "the session timeout is over",
	Kicked:                    "an administrator ended the session",
	Requested:                 "ended on request",
	AccountChanged:            "the account was deleted, disabled or changed",
	Displaced:                 "a newer login of the same account took its place",
	Shutdown:                  "lnsgate is stopping",
}

// String returns the cause as a sentence without a full stop.
func (c Cause) String() string {
	if c < causeCount {
		return sentences[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// Verdict is why something ended: the typed cause, and what is particular to this case. The detail is for the administrator; the
// peer never sees it.
type Verdict struct {
	Cause  Cause
	Detail string
}

// String returns the sentence, followed by the detail after a colon.
func (v Verdict) String() string {
	if v.Detail == "" {
		return v.Cause.String()
	}
	return v.Cause.String() + ": " + v.Detail
}

// Because makes a verdict with a formatted detail.
func Because(c Cause, format string, args ...any) Verdict {
	return Verdict{Cause: c, Detail: fmt.Sprintf(format, args...)}
}
