package client

import (
	"slices"
	"time"
)

// choose picks the server for the next try: of the best class the one with the lowest priority number, and among equals
// by weight or load. It says too how many others could be tried after it. It returns nil when there is none.
func (g *Group) choose(e *exchange) (*server, int) {
	best, lowest, usable := none, 0, 0
	for _, s := range g.servers {
		class := e.class(s)
		if class < resort {
			usable++
		}
		if class < best || class == best && s.config.Priority < lowest {
			best, lowest = class, s.config.Priority
		}
	}
	if best == none || best == resort && (len(e.tried) > 0 || e.request.Server != "") {
		return nil, 0 // a dead one is asked only if that is all there is
	}
	if g.config.Sharing == LeastInFlight {
		return g.leastLoaded(e, best, lowest), max(usable-1, 0)
	}
	return g.byWeight(e, best, lowest), max(usable-1, 0)
}

// class is that of the server as far as the exchange may have it.
func (e *exchange) class(s *server) class {
	if e.request.Server != "" && e.request.Server != s.config.Name || slices.Contains(e.tried, s) {
		return none
	}
	return s.class()
}

// class is how good a choice a server is.
type class int

const (
	well     class = iota
	doubtful       // zombies, dead ones that answer Status-Server again, and TLS without a connection
	resort         // dead ones: one request at a time, when nobody is better
	none
)

func (s *server) class() class {
	h := &s.health
	switch {
	case h.state == Alive && s.tls != nil && len(s.links) == 0:
		return doubtful
	case h.state == Alive:
		return well
	case h.state == Probing && h.byTime && !h.trial:
		return well
	case h.state == Zombie, h.state == Probing && !h.byTime:
		return doubtful
	case h.state == Dead && !h.trial:
		return resort
	}
	return none
}

func (g *Group) leastLoaded(e *exchange, c class, priority int) (best *server) {
	for _, s := range g.servers {
		if e.class(s) != c || s.config.Priority != priority {
			continue
		}
		if best == nil || (s.load()+1)*best.config.Weight < (best.load()+1)*s.config.Weight {
			best = s
		}
	}
	return best
}

func (s *server) load() int { return s.inFlight + s.waiting.count }

// byWeight gives each server its part, evenly spread: all move forward by their weight, the foremost is taken and moves
// back by the weight of all.
func (g *Group) byWeight(e *exchange, c class, priority int) (best *server) {
	total := 0
	for _, s := range g.servers {
		if e.class(s) != c || s.config.Priority != priority {
			continue
		}
		s.current += s.config.Weight
		total += s.config.Weight
		if best == nil || s.current > best.current {
			best = s
		}
	}
	best.current -= total
	return best
}

// limitOf is when the try at a server is given up: when its share of the time that is left is over. The last one gets all
// of it. When only the context is to end the exchange, the others are tried again and again; with no other server, and the
// same octets to send, the zero time is: never.
func (e *exchange) limitOf(s *server, others int, now time.Time) time.Time {
	alone := e.request.Server != "" || len(s.group.servers) == 1
	if others == 0 && (!e.limit.IsZero() || alone && s.tls == nil) {
		return e.limit
	}
	share := s.config.Timeout
	if !e.limit.IsZero() {
		share = min(share, e.limit.Sub(now)/time.Duration(others+1))
	}
	return now.Add(share)
}
