package order

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa/radius/wire"
)

const (
	atOnePeer = 64              // requests to one NAS that wait for an answer at the same time, so that a small one is not flooded
	peerLife  = 5 * time.Minute // after its last request; a NAS may remember an identifier for so long
	leastRoom = 64              // peers that are kept without a look whether some are not needed
)

// peer is a NAS as the network sees it: what may not be mixed up is numbered for each.
type peer struct {
	turns   chan struct{} // one for each request that waits for an answer
	users   int           // callers of Send
	used    time.Time
	next    byte // the identifier that was used the longest time ago
	waiting [256]*call
}

// call is a request that waits for its answer. Everything but reply stays as it is made.
type call struct {
	key           *wire.Key
	code          radius.Code
	authenticator [wire.AuthenticatorLength]byte
	reply         chan *radius.Packet // buffered by one
}

// enter finds or makes the peer at an address, and waits for a turn there.
func (s *Sender) enter(ctx context.Context, to netip.AddrPort) (*peer, error) {
	s.mu.Lock()
	p := s.peers[to]
	if p == nil {
		s.forget(time.Now())
		p = &peer{turns: make(chan struct{}, atOnePeer), next: byte(rand.Uint32())}
		s.peers[to] = p
	}
	p.users++
	s.mu.Unlock()
	select {
	case p.turns <- struct{}{}:
		return p, nil
	case <-ctx.Done():
		s.leave(p)
		return nil, errors.New("others wait for answers of this NAS")
	}
}

// leave says that a caller is done with a peer. Who has a turn gives it back before.
func (s *Sender) leave(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.users--
	p.used = time.Now()
}

// forget drops peers that nobody has asked for long, now and then.
func (s *Sender) forget(now time.Time) {
	if len(s.peers) < s.room {
		return
	}
	for at, p := range s.peers {
		if p.users == 0 && now.Sub(p.used) > peerLife {
			delete(s.peers, at)
		}
	}
	s.room = max(leastRoom, 2*len(s.peers))
}

// begin takes an identifier. There is one: there are more of them than turns.
func (s *Sender) begin(p *peer) (id byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p.waiting[p.next] != nil {
		p.next++
	}
	id = p.next
	p.waiting[id] = &call{} // nothing answers it yet
	p.next++
	return id
}

// await has the answer of a call delivered.
func (s *Sender) await(p *peer, id byte, c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.waiting[id] = c
	s.stats.Waiting++
}

// end gives the identifier back.
func (s *Sender) end(p *peer, id byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.waiting[id].reply != nil {
		s.stats.Waiting--
	}
	p.waiting[id] = nil
}
