package session

import (
	"cmp"
	"errors"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/authenticate"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
)

// authenticate asks the peer who it is, by the protocol that LCP has agreed on.
func (s *Session) authenticate(now time.Time, out *Out) {
	s.phase = Authentication
	s.method = s.lcp.Result().Authentication.Method()
	if s.method == aaa.MethodNone {
		s.Close(trace.Because(trace.AuthenticationRefused, "the link came up without an authentication protocol"), now, out)
		return
	}
	s.auth = authenticate.NewAuthenticator(s.authConfig())
	s.stepAuth(out, now, func(o *authenticate.Out) { s.auth.Start(now, o) })
	s.replay(now, out)
}

func (s *Session) authConfig() authenticate.Config {
	s.challengeID++ // an answer to an earlier challenge must not pass for one to this
	challenge := make([]byte, 16)
	s.fill(challenge)
	return authenticate.Config{
		Protocol:   s.method,
		LocalName:  s.policy.LocalName,
		Challenge:  challenge,
		Identifier: s.challengeID,
		Timeout:    s.patience(),
		PeerMRU:    int(s.lcp.Result().PeerMRU),
	}
}

// patience is how long one answer of an EAP peer may take. A peer of the other methods has all it needs at hand.
func (s *Session) patience() time.Duration {
	if s.method != aaa.EAP {
		return 0
	}
	return s.policy.CheckTimeout
}

// authenticateByProxy has the answer checked that the LAC has collected (RFC 2661 section 4.4.5). It says false when there is
// none, or one of a kind that this virtual template does not offer: the peer is asked again then.
func (s *Session) authenticateByProxy(p l2tp.ProxyAuth, now time.Time, out *Out) bool {
	method, known := proxyMethod(p)
	if !known || !offers(s.policy.Methods, method) {
		return false
	}
	s.method = method
	auth := authenticate.NewAuthenticator(s.authConfig())
	var o authenticate.Out
	if !auth.Adopt(authenticate.Collected{Name: p.Name, Identifier: p.ID, Challenge: p.Challenge, Response: ppp.Secret(p.Response)}, now, &o) {
		return false
	}
	s.phase, s.auth = Authentication, auth
	s.followAuth(o, now, out)
	return true
}

// stepAuth lets the authenticator act and follows what changed.
func (s *Session) stepAuth(out *Out, now time.Time, act func(*authenticate.Out)) {
	var o authenticate.Out
	act(&o)
	s.followAuth(o, now, out)
}

func (s *Session) followAuth(o authenticate.Out, now time.Time, out *Out) {
	out.Frames = append(out.Frames, o.Frames...)
	if o.Ask != nil {
		s.name = o.Ask.Name
		if s.name == "" && s.method == aaa.EAP {
			s.name = s.caller // RFC 3579 section 2.1
		}
		s.grant(now.Add(cmp.Or(s.policy.CheckTimeout, authenticate.DefaultTimeout)))
		out.Ask = &Ask{Generation: s.await(now), Name: s.name, Proof: o.Ask.Proof, Backend: o.Ask.Backend, MTU: int(s.lcp.Result().PeerMRU)}
	}
	if o.Done != nil && !o.Done.OK && s.phase == Authentication {
		v := answerVerdict(s.method, o.Done.Reason)
		told := v.Cause
		if told == trace.MalformedProof {
			told = trace.AuthenticationNoAnswer
		}
		s.closeAs(v, told, now, out)
	}
}

// grant puts off the end of the setup time: a wait with a bound of its own ends only then, and half of the time is for what
// comes after it. What all such waits of a login may take together is bounded.
func (s *Session) grant(until time.Time) {
	if w := s.moving(); !w.setupBy.IsZero() {
		w.setupBy = latest(w.setupBy, earliest(until.Add(s.policy.SetupTimeout/2), w.grantBy))
	}
}

// maxGrant is enough for a person to answer a few questions in a row.
const maxGrant = 5 * time.Minute

// await numbers the answer that is now due; older ones are stale from here on.
func (s *Session) await(now time.Time) uint32 {
	s.generation++
	s.awaiting, s.moving().askedAt = true, now
	return s.generation
}

// arrived says whether an answer is the one that is awaited.
func (s *Session) arrived(generation uint32) bool {
	if !s.Awaits(generation) {
		return false
	}
	s.awaiting = false
	return true
}

// Awaits says whether the answer to the question of this generation is still wanted.
func (s *Session) Awaits(generation uint32) bool { return s.awaiting && generation == s.generation }

// AwaitsLease says whether the session waits for the answer to an AddressAsk.
func (s *Session) AwaitsLease() bool { return s.phase == Address && s.awaiting }

