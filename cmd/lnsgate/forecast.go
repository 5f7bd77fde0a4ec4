package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/local"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/aaa/secret"
	"lnsgate/configs"
	"lnsgate/lns"
	"lnsgate/lns/admin"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// forecast is one login that is decided about without being one: nothing is leased, counted, recorded or delayed by it.
type forecast struct {
	*node
	test     admin.LoginTest
	inForce  *configs.Config
	engine   *lns.Config
	template *lns.Template
	request  aaa.Request
	domain   aaa.Domain
	method   aaa.Method
	granted  aaa.Decision
	out      admin.LoginForecast
}

// testLogin tells what would become of a login: every decision in order, up to the first rule that would refuse.
func (n *node) testLogin(ctx context.Context, test admin.LoginTest) (admin.LoginForecast, error) {
	f := &forecast{node: n, test: test}
	n.mu.Lock()
	f.inForce, f.engine = n.config, n.engineConfig(n.config)
	timeout, tunnels := n.config.Limits.AuthenticationTimeout, n.config.L2TP()
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := f.readMethod(); err != nil {
		return f.out, err
	}
	steps := []func(context.Context) bool{f.identity, f.way, f.ask, f.credential, f.limits, f.network, f.address}
	if !tunnels {
		steps = slices.Delete(steps, 1, 2)
	}
	for _, step := range steps {
		if !step(ctx) {
			return f.out, nil
		}
	}
	if f.out.Verdict.Cause == trace.Unknown {
		f.out.Verdict.Cause = trace.LoggedIn
	}
	return f.out, nil
}

var testMethods = map[string]aaa.Method{"": aaa.MethodNone, "pap": aaa.PAP, "chap": aaa.CHAP, "mschapv2": aaa.MSCHAPv2, "eap": aaa.EAP}

func (f *forecast) readMethod() error {
	m, known := testMethods[strings.ToLower(f.test.Method)]
	if !known {
		return &admin.Error{Status: http.StatusBadRequest, Message: fmt.Sprintf("there is no method %q", f.test.Method), Hint: "the methods are pap, chap, mschapv2 and eap"}
	}
	f.method = m
	return nil
}

// note adds a step, and says that the way goes on.
func (f *forecast) note(stage trace.Stage, what, format string, args ...any) bool {
	f.out.Steps = append(f.out.Steps, admin.ForecastStep{Stage: stage, What: what, Result: admin.Passed, Detail: fmt.Sprintf(format, args...)})
	return true
}

// leave adds a step that only a real login decides.
func (f *forecast) leave(stage trace.Stage, what, format string, args ...any) bool {
	f.note(stage, what, format, args...)
	f.out.Steps[len(f.out.Steps)-1].Result = admin.Open
	return true
}

// refuse adds the step that ends it, and says so.
func (f *forecast) refuse(stage trace.Stage, what string, v trace.Verdict) bool {
	f.note(stage, what, "%s", v)
	f.out.Steps[len(f.out.Steps)-1].Result = admin.Refused
	f.out.Verdict = v
	return false
}

func (f *forecast) identity(context.Context) bool {
	id, err := aaa.ParseIdentity(f.test.User)
	if err != nil {
		return f.refuse(trace.StageAuthentication, "identity", trace.Because(trace.MalformedName, "%v", err))
	}
	f.request = aaa.Request{
		Attempt: "test-login", Session: "test-login", Name: f.test.User, TunnelName: f.test.HostName, ForcedDomain: f.test.Domain,
		Peer: netip.AddrPortFrom(f.test.From, 1701),
	}
	if id.Domain == "" {
		return f.note(trace.StageAuthentication, "identity", "the user %q, without a domain", id.User)
	}
	return f.note(trace.StageAuthentication, "identity", "the user %q of the domain %q", id.User, id.Domain)
}

// way finds the l2tp group and the virtual template that the peer would come by.
func (f *forecast) way(context.Context) bool {
	group := f.group()
	if group == nil && f.test.Group != "" {
		return f.refuse(trace.StageTunnel, "l2tp group", trace.Because(trace.NoGroup, "there is no l2tp group %q", f.test.Group))
	}
	if group == nil {
		return f.refuse(trace.StageTunnel, "l2tp group", trace.Because(trace.NoGroup, "a peer from %v with the host name %q", f.test.From, f.test.HostName))
	}
	f.out.Group, f.out.Template = group.Name, group.Template
	f.request.Group, f.request.VirtualTemplate, f.request.DefaultDomain = group.Name, group.Template, group.DefaultDomain
	if f.request.ForcedDomain == "" {
		f.request.ForcedDomain = group.Domain
	}
	f.note(trace.StageTunnel, "l2tp group", "%q, by which the peer is on virtual template %q", group.Name, group.Template)
	i := slices.IndexFunc(f.engine.Templates, func(t lns.Template) bool { return t.Name == group.Template })
	if i < 0 {
		return f.refuse(trace.StageTunnel, "virtual template", trace.Because(trace.NoSuchTemplate, "%q", group.Template))
	}
	f.template = &f.engine.Templates[i]
	return f.offered()
}

