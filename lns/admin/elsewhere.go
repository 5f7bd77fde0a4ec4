package admin

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"lnsgate/aaa"
)

// Elsewhere are the sessions that NASes carry which ask lnsgate by RADIUS. It is safe for concurrent use.
type Elsewhere interface {
	// Sessions lists those that match, each as its last record.
	Sessions(context.Context, SessionFilter) ([]aaa.Record, error)
	// Kick has the session of this name, or all sessions of the user, ended by their NASes, and tells how many there are.
	Kick(ctx context.Context, who, reason string) (int, error)
}

// onNAS is the phase of a session that another NAS carries: more than that it is there is not known.
const onNAS = "on NAS"

func sessionElsewhere(r *aaa.Record, now time.Time) Session {
	s := Session{
		Session: r.Session, RemoteAddress: r.Peer.Addr().Unmap(), RemotePort: r.Peer.Port(), RemoteName: r.TunnelName,
		User: r.Name, Account: r.Account, Domain: r.Domain, Address: r.Address.Unmap(), Pool: r.Pool, Phase: onNAS,
		Since: r.Started, UpSince: r.Started, Up: secondsSince(r.Started, now), LastHeard: r.At,
		CallingNumber: r.CallingNumber, CalledNumber: r.CalledNumber, Backend: r.Backend, Record: r.Session,
		RxPackets: r.RxPackets, RxOctets: r.RxOctets, TxPackets: r.TxPackets, TxOctets: r.TxOctets,
	}
	if r.Method != aaa.MethodNone {
		s.Method = r.Method.String()
	}
	if r.NAS != nil {
		s.NAS, s.Record = r.NAS.Name, r.NAS.Session
	}
	for _, p := range []netip.Prefix{r.IPv6.Prefix, r.IPv6.Delegated} {
		if p.IsValid() {
			s.IPv6 = append(s.IPv6, p)
		}
	}
	if t := r.Terms; t != nil {
		s.SessionTimeout, s.IdleTimeout = seconds(t.SessionTimeout), seconds(t.IdleTimeout)
		s.RateUp, s.RateDown, s.Filter = t.RateUp, t.RateDown, t.Filter
	}
	return s
}

// kickEverywhere ends what is named here and on other NASes. An error counts only when nothing was found.
func (s *Server) kickEverywhere(ctx context.Context, who, reason string) (int, error) {
	here, err := 0, error(nil)
	if !strings.Contains(who, "/") || IsSession(who) {
		here, err = s.cfg.Engine.Kick(ctx, who, reason)
	}
	if err != nil || s.cfg.Elsewhere == nil || IsSession(who) {
		return here, err
	}
	there, err := s.cfg.Elsewhere.Kick(ctx, who, reason)
	if here+there > 0 {
		err = nil
	}
	return here + there, err
}
