package lac

import (
	"fmt"
	"strings"
	"time"

	"lnsgate/lns/authenticate"
	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
)

// advice is what an administrator should look at, by cause. Causes that explain themselves have none.
var advice = [causeCount]string{
	CauseNoAnswer: "check the address; check that the server runs (ss -ulpn shows port 1701); check that no firewall " +
		"between here and there blocks UDP 1701, in either direction",
	CauseTunnelLost: "the server or the way to it failed after it had answered: look at its log, then at the network",
	CauseTunnelRefused: "the server's log says why it refused this client: a limit, or a rule about the host name that " +
		"this client gives (--host-name)",
	CauseTunnelSecret: "the tunnel secret here (--tunnel-secret) and the server's for this peer must be the same, or " +
		"absent on both sides",
	CauseCallRefused: "the tunnel is fine; the server's log says why it takes no further session (limits, no resources)",
	CauseLinkNoAnswer: "the control messages arrive, the data messages do not: look for a firewall that drops UDP with " +
		"changed content, or a server whose PPP did not start",
	CauseLinkDisagreement: "compare the Configure-Requests above with what the server wants (MRU, authentication)",
	CauseMethod:           "choose with --auth a method that the server offers; the LCP lines above show what it asked for",
	CauseNotAuthenticated: "the server let us in without asking who we are; --auth none accepts that",
	CauseWrongPassword: "check the name exactly as the server stores it (with or without @domain) and the password; the " +
		"server's log gives the true reason",
	CauseServerUnproven: "somebody else may be answering in the server's place, or the server stores another password " +
		"for this name",
	CauseLoginBroken:     "look at what the server's challenge says above; the password may have characters it cannot take",
	CauseLoginNoAnswer:   "the server's authentication back end may be slow or down: look at its log",
	CauseAddressNoAnswer: "the login was accepted; look at the server's log for the address pool of this domain",
	CauseNoIPCP:          "the server carries no IPv4 for this login: look at its virtual template and domain",
	CauseNoAddress:       "the login was accepted, but no address came: look at the pools of this domain, they may be used up",
	CauseTimeout:         "the last line above shows what was waited for; a longer --timeout helps only with a slow server",
}

// ended makes the account of an end.
func ended(stage Stage, cause Cause, byServer bool, format string, args ...any) Ended {
	return Ended{
		Stage: stage, Cause: cause, ByServer: byServer,
		Reason: fmt.Sprintf(format, args...), Advice: advice[cause],
	}
}

// callEnding puts the end of a call by the control connection into words.
func callEnding(stage Stage, a control.CallDown) Ended {
	words := a.Result.Words(l2tp.TypeCDN)
	switch {
	case !a.ByPeer:
		return ended(stage, CauseCallRefused, false, "the call could not go on: %s", words)
	case stage == StageCall:
		return ended(stage, CauseCallRefused, true, "the server refused the call (CDN): %s", words)
	default:
		return ended(stage, CauseCallClosed, true, "the server closed the call (CDN): %s", words)
	}
}

// tunnelEnding puts the end of the tunnel into words.
func (c *Caller) tunnelEnding(stage Stage, a control.TunnelDown) Ended {
	words := a.Result.Words(l2tp.TypeStopCCN)
	unauthorized := a.Result.Result == l2tp.StopCCNNotAuthorized
	switch {
	case a.Lost && !c.heard:
		return ended(stage, CauseNoAnswer, false, "the server did not answer our SCCRQ")
	case a.Lost:
		return ended(stage, CauseTunnelLost, false, "the server no longer answers")
	case stage == StageTunnel && unauthorized && a.ByPeer:
		return ended(stage, CauseTunnelSecret, true, "the server says that we may not open a tunnel (StopCCN): %s", words)
	case stage == StageTunnel && unauthorized:
		return ended(stage, CauseTunnelSecret, false, "the server did not prove that it knows the tunnel secret: %s", words)
	case stage == StageTunnel && a.ByPeer:
		return ended(stage, CauseTunnelRefused, true, "the server refused the tunnel (StopCCN): %s", words)
	case a.ByPeer:
		return ended(stage, CauseTunnelClosed, true, "the server closed the tunnel (StopCCN): %s", words)
	case stage == StageTunnel && !c.heard:
		return ended(stage, CauseNoAnswer, false, "the server did not answer our SCCRQ")
	default:
		return ended(stage, CauseTunnelRefused, false, "the tunnel could not go on: %s", words)
	}
}

