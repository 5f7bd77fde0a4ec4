package radiusserver

import (
	"context"

	"layeh.com/radius"

	"lnsgate/aaa/radius/wire"
)

// record takes an Accounting-Request, and confirms it when what it tells is stored.
func (s *Server) record(ctx context.Context, x *exchange) {
	status, there := number(x.packet, wire.TypeAcctStatusType)
	nas := nasOf(x.client, x.packet, x.from.Addr())
	kind := kindOf(status)
	switch {
	case !there, kind != 0 && len(x.packet.Get(wire.TypeAcctSessionID)) == 0:
		s.abandon(x, Malformed)
	case kind != 0:
		r := recordOf(nas, x.packet, kind, x.came)
		m, marked, others := markOf(x.client, x.packet, r, x.came)
		r.Class = others
		s.logins.forget(nasSession{nas.Name, nas.Session})
		m = s.sessions.settle(nasSession{nas.Name, nas.Session}, r.Name, m, marked, news{x.client.Name, kind, toldTime(x.packet, x.came), x.came})
		addLogin(r, x.packet, m, marked, x.came)
		s.confirm(x, s.config.Records.Account(ctx, r), Recorded)
	case status == statusOn, status == statusOff:
		s.confirm(x, s.restarted(ctx, x, nas.Name, status), Recorded)
	default: // of tunnels and links (RFC 2867), or unknown: a NAS that hears nothing would send it for ever
		s.confirm(x, nil, Ignored)
	}
}

// restarted has the sessions end that a NAS had before it started, or ended.
func (s *Server) restarted(ctx context.Context, x *exchange, nas string, status uint32) error {
	r := restartOf(x.client, x.packet, status, x.came)
	at, again, done := s.restarts.settle(nas, r)
	if done {
		return nil
	}
	if !again {
		s.sessions.forget(nas)
	}
	err := s.config.Records.Restarted(ctx, nas, at)
	if err == nil {
		s.restarts.did(nas, at, status)
	}
	return err
}

// confirm answers, unless it was not stored: then the NAS has to send it again.
func (s *Server) confirm(x *exchange, err error, o Outcome) {
	if err != nil {
		if untold, yes := x.client.told[Unanswered].come(x.came); yes {
			s.config.Log.Warn("RADIUS server: a record could not be stored; the NAS will send it again", "nas", x.client.Name,
				"user", text(x.packet, wire.TypeUserName), "cause", err, "more_before", untold)
		}
		s.finish(x, nil, Unanswered)
		return
	}
	reply := x.packet.Response(radius.CodeAccountingResponse)
	if x.signed {
		reply.Add(wire.TypeMessageAuth, make(radius.Attribute, wire.AuthenticatorLength))
	}
	s.finish(x, s.sealed(x, reply), o)
}
