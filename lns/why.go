package lns

import (
	"time"

	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/trace"
)

// causeOfTunnel is what a tunnel went down of, where its result code does not tell.
var causeOfTunnel = map[control.Why]trace.Cause{
	control.WhyVersion:       trace.ProtocolVersion,
	control.WhyMalformed:     trace.MalformedMessage,
	control.WhySecretWrong:   trace.TunnelSecretWrong,
	control.WhySecretMissing: trace.TunnelSecretMissing,
	control.WhySecretRefused: trace.TunnelSecretRefused,
	control.WhySecretUnknown: trace.TunnelSecretUnknown,
	control.WhyUnanswered:    trace.TunnelNoAnswer,
	control.WhyNotConnected:  trace.SetupTimeout,
}

func tunnelVerdict(a control.TunnelDown) trace.Verdict {
	words := a.Result.Words(l2tp.TypeStopCCN)
	switch cause, known := causeOfTunnel[a.Why]; {
	case known && a.ByPeer:
		return trace.Verdict{Cause: cause, Detail: words}
	case known:
		return trace.Verdict{Cause: cause, Detail: a.Result.Message}
	case a.Lost:
		return trace.Verdict{Cause: trace.TunnelLost}
	case a.ByPeer:
		return trace.Verdict{Cause: trace.TunnelClosed, Detail: words}
	default:
		return trace.Verdict{Cause: trace.TunnelShutdown, Detail: words}
	}
}

// causeOfCall is the same for calls.
var causeOfCall = map[control.Why]trace.Cause{
	control.WhyMalformed:    trace.MalformedMessage,
	control.WhyNotConnected: trace.CallNotConnected,
	control.WhyTooManyCalls: trace.TunnelSessions,
}

func callVerdict(a control.CallDown) trace.Verdict {
	words := a.Result.Words(l2tp.TypeCDN)
	switch cause, known := causeOfCall[a.Why]; {
	case a.ByPeer && a.Cause != nil:
		return trace.Because(trace.CallClosed, "%s, PPP disconnect cause %d %q", words, a.Cause.Code, a.Cause.Message)
	case a.ByPeer:
		return trace.Verdict{Cause: trace.CallClosed, Detail: words}
	case known:
		return trace.Verdict{Cause: cause, Detail: a.Result.Message}
	default:
		return trace.Verdict{Cause: trace.CallRefused, Detail: words}
	}
}

// callDown follows the end of a call. One that the tunnel itself has refused has no session yet.
func (t *tunnel) callDown(a control.CallDown, now time.Time) {
	v := callVerdict(a)
	if c := t.calls[a.Session]; c != nil {
		c.lost(v, now)
		return
	}
	if a.Why != control.WhyTooManyCalls {
		return
	}
	t.server.chatter.warn(t.log, "call refused", "cause", v.String())
	if story := t.begin(now); story != nil && story.End(now, v) {
		t.server.logStranger(t, story, v, now)
	}
}
