package session

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/authenticate"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// linkVerdict is why LCP ended.
func (s *Session) linkVerdict(r negotiate.Reason) trace.Verdict {
	causes := map[negotiate.Reason]trace.Cause{
		negotiate.PeerTerminated:        trace.PeerTerminated,
		negotiate.NoAnswer:              trace.LinkNoAnswer,
		negotiate.NotConverging:         trace.LinkNotConverging,
		negotiate.Loop:                  trace.LinkLooped,
		negotiate.MandatoryRejected:     trace.LinkRejected,
		negotiate.AuthenticationRefused: trace.AuthenticationRefused,
		negotiate.EchoTimeout:           trace.EchoLost,
	}
	v := trace.Verdict{Cause: causes[r], Detail: joined(trace.TerminateText(s.lcp.PeerText()), s.lcp.Detail())}
	switch {
	case r == negotiate.NoAnswer && s.lcp.Heard():
		v.Cause = trace.LinkOneWay
	case r == negotiate.AuthenticationRefused:
		v.Detail = joined(v.Detail, "offered: "+methodList(s.policy.Methods))
	}
	return v
}

func joined(parts ...string) string {
	var said []string
	for _, p := range parts {
		if p != "" {
			said = append(said, p)
		}
	}
	return strings.Join(said, "; ")
}

func methodList(methods []negotiate.AuthProtocol) string {
	var names []string
	for _, m := range methods {
		names = append(names, m.String())
	}
	return strings.Join(names, ", ")
}

// waited says that a peer which went of its own accord did so while it had to wait for us.
func (s *Session) waited(v trace.Verdict, now time.Time) trace.Verdict {
	switch {
	case !s.awaiting:
		return v
	case v.Cause != trace.PeerTerminated && v.Cause != trace.CallClosed && v.Cause != trace.TunnelClosed:
		return v
	}
	what := "the check of its login"
	if s.phase == Address {
		what = "an address"
	}
	after := now.Sub(s.way().askedAt).Round(100 * time.Millisecond)
	return trace.Verdict{Cause: trace.PeerGaveUp, Detail: joined(fmt.Sprintf("it had waited %s for %s", after, what), v.Detail)}
}

// answerVerdict is why an authenticator gave up by itself.
func answerVerdict(m aaa.Method, r authenticate.Reason) trace.Verdict {
	cause := trace.AuthenticationNoAnswer
	switch r {
	case authenticate.NoAuthenticatorResponse, authenticate.ServerMalformed, authenticate.ServerTooLong, authenticate.TooManyTurns:
		cause = trace.AuthenticationUnavailable
	case authenticate.ChallengeUnanswered:
		cause = trace.ChallengeNoAnswer
	case authenticate.MalformedAnswer:
		cause = trace.MalformedProof
	}
	return trace.Because(cause, "%s: %s", m, r)
}

// LoginVerdict says why a login was not granted: by the reason of the rejection, or else by its cause.
func LoginVerdict(err error) trace.Verdict {
	v := trace.Verdict{Cause: trace.AuthenticationUnavailable, Detail: err.Error()}
	var no *aaa.Rejection
	if !errors.As(err, &no) {
		return v
	}
	v = trace.Verdict{Cause: trace.AuthenticationRejected, Detail: no.Detail}
	if v.Detail == "" && no.Backend != "" {
		v.Detail = "so says back end " + no.Backend
	}
	if fine, known := causeOfReason[no.Reason]; known && !(no.Reason == aaa.EAPBrokeOff && no.Cause == aaa.Timeout) {
		v.Cause = fine
	} else if fine, known := causeOfRejection[no.Cause]; known {
		v.Cause = fine
	} else {
		v.Detail = err.Error()
	}
	return v
}

