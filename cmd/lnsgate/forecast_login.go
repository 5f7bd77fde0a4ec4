package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/local"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/aaa/secret"
	"lnsgate/lns/admin"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
)

// ask has the gateway decide, past the registry that counts sessions. A password goes by the guard that delays guesses, where a wrong one
// counts as at a login: nobody guesses faster by testing.
func (f *forecast) ask(ctx context.Context) bool {
	if f.method == aaa.MethodNone {
		f.method = aaa.PAP
	}
	trail := &aaa.Trail{Now: time.Now}
	ctx = aaa.WithTrail(ctx, trail)
	var err error
	checks := f.test.Password != "" && f.checkable()
	if checks {
		f.request.Proof = f.proof(aaa.NewSecret(f.test.Password))
		unseen := f.request
		unseen.Peer = netip.AddrPort{}
		f.granted, err = f.guesses.Before(fromPeer{f.gateway, f.request.Peer}).Authenticate(ctx, &unseen)
	} else {
		f.request.Proof.InEAP = f.method == aaa.EAP
		f.granted, err = f.gateway.Authorize(ctx, &f.request)
	}
	f.out.Domain, f.out.Rule = trail.Domain, trail.Rule
	if trail.Domain != "" {
		f.note(trace.StageAuthentication, "domain", "%q: %s", trail.Domain, trail.Rule)
		if !f.accepts(err) {
			return false
		}
	}
	for _, one := range trail.Asked {
		f.asked(one, err == nil)
	}
	return f.decided(err, checks)
}

// fromPeer tells the next one where the login would come from. The guard does not hear of it: it is an operator who guesses, and no peer is to
// wait, or be banned, for that.
type fromPeer struct {
	aaa.Authenticator
	peer netip.AddrPort
}

func (f fromPeer) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	whole := *r
	whole.Peer = f.peer
	return f.Authenticator.Authenticate(ctx, &whole)
}

// checkable says whether a password can be checked here: the EAP of a RADIUS server ends there, after a conversation.
func (f *forecast) checkable() bool { return f.method != aaa.EAP || f.endsEAP(&f.request) }

// accepts says whether the domain takes the method, which it is asked before any back end is.
func (f *forecast) accepts(err error) bool {
	domains, _ := f.gateway.domains()
	i := slices.IndexFunc(domains, func(d aaa.Domain) bool { return d.Name == f.out.Domain })
	if i < 0 {
		return true
	}
	f.domain = domains[i]
	var no *aaa.Rejection
	if errors.As(err, &no) && no.Cause == aaa.DomainBlocked || len(f.domain.Methods) == 0 || slices.Contains(f.domain.Methods, f.method) {
		return true
	}
	return f.refuse(trace.StageAuthentication, "method", trace.Because(trace.MethodNotAllowed, "domain %q accepts only %v", f.domain.Name, f.domain.Methods))
}

func (f *forecast) asked(one aaa.Asked, granted bool) {
	detail := one.Answer
	if one.Server != "" {
		detail = fmt.Sprintf("%s (server %s)", detail, one.Server)
	}
	result := admin.Passed
	if one.Answer != "yes" {
		result = admin.Open
	}
	f.out.Steps = append(f.out.Steps, admin.ForecastStep{Stage: trace.StageAuthentication, What: "back end " + one.Backend, Result: result, Detail: detail, Took: one.Took})
}

// decided follows the answer of the gateway.
func (f *forecast) decided(err error, checked bool) bool {
	var more *aaa.Challenge
	var no *aaa.Rejection
	switch {
	case err == nil:
		f.out.Checked, f.out.Account, f.out.Backend = checked, f.granted.Account, f.granted.Backend
		if !checked {
			f.leave(trace.StageAuthentication, "password", "not checked: none was given")
		}
		return true
	case errors.As(err, &more):
		f.leave(trace.StageAuthentication, "password", "the RADIUS server wants to hear more of the peer; only a login tells")
		f.out.Verdict = trace.Because(trace.InProgress, "no rule refuses so far; the RADIUS server wants to hear more of the peer")
		return false
	case errors.As(err, &no) && no.Cause == aaa.OnlyAtLogin:
		f.out.Backend = no.Backend
		f.leave(trace.StageAuthentication, "password", "RADIUS group %q can be asked only with a password", no.Backend)
		f.out.Verdict = trace.Because(trace.InProgress, "no rule refuses so far; RADIUS group %q can be asked only with a password (--password-stdin)", no.Backend)
		return false
	}
	if errors.As(err, &no) {
		f.out.Backend = no.Backend
	}
	return f.refuse(trace.StageAuthentication, "login", session.LoginVerdict(err))
}

