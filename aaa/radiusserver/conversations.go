package radiusserver

import (
	"crypto/rand"
	"sync"
	"time"

	"lnsgate/aaa"
)

// Bounds of EAP conversations.
const (
	mostConversations = 1 << 16
	longestTurn       = time.Minute // that a peer may take for its answer
)

// conversation is what has to be known when the peer answers a challenge. It serves one answer.
type conversation struct {
	client, name string // who may go on with it
	session      string
	backend      string // which one leads it
	state        []byte // of that
	until        time.Time
}

// conversations are those in which the peer is to speak, by the State that went out to it. They are bounded: the oldest give
// way.
type conversations struct {
	mu    sync.Mutex
	open  map[string]*conversation
	order []string // the oldest first
}

func newConversations() *conversations { return &conversations{open: make(map[string]*conversation)} }

// wait keeps a conversation until the peer answers, and returns its State.
func (c *conversations) wait(of *conversation, now time.Time) []byte {
	var state [16]byte
	rand.Read(state[:]) //nolint:errcheck // never fails
	of.until = now.Add(longestTurn)
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(c.order) && c.over(c.order[n], now, len(c.order)-n) {
		delete(c.open, c.order[n])
		n++
	}
	c.order = append(c.order[n:], string(state[:]))
	c.open[string(state[:])] = of
	return state[:]
}

// over says whether a conversation is none any more, or has to give way.
func (c *conversations) over(state string, now time.Time, waiting int) bool {
	of := c.open[state]
	return of == nil || !now.Before(of.until) || waiting >= mostConversations
}

// resume takes a conversation out. Nil: there is none with that State, its time is over, or it is somebody else's.
func (c *conversations) resume(state []byte, client, name string, now time.Time) *conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.open[string(state)]
	if of == nil || of.client != client || of.name != name {
		return nil
	}
	delete(c.open, string(state))
	if !now.Before(of.until) {
		return nil
	}
	return of
}

func (c *conversations) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// keep makes a conversation of a challenge.
func keep(r *aaa.Request, client string, c *aaa.Challenge) *conversation {
	return &conversation{client: client, name: r.Name, session: r.Session, backend: c.Backend, state: c.State}
}