var causeOfReason = map[aaa.Reason]trace.Cause{
	aaa.NearMissDomain:    trace.NearMissDomain,
	aaa.NearMissName:      trace.NearMissName,
	aaa.NameDelayed:       trace.AccountDelayed,
	aaa.SourceDelayed:     trace.SourceDelayed,
	aaa.AccountBanned:     trace.AccountBanned,
	aaa.SourceBanned:      trace.SourceBanned,
	aaa.AccountSessions:   trace.AccountSessions,
	aaa.DomainSessions:    trace.DomainSessions,
	aaa.DatabaseAway:      trace.DatabaseAway,
	aaa.TooManyChecks:     trace.TooManyChecks,
	aaa.RADIUSNoAnswer:    trace.RADIUSNoAnswer,
	aaa.RADIUSWrongSecret: trace.RADIUSWrongSecret,
	aaa.RADIUSUnsigned:    trace.RADIUSUnsigned,
	aaa.RADIUSGrant:       trace.RADIUSGrant,
	aaa.EAPNoMethod:       trace.EAPNoMethod,
	aaa.EAPBrokeOff:       trace.EAPFailed,
	aaa.NoSuchPool:        trace.NoSuchPool,
	aaa.NoSuchFilter:      trace.NoSuchFilter,
	aaa.NoSuchTemplate:    trace.NoSuchTemplate,
	aaa.RouteTaken:        trace.RouteTaken,
	aaa.SealKeyMissing:    trace.SealKeyMissing,
}

var causeOfRejection = map[aaa.Cause]trace.Cause{
	aaa.UnknownUser:           trace.UnknownUser,
	aaa.WrongPassword:         trace.WrongPassword,
	aaa.AccountDisabled:       trace.AccountDisabled,
	aaa.AccountExpired:        trace.AccountExpired,
	aaa.UnknownDomain:         trace.UnknownDomain,
	aaa.DomainBlocked:         trace.DomainBlocked,
	aaa.MalformedName:         trace.MalformedName,
	aaa.MalformedProof:        trace.MalformedProof,
	aaa.MethodNotAllowed:      trace.MethodNotAllowed,
	aaa.NoCredentialForMethod: trace.NoCredentialForMethod,
	aaa.BackendUnavailable:    trace.AuthenticationUnavailable,
	aaa.Timeout:               trace.AuthenticationTimeout,
	aaa.SessionLimit:          trace.AccountSessions,
	aaa.TooManyFailures:       trace.AccountDelayed,
	aaa.Misconfigured:         trace.Misconfigured,
	aaa.Refused:               trace.RADIUSRefused,
}

// leaseVerdict is why there is no address. Of which domain the pools are is known to the session.
func (s *Session) leaseVerdict(err error) trace.Verdict {
	v := LeaseVerdict(err)
	if s.decision.Domain != "" && (v.Cause == trace.NoAddress || v.Cause == trace.NoPool) {
		v.Detail = "domain " + s.decision.Domain + ": " + v.Detail
	}
	return v
}

// LeaseVerdict says why there is no address, as a session would that asked.
func LeaseVerdict(err error) trace.Verdict {
	var exhausted *pool.ExhaustedError
	var inUse *pool.InUseError
	var reserved *pool.ReservedError
	var unknown *pool.UnknownPoolError
	cause := trace.AddressFault
	switch {
	case errors.As(err, &exhausted):
		cause = trace.NoAddress
	case errors.As(err, &inUse), errors.As(err, &reserved):
		cause = trace.AddressInUse
	case errors.As(err, &unknown):
		cause = trace.NoSuchPool
	case errors.Is(err, pool.ErrNoPool):
		cause = trace.NoPool
	}
	return trace.Verdict{Cause: cause, Detail: err.Error()}
}

// networkVerdict is why IPCP ended.
func (s *Session) networkVerdict(r negotiate.Reason) trace.Verdict {
	causes := map[negotiate.Reason]trace.Cause{
		negotiate.PeerTerminated:    trace.PeerClosedIPCP,
		negotiate.NoAnswer:          trace.IPCPNoAnswer,
		negotiate.NotConverging:     trace.IPCPNotConverging,
		negotiate.MandatoryRejected: trace.IPCPRejected,
	}
	return trace.Verdict{Cause: causes[r], Detail: joined(trace.TerminateText(s.ipcp.PeerText()), s.ipcp.Detail())}
}

// general is the coarse cause by which peers are told of a verdict that struck in this phase.
func general(c trace.Cause, in Phase) trace.Cause {
	if c == trace.NoSuchPool && in == Address {
		return trace.AddressFault // the peer has logged in already
	}
	return c.General()
}
