package eap

import (
	"container/list"
	"crypto/rand"
	"crypto/tls"
	"sync"
	"time"

	"lnsgate/aaa"
)

// displaceable is how long a peer has to have been silent before its conversation gives way to another's. Those who are
// quicker are at work.
const displaceable = 5 * time.Second

// longestTalk is how long a conversation may take in all. Who speaks now and then just to be there would keep out others.
const longestTalk = 5 * time.Minute

// repeatable is how long a yes is kept for a NAS that asks again: what comes behind this package may have failed after it.
const repeatable = 15 * time.Second

// strangers is how many conversations whose peer has said no more than its name there may be for each that may be under way.
const strangers = 4

// conversations are those that wait for their peer, by State. They hold the goroutines of TLS. One timer ends those whose
// peer is silent for too long.
type conversations struct {
	running sync.WaitGroup // goroutines, and the timer

	mu      sync.Mutex
	open    map[[16]byte]*conversation
	new     list.List // peers that have not answered yet, the one heard of least recently first
	proven  list.List // likewise, those that have
	ended   list.List // of which the yes is kept, the oldest first
	timer   *time.Timer
	due     time.Time // of the timer; zero: it is not set
	closed  bool
	tunnels int
	stats   Stats
}

// add keeps a conversation that begins, and gives it its State. Nobody has shown yet that it can be reached: the oldest such
// conversation gives way, and none other.
func (s *conversations) add(c *conversation) *aaa.Rejection {
	rand.Read(c.state[:]) //nolint:errcheck // never fails
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ending()
	}
	if s.new.Len() >= strangers*c.only.Conversations {
		s.drop(s.new.Front().Value.(*conversation))
		s.stats.Displaced++
	}
	s.stats.Begun++
	c.begun = time.Now()
	s.open[c.state] = c
	c.place = s.new.PushBack(c)
	s.heardOf(c)
	return nil
}

func ending() *aaa.Rejection {
	return aaa.Reject(aaa.BackendUnavailable, "EAP is being ended on this server")
}

// find returns the conversation with a State if it is with that peer. It counts as a sign of life.
func (s *conversations) find(state []byte, name string) *conversation {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(state) != len(conversation{}.state) {
		return nil
	}
	c := s.open[[16]byte(state)]
	if c == nil || c.name != name {
		return nil
	}
	if !c.ended && time.Since(c.begun) > longestTalk {
		s.stats.Expired++
		s.drop(c)
		return nil
	}
	if !c.ended {
		s.heardOf(c)
	}
	return c
}

// prove moves a conversation among those whose peer can be reached. If there are too many, one that has been silent gives way.
func (s *conversations) prove(c *conversation) *aaa.Rejection {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch oldest := s.proven.Front(); {
	case c.gone:
		return lost()
	case s.proven.Len() < c.only.Conversations:
	case time.Since(oldest.Value.(*conversation).last) < displaceable:
		s.stats.Refused++
		return aaa.Reject(aaa.BackendUnavailable, "%d EAP conversations are under way, which is as many as may be", s.proven.Len()).For(aaa.TooManyChecks)
	default:
		s.drop(oldest.Value.(*conversation))
		s.stats.Displaced++
	}
	s.new.Remove(c.place)
	c.proven, c.place = true, s.proven.PushBack(c)
	return nil
}

func lost() *aaa.Rejection {
	return aaa.Reject(aaa.Timeout, "the EAP conversation took too long, or gave way to others").For(aaa.EAPBrokeOff)
}

// start begins TLS for a conversation.
func (s *conversations) start(c *conversation, config *tls.Config) (*tunnel, *aaa.Rejection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.gone {
		return nil, lost()
	}
	c.tunnel = start(config, &s.running)
	s.tunnels++
	return c.tunnel, nil
}

// settle keeps a conversation that goes on, and lets one go that is over.
func (s *conversations) settle(c *conversation, over, granted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.gone:
	case !over:
		s.heardOf(c)
		return
	case granted:
		s.end(c)
	default:
		s.drop(c)
	}
	switch {
	case !over:
	case granted:
		s.stats.Succeeded++
	default:
		s.stats.Failed++
	}
}

// end keeps the yes of a conversation for a while, and nothing else of it.
func (s *conversations) end(c *conversation) {
	s.drop(c)
	if s.ended.Len() >= c.only.Conversations {
		s.drop(s.ended.Front().Value.(*conversation))
	}
	c.ended, c.gone, c.tunnel = true, false, nil
	c.until = time.Now().Add(repeatable)
	s.open[c.state] = c
	c.place = s.ended.PushBack(c)
	s.wake()
}

// heardOf gives the peer of a conversation its time anew.
func (s *conversations) heardOf(c *conversation) {
	c.last = time.Now()
	c.until = c.last.Add(c.only.Timeout)
	s.line(c).MoveToBack(c.place)
	s.wake()
}

func (s *conversations) line(c *conversation) *list.List {
	switch {
	case c.ended:
		return &s.ended
	case c.proven:
		return &s.proven
	}
	return &s.new
}

func (s *conversations) lines() []*list.List { return []*list.List{&s.new, &s.proven, &s.ended} }

// drop ends a conversation.
func (s *conversations) drop(c *conversation) {
	s.line(c).Remove(c.place)
	delete(s.open, c.state)
	c.gone = true
	if c.tunnel != nil {
		c.tunnel.end()
		s.tunnels--
	}
}

// wake sets the timer for the first conversation that is due, unless it rings before anyway.
func (s *conversations) wake() {
	var first time.Time
	for _, line := range s.lines() {
		if e := line.Front(); e != nil {
			if until := e.Value.(*conversation).until; first.IsZero() || until.Before(first) {
				first = until
			}
		}
	}
	if first.IsZero() || !s.due.IsZero() && !first.Before(s.due) {
		return
	}
	s.hush()
	s.due = first
	s.running.Add(1)
	s.timer = time.AfterFunc(time.Until(first), s.expire)
}

// hush stops the timer.
func (s *conversations) hush() {
	if s.timer != nil && s.timer.Stop() {
		s.running.Done()
	}
	s.timer, s.due = nil, time.Time{}
}

// expire ends those whose time is over. A timer that was replaced while it rang finds less to do.
func (s *conversations) expire() {
	defer s.running.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	now := time.Now()
	for _, line := range s.lines() {
		for e := line.Front(); e != nil && !now.Before(e.Value.(*conversation).until); e = line.Front() {
			if c := e.Value.(*conversation); !c.ended {
				s.stats.Expired++
			}
			s.drop(e.Value.(*conversation))
		}
	}
	s.due = time.Time{}
	s.wake()
}

// close ends all, and waits for the goroutines.
func (s *conversations) close() {
	s.mu.Lock()
	s.closed = true
	s.hush()
	for _, c := range s.open {
		s.drop(c)
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *conversations) figures() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Conversations, stats.Tunnels = s.new.Len()+s.proven.Len(), s.tunnels
	return stats
}
