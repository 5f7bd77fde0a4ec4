package main

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"lnsgate/aaa"
	"lnsgate/configs"
	"lnsgate/lns"
	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
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
