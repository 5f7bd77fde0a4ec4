package radiusserver

import (
	"crypto/rand"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/fair"
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
	began        time.Time // of the session
	backend      string    // which one leads it
	state        []byte    // of that
	until        time.Time

	own   string // the State that went out to the peer
	place *fair.Place[*conversation]
}

// conversations are those in which the peer is to speak, by the State that went out to it. They are bounded.
type conversations struct {
	mu    sync.Mutex
	open  map[string]*conversation
	order *fair.Queue[*conversation] // of them
}

func newConversations() *conversations {
	return &conversations{open: make(map[string]*conversation), order: fair.NewQueue[*conversation](mostConversations)}
}

// wait keeps a conversation until the peer answers, and returns its State.
func (c *conversations) wait(of *conversation, now time.Time) []byte {
	var state [16]byte
	rand.Read(state[:]) //nolint:errcheck // never fails
	of.own = string(state[:])
	c.keep(of, now)
	return state[:]
}

// keep does it under the State that the conversation has.
func (c *conversations) keep(of *conversation, now time.Time) {
	of.until = now.Add(longestTurn)
	c.mu.Lock()
	defer c.mu.Unlock()
	for first := c.order.Oldest(); first != nil && !now.Before(first.Thing.until); first = c.order.Oldest() {
		c.remove(first.Thing)
	}
	if most := c.order.Surplus(); most != nil {
		c.remove(most.Thing)
	}
	of.place = c.order.Add(of, of.client)
	c.open[of.own] = of
}

func (c *conversations) remove(of *conversation) {
	delete(c.open, of.own)
	c.order.Remove(of.place)
}

// resume takes a conversation out. Nil: there is none with that State, its time is over, or it is somebody else's.
func (c *conversations) resume(state []byte, client, name string, now time.Time) *conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.open[string(state)]
	if of == nil || of.client != client || of.name != name {
		return nil
	}
	c.remove(of)
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

// conversationOf makes a conversation of a challenge.
func conversationOf(r *aaa.Request, client string, c *aaa.Challenge, began time.Time) *conversation {
	return &conversation{client: client, name: r.Name, session: r.Session, began: began, backend: c.Backend, state: c.State}
}