func (f *forecast) group() *lns.Group {
	if f.test.Group == "" {
		return f.engine.Match(f.test.HostName, f.test.From)
	}
	i := slices.IndexFunc(f.engine.Groups, func(g lns.Group) bool { return g.Name == f.test.Group })
	if i < 0 {
		return nil
	}
	return &f.engine.Groups[i]
}

// offered looks at what the virtual template offers. Without a method asked for the first one that it offers counts.
func (f *forecast) offered() bool {
	var names []string
	for _, m := range f.template.Methods {
		names = append(names, m.String())
	}
	list := strings.Join(names, ", ")
	if f.method == aaa.MethodNone {
		f.method = f.template.Methods[0]
		return f.leave(trace.StageLink, "method", "virtual template %q offers %s; looked at is %s", f.template.Name, list, f.method)
	}
	if !slices.Contains(f.template.Methods, f.method) {
		return f.refuse(trace.StageLink, "method", trace.Because(trace.AuthenticationRefused, "%s is asked for, and virtual template %q offers %s", f.method, f.template.Name, list))
	}
	return f.note(trace.StageLink, "method", "virtual template %q offers %s", f.template.Name, list)
}

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

// network looks at what the session would be attached to.
func (f *forecast) network(ctx context.Context) bool {
	d := &f.granted
	f.out.Template = d.VirtualTemplate
	if d.VirtualTemplate != "" && !f.engine.HasTemplate(d.VirtualTemplate) {
		return f.refuse(trace.StageAuthentication, "virtual template", trace.Because(trace.NoSuchTemplate, "%q", d.VirtualTemplate))
	}
	if d.Filter != "" {
		f.note(trace.StageAuthentication, "filter", "%q", d.Filter)
	}
	if len(d.Routes) > 0 {
		if err := f.node.engine.CheckRoutes(ctx, d.Account, f.test.From, d.Routes); err != nil {
			return f.refuse(trace.StageAuthentication, "routes", session.LoginVerdict(err))
		}
		f.note(trace.StageAuthentication, "routes", "%d networks behind the peer are free", len(d.Routes))
	}
	f.out.Attributes = f.attributes(ctx)
	return true
}

// address looks which one would be leased, or from which pool.
func (f *forecast) address(ctx context.Context) bool {
	d := &f.granted
	request := pool.Request{Pools: d.Pools, Account: d.Account, Address: d.Address, Holder: "test-login"}
	lease, err := f.addressBook().forecast(ctx, request)
	var inUse *pool.InUseError
	switch {
	case errors.As(err, &inUse) && f.givesWay(inUse.Holder):
		f.out.Address, f.out.Why = inUse.Address, "the account's own address; its session "+inUse.Holder+" gives way"
		return f.note(trace.StageAddress, "address", "%v is held by session %s of the same account, which gives way", inUse.Address, inUse.Holder)
	case err != nil:
		return f.refuse(trace.StageAddress, "address", session.LeaseVerdict(err))
	}
	f.out.Address, f.out.Pool, f.out.Why = lease.Address, lease.Pool, lease.Why
	if lease.Address.IsValid() {
		return f.note(trace.StageAddress, "address", "%v: %s", lease.Address, lease.Why)
	}
	return f.note(trace.StageAddress, "address", "%s%s", lease.Why, f.fullness(ctx, lease.Pool))
}

// givesWay says whether a session is one of the same account: a remnant of a connection that broke.
func (f *forecast) givesWay(holder string) bool {
	for _, s := range f.node.engine.Sessions() {
		if s.UID == holder {
			return s.Account == f.granted.Account
		}
	}
	return false
}

func (f *forecast) fullness(ctx context.Context, name string) string {
	usages, _ := f.pools.Usage(ctx) // what can be told
	for _, u := range usages {
		if u.Pool == name {
			return fmt.Sprintf("; %d of %d are free", u.Free(), u.Size)
		}
	}
	return ""
}
