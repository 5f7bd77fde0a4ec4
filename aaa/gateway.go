package aaa

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Gateway chooses the domain of a request, walks the domain's chain of back ends and merges the grants. It is immutable
// and safe for concurrent use; a new configuration makes a new Gateway. It implements Authenticator.
type Gateway struct {
	domains  map[string]*Domain // by folded name and by folded alias
	chains   map[string][]Backend
	fallback string // the global default domain, "" = none
	possible func(*Decision) error
}

// question is one request on its way through the gateway: what is asked of a back end.
type question func(ctx context.Context, b Backend, q *Query) (Grant, error)

// Authenticate answers whether the peer is who it says and what it gets. The error is always a *Rejection, or for EAP a
// *Challenge.
func (g *Gateway) Authenticate(ctx context.Context, r *Request) (Decision, error) {
	return g.decide(ctx, r, methodAllowed, func(ctx context.Context, b Backend, q *Query) (Grant, error) {
		return b.Authenticate(ctx, q)
	})
}

// Authorize answers whether the account is still there and what it would get, without looking at the proof. The error
// is always a *Rejection.
func (g *Gateway) Authorize(ctx context.Context, r *Request) (Decision, error) {
	return g.decide(ctx, r, provenElsewhere, func(ctx context.Context, b Backend, q *Query) (Grant, error) {
		return b.Authorize(ctx, q)
	})
}

// First names the back end that would be asked first about a request, "" when none would.
func (g *Gateway) First(r *Request) string {
	id, err := ParseIdentity(r.Name)
	if err != nil {
		return ""
	}
	domain, _, rejection := g.choose(r, id)
	if rejection != nil {
		return ""
	}
	chain, rejection := from(g.chains[domain.Name], r)
	if rejection != nil || len(chain) == 0 {
		return ""
	}
	return chain[0].Name()
}

func (g *Gateway) decide(ctx context.Context, r *Request, policy func(*Domain, *Request) *Rejection, ask question) (Decision, error) {
	id, err := ParseIdentity(r.Name)
	if err != nil {
		return Decision{}, &Rejection{Cause: MalformedName, Detail: err.Error(), Err: err}
	}
	domain, rule, rejection := g.choose(r, id)
	if rejection != nil {
		return Decision{}, rejection
	}
	TrailOf(ctx).chose(domain.Name, rule)
	if domain.Blocked {
		return Decision{}, &Rejection{Cause: DomainBlocked, Detail: "nobody of this domain may log in now", Domain: domain.Name, Rule: rule}
	}
	if rejection := policy(domain, r); rejection != nil {
		rejection.Domain, rejection.Rule = domain.Name, rule
		return Decision{}, rejection
	}
	q := &Query{Request: r, Identity: id, Domain: domain.Name}
	reject := func(r *Rejection) (Decision, error) {
		r.Domain, r.Rule = domain.Name, rule
		return Decision{}, r
	}
	answer := g.walk(ctx, domain, q, ask)
	switch {
	case answer.challenge != nil:
		return Decision{}, answer.challenge
	case answer.rejection != nil:
		return reject(answer.rejection)
	}
	d := merge(q, domain, answer.backend, rule, answer.grant)
	if g.possible == nil {
		return d, nil
	}
	if err := g.possible(&d); err != nil {
		return reject(impossible(&d, err))
	}
	return d, nil
}

// impossible is the rejection of a grant that cannot be honoured, for the reason that the error gives if it is a *Rejection.
func impossible(d *Decision, err error) *Rejection {
	own := Rejection{Cause: Misconfigured, Detail: err.Error(), Backend: d.Backend, Err: err}
	var why *Rejection
	if errors.As(err, &why) {
		own.Detail, own.Reason = why.Detail, why.Reason
	}
	return &own
}

// methodAllowed checks the method of a request against the domain. A request without any proof is never allowed.
func methodAllowed(d *Domain, r *Request) *Rejection {
	m := r.Proof.Method
	if m == MethodNone {
		return Reject(MethodNotAllowed, "the peer gave no proof of who it is")
	}
	if r.Proof.InEAP {
		m = EAP
	}
	return accepts(d, r, m)
}

// provenElsewhere lets a request through whose proof was checked before, and what came by EAP only if the domain accepts that.
func provenElsewhere(d *Domain, r *Request) *Rejection {
	if r.Proof.InEAP {
		return accepts(d, r, EAP)
	}
	return nil
}