// linkEnding reads from LCP why it is over.
func (l *link) linkEnding() ending {
	switch r := l.lcp.Reason(); r {
	case negotiate.PeerTerminated:
		return ending{cause: CausePeerHungUp, byServer: true, detail: ppp.Printable([]byte(l.lcp.PeerText()))}
	case negotiate.NoAnswer:
		return ending{cause: CauseLinkNoAnswer}
	case negotiate.EchoTimeout:
		return ending{cause: CauseEchoLost}
	case negotiate.AuthenticationRefused:
		return ending{cause: CauseMethod}
	case negotiate.ClosedByUs:
		return ending{cause: CauseClosedByUs}
	default:
		return ending{cause: CauseLinkDisagreement, detail: r.String()}
	}
}

// addressEnding reads from IPCP why it is over.
func (l *link) addressEnding() ending {
	switch r := l.ipcp.Reason(); r {
	case negotiate.NoAnswer:
		return ending{cause: CauseAddressNoAnswer}
	case negotiate.PeerTerminated:
		return ending{cause: CauseNoAddress, byServer: true, detail: "the server ended IPCP"}
	default:
		return ending{cause: CauseNoAddress, detail: r.String()}
	}
}

// loginEnding reads from the authentication why it failed.
func loginEnding(d *authenticate.Done) ending {
	detail := verdictWords(d.Message)
	switch d.Reason {
	case authenticate.NoAnswer:
		return ending{cause: CauseLoginNoAnswer, detail: detail}
	case authenticate.ServerNotProven:
		return ending{cause: CauseServerUnproven, detail: detail}
	case authenticate.Refused:
		return ending{cause: CauseWrongPassword, byServer: true, detail: detail}
	default:
		return ending{cause: CauseLoginBroken, detail: d.Reason.String()}
	}
}

// verdictWords reads what a server says about a login. MS-CHAPv2 wraps it (RFC 2759 section 6):
// "E=691 R=0 C=0123... V=3 M=Access denied".
func verdictWords(message string) string {
	text := ppp.Printable([]byte(message))
	if !strings.HasPrefix(text, "E=") {
		return text
	}
	code, _, _ := strings.Cut(text[2:], " ")
	words := "error " + code
	if known := mschapErrors[code]; known != "" {
		words += " (" + known + ")"
	}
	if _, said, ok := strings.Cut(text, " M="); ok && said != "" {
		words += ": " + said
	}
	return words
}

// mschapErrors are the codes of RFC 2759 section 6.
var mschapErrors = map[string]string{
	"646": "not allowed to log in at this hour",
	"647": "account disabled",
	"648": "password expired",
	"649": "no permission to dial in",
	"691": "name or password wrong",
	"709": "password could not be changed",
}

var linkSentences = map[Cause]string{
	CauseClosedByUs:       "we hung up",
	CauseLinkNoAnswer:     "the server does not answer our LCP Configure-Requests",
	CauseLinkDisagreement: "the server and we could not agree on the link",
	CauseMethod:           "the server and we have no authentication method in common",
	CauseNotAuthenticated: "the server does not ask who we are",
	CauseWrongPassword:    "the server refused the login",
	CauseServerUnproven:   "the server accepted the login but could not prove that it knows the password",
	CauseLoginBroken:      "the authentication could not be carried through",
	CauseLoginNoAnswer:    "the server neither accepted nor refused the login",
	CauseAddressNoAnswer:  "the server does not answer our IPCP Configure-Requests",
	CauseNoIPCP:           "the server rejects IPCP (Protocol-Reject)",
	CauseNoAddress:        "the server gave no address",
	CausePeerHungUp:       "the server hung up (LCP Terminate-Request)",
	CauseEchoLost:         "the server no longer answers LCP Echo-Requests",
}

// linkEnded puts the end of a link into words.
func linkEnded(stage Stage, e ending) Ended {
	reason := linkSentences[e.cause]
	if e.detail != "" {
		reason += ": " + e.detail
	}
	return ended(stage, e.cause, e.byServer, "%s", reason)
}

// timeout is the end of a login that took too long, named after what it waited for.
func (c *Caller) timeout(k *call) Ended {
	stage := k.stage(c)
	after := k.login.Timeout.Round(time.Second / 10)
	switch {
	case stage == StageTunnel && !c.heard:
		return ended(stage, CauseNoAnswer, false, "the server did not answer our SCCRQ within %s", after)
	case stage == StageTunnel:
		return ended(stage, CauseTimeout, false, "the tunnel was not open within %s", after)
	case stage == StageCall:
		return ended(stage, CauseTimeout, false, "the server did not take the call within %s", after)
	case stage == StageAuthentication:
		return ended(stage, CauseLoginNoAnswer, false, "the server neither accepted nor refused the login within %s", after)
	default:
		return ended(stage, CauseTimeout, false, "the login was not complete within %s", after)
	}
}
