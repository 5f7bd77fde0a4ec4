package radius

import (
	"context"
	"errors"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/dialect"
)

// Config is what a Backend is made of.
type Config struct {
	Name         string // of the group, as chains name it
	Group        Exchanger
	NAS          NAS
	Names        NameForm
	LeastInterim time.Duration // a server that asks for interim records more often gets them this often; 0 = 60 s
}

// defaultLeastInterim is the least of RFC 2869 section 5.16.
const defaultLeastInterim = time.Minute

// Backend is a group of RADIUS servers as a store of accounts. It implements aaa.Backend.
type Backend struct{ config Config }

var _ aaa.Backend = (*Backend)(nil)

// New makes a back end.
func New(c Config) (*Backend, error) {
	if c.Name == "" || c.Group == nil {
		return nil, errors.New("a RADIUS back end needs a name and a group of servers")
	}
	if c.LeastInterim <= 0 {
		c.LeastInterim = defaultLeastInterim
	}
	return &Backend{c}, nil
}

// Name is the name of the group.
func (b *Backend) Name() string { return b.config.Name }

// Authenticate asks a server. An answer that begins or goes on with a conversation is a *aaa.Challenge.
func (b *Backend) Authenticate(ctx context.Context, q *aaa.Query) (aaa.Grant, error) {
	if rejection := checkProof(&q.Request.Proof); rejection != nil {
		return aaa.Grant{}, rejection
	}
	server, state, rejection := openState(q.Request.Proof.State)
	if rejection != nil {
		return aaa.Grant{}, rejection
	}
	reply, err := b.config.Group.Exchange(ctx, client.Request{
		Code:   radius.CodeAccessRequest,
		Build:  func(p *radius.Packet) error { return b.build(p, q, state) },
		Server: server,
	})
	if err != nil {
		return aaa.Grant{}, unanswered(ctx, err)
	}
	aaa.TrailOf(ctx).AnsweredBy(reply.Who(), reply.Took, reply.Sendings)
	switch reply.Packet.Code {
	case radius.CodeAccessAccept:
		return b.accept(q, reply)
	case radius.CodeAccessChallenge:
		return aaa.Grant{}, challenge(q, reply)
	case radius.CodeAccessReject:
		return aaa.Grant{}, refuse(q, reply)
	}
	return aaa.Grant{}, aaa.Reject(aaa.BackendUnavailable, "RADIUS server %s answered with %v", reply.Who(), reply.Packet.Code)
}

// Authorize cannot tell: a RADIUS server knows a user only together with a proof.
func (b *Backend) Authorize(context.Context, *aaa.Query) (aaa.Grant, error) {
	return aaa.Grant{}, aaa.Reject(aaa.OnlyAtLogin, "RADIUS servers are asked when a user logs in")
}

// unanswered is the rejection for a request that nobody answered. The client's error names the servers that were tried.
func unanswered(ctx context.Context, err error) *aaa.Rejection {
	cause := aaa.BackendUnavailable
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		cause = aaa.Timeout
	}
	rejection := aaa.Reject(cause, "%v", err).For(silence(err))
	rejection.Err = err
	return rejection
}

// silence says what kind of no answer it was.
func silence(err error) aaa.Reason {
	switch {
	case errors.Is(err, client.ErrForged):
		return aaa.RADIUSWrongSecret
	case errors.Is(err, client.ErrUnsigned):
		return aaa.RADIUSUnsigned
	case errors.Is(err, client.ErrBusy) && !errors.Is(err, client.ErrSilent):
		return aaa.TooManyChecks
	case errors.Is(err, client.ErrSilent), errors.Is(err, client.ErrConnection), errors.Is(err, client.ErrNoServer),
		errors.Is(err, context.DeadlineExceeded):
		return aaa.RADIUSNoAnswer
	}
	return aaa.ReasonNone
}

// accept reads a yes.
func (b *Backend) accept(q *aaa.Query, reply client.Reply) (aaa.Grant, error) {
	foreign, packet := q.Request.NAS != nil, reply.Packet
	if foreign {
		packet = withoutPolicy(packet)
	}
	grant, err := dialect.Grant(packet, dialect.Options{LeastInterim: b.config.LeastInterim})
	if err != nil {
		rejection := aaa.Reject(aaa.Misconfigured, "RADIUS server %s grants what this server cannot give: %v", reply.Who(), err).For(aaa.RADIUSGrant)
		rejection.Err = err
		return aaa.Grant{}, rejection
	}
	if rejection := addResult(&grant, q, reply); rejection != nil {
		return aaa.Grant{}, rejection
	}
	if foreign {
		var rejection *aaa.Rejection
		if grant.Keys, rejection = keysOf(reply); rejection != nil {
			return aaa.Grant{}, rejection
		}
		return grant, nil // the NAS calls the user as it did, unless the server has another name
	}
	if name := b.userName(q); grant.UserName == "" && name != q.Request.Name {
		grant.UserName = name // so that records, and requests to change the session, call the user the same
	}
	return grant, nil
}
