package lns

import (
	"sync"
	"time"

	"lnsgate/lns/l2tp"
)

// What waits of the chat of open sessions, which is user traffic that we answer: neighbour discovery, pings to us, DHCP. It comes at
// the pace of whatever runs at the peer, so it has a small share of the mailbox: the rest is for control, of all sessions.
const (
	maxChat        = 128 // frames of one tunnel
	maxSessionChat = 8   // and of one session
)

// chats counts the frames that wait, by session. It is safe for concurrent use.
type chats struct {
	mu      sync.Mutex // guards both
	all     int
	waiting map[l2tp.SessionID]int // nil while there are none
}

// begin says whether one more frame of the session may wait, and counts it.
func (c *chats) begin(id l2tp.SessionID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= maxChat || c.waiting[id] >= maxSessionChat {
		return false
	}
	if c.waiting == nil {
		c.waiting = make(map[l2tp.SessionID]int)
	}
	c.waiting[id]++
	c.all++
	return true
}

// end says that a frame waits no longer.
func (c *chats) end(id l2tp.SessionID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting[id]--; c.waiting[id] <= 0 {
		delete(c.waiting, id)
	}
	if c.all--; c.all == 0 {
		c.waiting = nil
	}
}

// chatFrame is a frame that has been counted.
type chatFrame struct {
	pppFrame
	chats *chats
}

func (f chatFrame) deliver(t *tunnel, now time.Time) {
	f.chats.end(f.session)
	f.pppFrame.deliver(t, now)
}

func (f chatFrame) lost(s *Server) {
	f.chats.end(f.session)
	f.pppFrame.lost(s)
}
