package lns

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"

	"lnsgate/lns/l2tp"
)

// table finds tunnels by the id that we chose. Readers take no lock.
type table struct {
	byID [1 << 16]atomic.Pointer[tunnel]

	mu     sync.Mutex // guards the three below, and every store into byID
	count  int
	peers  map[peerKey]*tunnel
	closed bool

	running sync.WaitGroup // one for each tunnel that was entered, until its goroutine has ended
}

// peerKey names the tunnel that a peer means when it repeats an SCCRQ: peers behind one NAT differ in the port, and peers that
// share even that differ in the id that they chose.
type peerKey struct {
	remote netip.AddrPort
	id     l2tp.TunnelID
}

func (tb *table) find(id l2tp.TunnelID) *tunnel { return tb.byID[id].Load() }

// findPeer returns the newest tunnel of a peer, or nil.
func (tb *table) findPeer(k peerKey) *tunnel {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return tb.peers[k]
}

// insert gives the tunnel an id that no other has and enters it; false when there are limit tunnels already, or the table is
// closed. Ids are random so that a stranger cannot guess those of others, nor a restarted server meet its predecessor's.
func (tb *table) insert(t *tunnel, limit int) bool {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.closed || tb.count >= min(limit, 1<<16-1) {
		return false
	}
	id := l2tp.TunnelID(rand.Uint32())
	for id == 0 || tb.byID[id].Load() != nil {
		id++
	}
	t.id = id
	t.supersedes = tb.peers[t.key]
	if tb.peers == nil {
		tb.peers = make(map[peerKey]*tunnel)
	}
	tb.peers[t.key] = t
	tb.count++
	tb.running.Add(1)
	tb.byID[id].Store(t)
	return true
}

func (tb *table) remove(t *tunnel) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.byID[t.id].CompareAndSwap(t, nil) {
		tb.count--
	}
	if tb.peers[t.key] == t {
		delete(tb.peers, t.key)
	}
}

// close lets no tunnel in any more and returns those that are.
func (tb *table) close() []*tunnel {
	tb.mu.Lock()
	tb.closed = true
	tb.mu.Unlock()
	return tb.all()
}

// all returns every tunnel, in the order of their ids.
func (tb *table) all() []*tunnel {
	var ts []*tunnel
	for i := range tb.byID {
		if t := tb.byID[i].Load(); t != nil {
			ts = append(ts, t)
		}
	}
	return ts
}
