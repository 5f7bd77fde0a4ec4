package radiusserver

import (
	"context"
	"errors"
	"math/rand/v2"

	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// access answers an Access-Request.
func (s *Server) access(ctx context.Context, x *exchange) {
	nas := nasOf(x.client, x.packet, x.from.Addr())
	r, rejection := requestOf(x.client, x.packet, x.from, nas)
	if rejection == nil && r.Proof.Method == aaa.EAP && len(r.Proof.EAP) == 0 {
		s.finish(x, s.askIdentity(x), Challenged)
		return
	}
	session, began := s.sessionOf(x, r)
	r.Session, r.Attempt = session, session
	var d aaa.Decision
	var err error
	if rejection == nil && r.Proof.Method == aaa.EAP {
		rejection = s.resume(x, r)
	}
	if x.talk != nil {
		began = x.talk.began
	}
	switch {
	case rejection != nil:
		err = rejection
	case r.Proof.Method == aaa.EAP:
		d, err = x.service.eap.Authenticate(ctx, r)
	default:
		d, err = x.service.aaa.Authenticate(ctx, r)
	}
	s.reply(ctx, x, r, d, err, began)
}

// sessionOf names the session that a login would open, and when it began: a NAS may ask anew for one that is open, or is about to
// be.
func (s *Server) sessionOf(x *exchange, r *aaa.Request) (string, time.Time) {
	if nas := r.NAS; nas.Session != "" {
		if session, began, ok := s.sessions.find(nasSession{nas.Name, nas.Session}, r.Name); ok {
			return session, began
		}
		if session, began, ok := s.logins.find(r, x.came); ok && !s.restarts.overtook(nas.Name, began) {
			return session, began
		}
	}
	return newSession(x.client.Name, x.came), x.came
}

// isNew says that the NAS was told of no session by the name of the one that a login would open.
func (s *Server) isNew(x *exchange, r *aaa.Request) bool {
	session, _ := s.sessionOf(x, r)
	return session != r.Session
}

// resume adds what is known of a conversation to the peer's next word in it.
func (s *Server) resume(x *exchange, r *aaa.Request) *aaa.Rejection {
	state, there := x.packet.Lookup(wire.TypeState)
	if !there {
		return nil
	}
	of := s.conversations.resume(state, x.client.Name, r.Name, x.came)
	if of == nil {
		return aaa.Reject(aaa.MalformedProof, "the EAP conversation that it answers in is over, or is another's").For(aaa.EAPBrokeOff)
	}
	x.talk = of
	r.Session, r.Backend, r.Proof.State = of.session, of.backend, of.state
	return nil
}

// reply answers with what was decided.
func (s *Server) reply(ctx context.Context, x *exchange, r *aaa.Request, d aaa.Decision, err error, began time.Time) {
	if err == nil {
		m := mark{session: r.Session, started: began, method: r.Proof.Method, domain: d.Domain, backend: d.Backend,
			link: d.Lent.Prefix, delegated: d.Lent.Delegated}
		if d.Account != r.Name || d.UserName != "" { // records may come by the latter
			m.account = d.Account
		}
		var reply []byte
		if reply, err = s.accept(x, r, &d, &m); err == nil {
			s.log(x, r, &d, nil)
			s.logins.note(r, began, x.came)
			s.finish(x, reply, Accepted)
			return
		}
		if s.config.Records != nil && s.isNew(x, r) {
			s.config.Records.Withdrawn(ctx, r.Session)
		}
	}
	if c := (*aaa.Challenge)(nil); errors.As(err, &c) && r.Proof.Method == aaa.EAP {
		s.finish(x, s.challenge(x, r, c, began), Challenged)
		return
	}
	rejection := explained(rejectionOf(err), x, r)
	s.log(x, r, nil, rejection)
	if rejection.Retryable() {
		if x.talk != nil { // the NAS asks again by the State that it has
			s.conversations.keep(x.talk, x.came)
		}
		s.finish(x, nil, Unanswered)
		return
	}
	s.hold(x, s.reject(x, r, rejection))
}

// rejectionOf is the error as a rejection. An error that is none comes from who does not keep the contract.
func rejectionOf(err error) *aaa.Rejection {
	var r *aaa.Rejection
	if errors.As(err, &r) {
		return r
	}
	return &aaa.Rejection{Cause: aaa.BackendUnavailable, Detail: err.Error(), Err: err}
}

// hold sends a no when its time has come. It is counted from when the request came, so that no reason takes longer than
// another, and no worker waits for it.
func (s *Server) hold(x *exchange, reply []byte) {
	delay := s.config.RejectDelay
	send := func() { s.finish(x, reply, Rejected) }
	if delay < 0 {
		send()
		return
	}
	if tenth := int64(delay / 10); tenth > 0 {
		delay += time.Duration(rand.Int64N(tenth))
	}
	if !s.delays.add(x.came.Add(delay), x.client.Name, send) {
		s.abandon(x, Busy)
	}
}

// log tells of a login: a no where an administrator sees it, a yes only on demand.
func (s *Server) log(x *exchange, r *aaa.Request, d *aaa.Decision, no *aaa.Rejection) {
	if s.config.Attempts != nil {
		s.config.Attempts.Log(attemptOf(x, r, d, no))
	}
	if no == nil {
		s.config.Log.Debug("RADIUS server: a user is let in", "user", r.Name, "nas", r.NAS.Name, "domain", d.Domain, "account", d.Account, "method", r.Proof.Method.String())
		return
	}
	s.config.Log.Info("RADIUS server: a user is not let in", "user", r.Name, "nas", r.NAS.Name, "domain", no.Domain, "method", r.Proof.Method.String(),
		"cause", no.Cause.String(), "detail", no.Detail, "peer", x.from.String())
}

func attemptOf(x *exchange, r *aaa.Request, d *aaa.Decision, no *aaa.Rejection) aaa.Attempt {
	a := aaa.Attempt{
		At: x.came, Session: r.Session, Node: r.NAS.Name, Name: r.Name, Method: r.Proof.Method, Peer: r.Peer, TunnelName: r.TunnelName,
		OK: no == nil, Phase: "radius", Took: time.Since(x.came),
	}
	if no != nil {
		a.Domain, a.Verdict = no.Domain, no.Error()
		return a
	}
	a.Account, a.Domain, a.Address = d.Account, d.Domain, d.Address
	return a
}