// accepts rejects a method that is not among those of the domain.
func accepts(d *Domain, r *Request, m Method) *Rejection {
	if len(d.Methods) > 0 && !slices.Contains(d.Methods, m) {
		return Reject(MethodNotAllowed, "the peer used %s, domain %q accepts only %s; "+
			"change the domain's methods or what virtual template %q offers", m, d.Name, methodList(d.Methods), r.VirtualTemplate)
	}
	return nil
}

func methodList(methods []Method) string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = m.String()
	}
	return strings.Join(names, ", ")
}

// answer is how a walk along a chain ended: with one of a grant, a challenge or a rejection.
type answer struct {
	grant     Grant
	backend   string // of the grant
	challenge *Challenge
	rejection *Rejection
}

// walk asks the back ends of the chain in order: the next one on UnknownUser, an end on any other rejection, and on an
// error an end unless the domain continues on errors. If a back end that could not be asked was passed over, nobody can
// say that the user is unknown, so the answer is then that back end's error.
func (g *Gateway) walk(ctx context.Context, d *Domain, q *Query, ask question) answer {
	var failed, unknown *Rejection
	chain, rejection := from(g.chains[d.Name], q.Request)
	if rejection != nil {
		return answer{rejection: rejection}
	}
	trail := TrailOf(ctx)
	for _, b := range chain {
		if err := ctx.Err(); err != nil {
			return answer{rejection: failure(ctx, b, err)}
		}
		began := trail.begin()
		grant, err := ask(ctx, b, q)
		trail.end(began, b.Name(), err)
		if err == nil {
			return answer{grant: grant, backend: b.Name()}
		}
		if c := challengeOf(b, err); c != nil {
			return answer{challenge: c}
		}
		switch r := rejectionOf(ctx, b, err); {
		case r.Cause == UnknownUser:
			unknown = joinUnknown(unknown, r)
		case r.Retryable() && d.ContinueOnError:
			failed = r
		default:
			return answer{rejection: r}
		}
	}
	if failed != nil {
		return answer{rejection: failed}
	}
	return answer{rejection: unknown}
}

// from cuts the chain to where the request wants it to begin. A conversation goes on with the back end that leads it and no other.
func from(chain []Backend, r *Request) ([]Backend, *Rejection) {
	if r.Backend == "" {
		return chain, nil
	}
	i := slices.IndexFunc(chain, func(b Backend) bool { return b.Name() == r.Backend })
	switch {
	case i >= 0 && len(r.Proof.State) > 0:
		return chain[i : i+1], nil
	case i >= 0:
		return chain[i:], nil
	}
	rejection := Reject(UnknownUser, "back end %q, which knew the user, is no longer asked for this domain", r.Backend)
	rejection.Backend = r.Backend
	return nil, rejection
}

// challengeOf returns the challenge that a back end answered with, or nil.
func challengeOf(b Backend, err error) *Challenge {
	var c *Challenge
	if !errors.As(err, &c) {
		return nil
	}
	own := *c
	own.Backend = b.Name()
	return &own
}

// rejectionOf turns what a back end returned into a rejection of our own that names the back end.
func rejectionOf(ctx context.Context, b Backend, err error) *Rejection {
	var r *Rejection
	if !errors.As(err, &r) {
		return failure(ctx, b, err)
	}
	own := *r // the back end may share one value between requests
	own.Backend = b.Name()
	return &own
}

// failure is the rejection for a back end that could not be asked.
func failure(ctx context.Context, b Backend, err error) *Rejection {
	cause := BackendUnavailable
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		cause = Timeout
	}
	r := Reject(cause, "back end %q: %v", b.Name(), err)
	if cause == Timeout && (err == context.DeadlineExceeded || err == context.Canceled) {
		r.Detail = fmt.Sprintf("back end %q has not answered in time", b.Name())
	}
	r.Backend, r.Err = b.Name(), err
	return r
}

// joinUnknown adds the detail of one more back end that does not know the user.
func joinUnknown(before, r *Rejection) *Rejection {
	if before == nil {
		return r
	}
	r.Backend, r.Reason = before.Backend+", "+r.Backend, first(before.Reason, r.Reason)
	if before.Detail != "" && r.Detail != "" {
		r.Detail = before.Detail + "; " + r.Detail
	} else {
		r.Detail = before.Detail + r.Detail
	}
	return r
}
