package admin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// identify finds out who asks: the user at the other end of the socket, the owner of a token, or who has logged in on the page.
func (s *Server) identify(next http.Handler) http.Handler {
	forgery := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		actor := ActorOf(r.Context())
		if actor.Role == Nobody {
			var err error
			if actor, err = s.asker(r, forgery); err != nil {
				s.fail(w, r, err)
				return
			}
		}
		ctx, leave := actor.bind(WithActor(r.Context(), actor)) // a stream ends when who reads it may do so no more
		defer leave()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (s *Server) asker(r *http.Request, forgery *http.CrossOriginProtection) (Actor, error) {
	from := Source(r)
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case token != "" && strings.EqualFold(scheme, "Bearer"):
		return s.cfg.Operators.CheckToken(strings.TrimSpace(token), from)
	case token != "":
		return Actor{}, &Error{http.StatusUnauthorized, "Authorization: only Bearer is understood", "send Authorization: Bearer TOKEN"}
	}
	if s.cfg.Who == nil {
		return Actor{From: from.String()}, nil
	}
	actor, known := s.cfg.Who(r)
	if !known {
		return Actor{From: from.String()}, nil
	}
	if err := forgery.Check(r); err != nil {
		return Actor{}, &Error{http.StatusForbidden, "another site has sent this request", "open the page of lnsgate itself"}
	}
	actor.From = from.String()
	return actor, nil
}

// Source is the address that a request comes from; invalid over the unix socket.
func Source(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}