// Authenticated takes the answer to an Ask: the decision, or an error, which for EAP may be an *aaa.Challenge. A stale one
// changes nothing.
func (s *Session) Authenticated(generation uint32, d aaa.Decision, err error, now time.Time, out *Out) {
	if s.phase != Authentication || !s.arrived(generation) {
		return
	}
	var c *aaa.Challenge
	switch {
	case errors.As(err, &c) && s.method == aaa.EAP:
		s.challenge(c, now, out)
		return
	case c != nil:
		err = aaa.Reject(aaa.BackendUnavailable, "back end %q has a question to the peer, for which %s has no room", c.Backend, s.method)
	}
	if err != nil {
		s.reject(err, now, out)
		return
	}
	s.decision = d
	s.stepAuth(out, now, func(o *authenticate.Out) {
		s.auth.Resolve(authenticate.Result{OK: true, Reply: d.Reply, Message: d.Message, Packet: d.Packet}, now, o)
	})
	if s.phase != Authentication {
		return // the verdict could not be given to the peer
	}
	s.phase = Address
	s.giveBackUnfit(out)
	if s.provided() {
		s.negotiateNetworks(now, out)
		return
	}
	s.askAddress(now, out)
}

// giveBackUnfit gives back what the session holds from before a renegotiation and does not serve the account that has now logged
// in, or the link as it is now. What serves stays: of two families only one may have to change.
func (s *Session) giveBackUnfit(out *Out) {
	if s.lease.Address.IsValid() && !s.fits(&s.decision) {
		s.returnAddress(out)
	}
	if s.hasPrefix() && !s.fitsIPv6(&s.decision) {
		s.returnPrefixes(out)
	}
}

// challenge has the peer answer what the back end wants to know, for as long as that wants to wait.
func (s *Session) challenge(c *aaa.Challenge, now time.Time, out *Out) {
	s.stepAuth(out, now, func(o *authenticate.Out) { s.auth.Challenge(c, now, o) })
	if s.phase == Authentication {
		s.grant(s.auth.Patience())
	}
}

// reject tells the peer no, in the same words for every reason unless the back end has some for the peer, and the log why.
func (s *Session) reject(err error, now time.Time, out *Out) {
	s.conclude(LoginVerdict(err))
	s.phase = Closing // the peer's own reaction must not overwrite the verdict
	s.stepAuth(out, now, func(o *authenticate.Out) { s.auth.Resolve(s.refusal(err), now, o) })
	auth := s.auth
	s.closeLink(now, out)
	s.auth = auth // the no may be lost, and the peer ask again
}

// refusal is what the peer is told of a no.
func (s *Session) refusal(err error) authenticate.Result {
	var no *aaa.Rejection
	if !errors.As(err, &no) {
		return authenticate.Result{}
	}
	r := authenticate.Result{Packet: no.Packet}
	if s.method == aaa.MSCHAPv2 {
		r.Reply = no.Reply
		if no.Proven && s.policy.ExplainRefusals {
			r.MSCHAPError = windowsError(no.Cause)
		}
	} else {
		r.Message = no.Reply
	}
	return r
}

// windowsError is what a Windows PC explains to its user (RFC 2759 section 6). Only who has shown that he knows the
// password is told more than that the login failed.
func windowsError(c aaa.Cause) int {
	switch c {
	case aaa.AccountDisabled:
		return authenticate.ErrorAccountDisabled
	case aaa.AccountExpired:
		return authenticate.ErrorRestrictedLogonHours
	case aaa.DomainBlocked, aaa.MethodNotAllowed, aaa.SessionLimit:
		return authenticate.ErrorNoDialinPermission
	}
	return authenticate.ErrorAuthenticationFailure
}

// fits says whether the address from before a renegotiation serves the account that has now logged in.
func (s *Session) fits(d *aaa.Decision) bool {
	return s.wantsIPv4() && s.lease.Account == d.Account && (!d.Address.IsValid() || d.Address == s.lease.Address)
}

// proxyMethod reads the Proxy Authen Type (RFC 2661 section 4.4.5). MS-CHAPv2 has no number there.
func proxyMethod(p l2tp.ProxyAuth) (aaa.Method, bool) {
	if !p.Present || p.Name == "" {
		return aaa.MethodNone, false
	}
	switch p.Type {
	case l2tp.ProxyAuthCHAP:
		return aaa.CHAP, true
	case l2tp.ProxyAuthPAP:
		return aaa.PAP, true
	default:
		return aaa.MethodNone, false
	}
}

func offers(methods []negotiate.AuthProtocol, m aaa.Method) bool {
	for _, p := range methods {
		if p.Method() == m {
			return true
		}
	}
	return false
}
