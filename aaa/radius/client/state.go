package client

import (
	"log/slog"
	"time"
)

// health is what is known of how well a server is. The mutex of the group guards it.
//
//	Alive ---- a request was left without an answer, and no other was answered meanwhile ----> Zombie
//	Zombie --- any answer ----> Alive;   Health.Zombie is over ----> Dead
//	Dead ----- Status-Server answered ----> Probing;   no such answers, ever, and Health.Revive is over ----> Probing
//	Probing -- Health.Answers good ones in a row, or a request was answered ----> Alive;   one was not ----> Dead
//	any ------ cannot be connected to ----> Dead;   connected again ----> Alive
type health struct {
	state   State
	since   time.Time
	heard   time.Time // the last answer to anything
	good    int       // answers to Status-Server in a row
	status  bool      // it answered a Status-Server once, so it can
	probing bool      // a Status-Server is under way
	byTime  bool      // Probing without Status-Server
	trial   bool      // a request is with a server that is dead or probing by time
	cut     bool      // dead because there is no connection
	fault   string    // of the connection
	timer   timer
	told    [reasonCount]time.Time
}

// zombieChecks is how many Status-Server a zombie gets until it counts as dead.
const zombieChecks = 8

// become enters a state and says so.
func (s *server) become(state State, now time.Time, why string) {
	before := s.health.state
	if before == state {
		return
	}
	s.health.state, s.health.since, s.health.good, s.health.byTime = state, now, 0, false
	level := slog.LevelWarn
	if state == Alive || state == Probing {
		level = slog.LevelInfo
	}
	s.group.note(level, "The RADIUS server is "+state.String()+": "+why, "server", s.config.Name, "before", before.String())
	switch state {
	case Alive:
		s.health.cut = false
		s.group.timers.stop(&s.health.timer)
	case Zombie:
		s.checkIn(0)
	case Probing:
		s.checkIn(s.group.config.Health.Check / 10)
	case Dead:
		s.renew()
		s.checkIn(jittered(s.group.config.Health.Check))
	}
}

// checkIn has checkHealth called after that time.
func (s *server) checkIn(wait time.Duration) {
	s.group.timers.set(&s.health.timer, time.Now().Add(wait))
}

// checkHealth is what there is to do from time to time while a server is not alive.
func (s *server) checkHealth(now time.Time) {
	h, all := &s.health, &s.group.config.Health
	switch h.state {
	case Zombie:
		if now.Sub(h.since) >= all.Zombie {
			s.become(Dead, now, "it answered nothing for "+all.Zombie.String())
			return
		}
		s.checkIn(min(all.Zombie/zombieChecks, h.since.Add(all.Zombie).Sub(now)))
	case Dead:
		if !h.cut && !h.status && now.Sub(h.since) >= all.Revive {
			s.become(Probing, now, "it gets one request to see whether it is back")
			h.byTime = true
			return
		}
		wait := jittered(all.Check)
		if !h.status && !h.cut {
			wait = min(wait, h.since.Add(all.Revive).Sub(now))
		}
		s.checkIn(wait)
	case Probing:
		if h.byTime {
			return
		}
		s.checkIn(all.Check / 10)
	}
	if h.state != Alive {
		s.probe(now)
	}
}

// answered notes that the server answered a request of a user. That shows that it works.
func (s *server) answered(now time.Time) {
	s.health.heard = now
	if s.health.state != Alive {
		s.become(Alive, now, "it answered a request")
	}
}

// silent notes that the server left a request without an answer. It counts when no other was answered meanwhile, as a
// server that answers all but one user is well, and when there was time to: whoever asks may be in more of a hurry.
func (s *server) silent(c *call, now time.Time) {
	h := &s.health
	if h.heard.After(c.first) || now.Sub(c.first) < s.group.config.Retry.Initial {
		return
	}
	switch {
	case h.state == Alive:
		s.become(Zombie, now, "a request was not answered in "+now.Sub(c.first).Round(time.Millisecond).String())
	case h.state == Probing && c.trial:
		s.become(Dead, now, "it did not answer the request that was to show whether it is back")
	}
}

// suspect makes a server that is alive a zombie for a reason that proves nothing.
func (s *server) suspect(now time.Time, why string) {
	if s.health.state == Alive {
		s.become(Zombie, now, why)
	}
}

// probed notes how a Status-Server went.
func (s *server) probed(now time.Time, good bool) {
	h := &s.health
	h.probing = false
	if !good {
		h.good = 0
		if h.state == Probing && !h.byTime {
			s.become(Dead, now, "it did not answer Status-Server any more")
		}
		return
	}
	s.stats.ProbesGood++
	h.heard, h.status = now, true
	h.good++
	switch {
	case h.state == Zombie:
		s.become(Alive, now, "it answered Status-Server")
	case h.good >= s.group.config.Health.Answers && h.state != Alive:
		s.become(Alive, now, "it answered Status-Server again and again")
	case h.state == Dead:
		good := h.good
		s.become(Probing, now, "it answered Status-Server")
		h.good = good
	}
}
