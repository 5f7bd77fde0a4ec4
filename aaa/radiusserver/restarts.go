package radiusserver

import (
	"sync"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/fair"
	"lnsgate/aaa/radius/wire"
)

// Bounds of what is remembered of NASes that have started or ended.
const (
	mostRestarts = 1 << 16
	// mostRepeats is how long after an On or Off that was heard a like one is the same once more.
	mostRepeats = time.Minute
	// sameMoment is how far apart the moments of one may be that follow from Acct-Delay-Time: it counts whole seconds, and the way here
	// takes some.
	sameMoment = 5 * time.Second
)

// restart is an Accounting-On or -Off.
type restart struct {
	client  string
	status  uint32
	session string    // its Acct-Session-Id; many NASes have the same for all
	told    time.Time // its Event-Timestamp; zero: it has none
	delayed bool      // it has been sent before, for so long as its Acct-Delay-Time says
	at      time.Time // when it was so
	came    time.Time
	done    bool // what follows from it
}

// restartOf reads one. A NAS that has just started may not know yet what time it is, and its sessions began by our clock: what it
// tells without one, Acct-Delay-Time, counts more, unless a proxy may have kept the record.
func restartOf(c *client, p *radius.Packet, status uint32, came time.Time) restart {
	delay, counts := number(p, wire.TypeAcctDelayTime)
	r := restart{client: c.Name, status: status, session: text(p, wire.TypeAcctSessionID), told: toldTime(p, came), delayed: delay > 0, at: eventTime(p, came), came: came}
	_, proxied := p.Lookup(wire.TypeProxyState)
	if sent := sentTime(p, came); counts && !proxied && !aaa.IsSameTime(r.at, sent) {
		r.at = sent
	}
	return r
}

// isAgain says that it is the same as one of its kind before, which came once more, or older: its NAS has not heard that it was taken.
//
// Event-Timestamp tells it for certain, unless the clock is wrong: such a clock may begin at the same time at each start. So does
// an Acct-Delay-Time that counts. Of a NAS that sends neither, each of its
// tries looks like the next start: many have one Acct-Session-Id for all, and count identifiers from the same number on, so
// that even the octets of two starts are equal. What comes within mostRepeats then is a repetition. A NAS that does start
// twice within that time leaves sessions behind, which are over when nothing is heard of them; to end them would end those too
// that have begun since, and live. What a server knew before it was started itself, or another one knows, cannot be known.
func (r *restart) isAgain(before *restart) bool {
	switch {
	case !r.told.Equal(before.told):
		return false
	case !r.told.IsZero() && (r.told.Equal(r.at) || before.told.Equal(before.at)): // its clock was believed
		return true
	case !r.told.IsZero():
		return r.at.Sub(before.at) <= sameMoment || r.came.Sub(before.came) <= mostRepeats
	case r.delayed:
		return r.at.Sub(before.at) <= sameMoment
	}
	return r.session == before.session && r.came.Sub(before.came) <= mostRepeats
}

// event is which of the two a NAS has told last.
type event struct {
	nas    string
	status uint32
}

// restarts remembers the last On and the last Off of NASes.
type restarts struct {
	mu   sync.Mutex
	last *fair.Map[event, restart]
}

func newRestarts() *restarts { return &restarts{last: fair.NewMap[event, restart](mostRestarts)} }

// settle says since when the sessions are over that began before, whether that is known already, and whether all is done that
// follows from it.
func (s *restarts) settle(nas string, r restart) (at time.Time, again, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := event{nas, r.status}
	at = r.at
	if before, known := s.last.Get(of); known {
		if again = r.isAgain(&before); again {
			done = before.done && !at.Before(before.at)
			r.at, r.done = before.at, before.done
			if r.at.Before(at) {
				at = r.at
			}
		}
	}
	if !again && r.status == statusOff { // the next On is that of another start
		s.last.Delete(event{nas, statusOn})
	}
	s.last.Put(of, r, r.client)
	return at, again, done
}

// did notes that all is done that follows from the last one, if it was at that time.
func (s *restarts) did(nas string, at time.Time, status uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := event{nas, status}
	if last, known := s.last.Get(of); known && last.at.Equal(at) {
		last.done = true
		s.last.Put(of, last, last.client)
	}
}

// overtook says that a NAS has started or ended since.
func (s *restarts) overtook(nas string, began time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, status := range []uint32{statusOn, statusOff} {
		if last, known := s.last.Get(event{nas, status}); known && began.Before(last.at) {
			return true
		}
	}
	return false
}