// proof is what a peer with that password would show.
func (f *forecast) proof(password aaa.Secret) aaa.Proof {
	method, inEAP := f.method, f.method == aaa.EAP
	if inEAP {
		method = aaa.MSCHAPv2 // as within PEAP, or EAP-MSCHAPv2
	}
	var nonce [16]byte
	challenge := make([]byte, 16)
	_, _ = rand.Read(nonce[:])
	_, _ = rand.Read(challenge)
	p := aaa.Proof{Method: method, InEAP: inEAP, Identifier: 1, Challenge: challenge}
	answer := secret.NewAnswerer(f.test.User, password, nonce)
	switch method {
	case aaa.CHAP:
		p.Response = answer.CHAP(p.Identifier, challenge)
	case aaa.MSCHAPv2:
		p.Response = answer.MSCHAPv2(challenge)
	default:
		p.Password, p.Challenge = answer.PAP(), nil
	}
	return p
}

// credential looks whether what is stored can check the method at all. A password that is surely wrong tells: it is refused for
// being wrong, or for being none that can be checked.
func (f *forecast) credential(ctx context.Context) bool {
	if f.out.Checked || f.out.Backend != local.Name && f.out.Backend != sqlaccounts.Name {
		return true
	}
	probe := f.request
	probe.Backend = f.out.Backend
	probe.Proof = f.proof(aaa.NewSecret(rand.Text()))
	_, err := f.gateway.Authenticate(ctx, &probe)
	var no *aaa.Rejection
	switch {
	case errors.As(err, &no) && no.Cause == aaa.WrongPassword:
		return f.note(trace.StageAuthentication, "credential", "what is stored of the password can check %s", f.method)
	case err != nil:
		return f.refuse(trace.StageAuthentication, "credential", session.LoginVerdict(err))
	}
	return f.note(trace.StageAuthentication, "credential", "any password is taken")
}

// counter tells how many sessions count towards limits.
type counter interface {
	Counted(ctx context.Context, account, domain string) (ofAccount, ofDomain int, err error)
}

// limits looks whether one more session may be.
func (f *forecast) limits(ctx context.Context) bool {
	d := &f.granted
	registry, ok := f.registry.(counter)
	if !ok || d.MaxSessions <= 0 && d.DomainSessions <= 0 {
		return f.note(trace.StageAuthentication, "limits", "none on the number of sessions")
	}
	ofAccount, ofDomain, err := registry.Counted(ctx, d.Account, d.Domain)
	if err != nil {
		return f.leave(trace.StageAuthentication, "limits", "sessions cannot be counted: %v", err)
	}
	for _, l := range []struct {
		what, name string
		have, most int
		cause      trace.Cause
	}{{"account", d.Account, ofAccount, d.MaxSessions, trace.AccountSessions}, {"domain", d.Domain, ofDomain, d.DomainSessions, trace.DomainSessions}} {
		switch {
		case l.most <= 0:
		case l.have < l.most:
			f.note(trace.StageAuthentication, "limits", "%s %q has %d of %d sessions", l.what, l.name, l.have, l.most)
		case d.SessionPolicy == aaa.ReplaceOld:
			f.note(trace.StageAuthentication, "limits", "%s %q has %d of %d sessions; the oldest gives way", l.what, l.name, l.have, l.most)
		default:
			return f.refuse(trace.StageAuthentication, "limits", trace.Because(l.cause, "%s %q has %d of %d", l.what, l.name, l.have, l.most))
		}
	}
	return true
}
