package lns

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"lnsgate/lns/l2tp"
)

// table finds tunnels by the id that we chose. Readers take no lock.
type table struct {
	byID [1 << 16]atomic.Pointer[tunnel]

	mu     sync.Mutex // guards the three below, and every store into byID
	count  int
	peers  map[peerKey][]*tunnel // the newest last
	closed bool

	promised func(l2tp.TunnelID) bool // ids that are not to be given to others; nil: none. It does not change

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
	if all := tb.peers[k]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// siblings returns the other tunnels of the same peer: those from before it was restarted.
func (tb *table) siblings(t *tunnel) []*tunnel {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(tb.peers[t.key]), func(o *tunnel) bool { return o == t })
}

// insert gives the tunnel an id that no other has and enters it; false when there are limit tunnels already, or the table is
// closed. Ids are random so that a stranger cannot guess those of others, nor a restarted server meet its predecessor's. A tunnel that
// has an id keeps it, unless another tunnel has it too; ids that are promised to others are left to them
// while there is another.
func (tb *table) insert(t *tunnel, limit int) bool {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.closed || tb.count >= min(limit, 1<<16-1) {
		return false
	}
	if t.id == 0 {
		t.id = l2tp.TunnelID(rand.Uint32())
		for tried := 0; t.id == 0 || tb.byID[t.id].Load() != nil || tried < 1<<16 && tb.promised != nil && tb.promised(t.id); tried++ {
			t.id++
		}
	} else if tb.byID[t.id].Load() != nil {
		return false
	}
	id := t.id
	if tb.peers == nil {
		tb.peers = make(map[peerKey][]*tunnel)
	}
	tb.peers[t.key] = append(tb.peers[t.key], t)
	tb.count++
	tb.running.Add(1)
	tb.byID[id].Store(t)
	return true
}

// free reports whether no tunnel has the id. Of an id that was promised before the question none will, while there is another.
func (tb *table) free(id l2tp.TunnelID) bool {
	tb.mu.Lock()
	defer tb.mu.Unlock() // whoever has asked for promises before this one was made has its id by now
	return tb.byID[id].Load() == nil
}

func (tb *table) remove(t *tunnel) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.byID[t.id].CompareAndSwap(t, nil) {
		tb.count--
	}
	tb.dropKey(t)
}

func (tb *table) dropKey(t *tunnel) {
	rest := slices.DeleteFunc(tb.peers[t.key], func(o *tunnel) bool { return o == t })
	if tb.peers[t.key] = rest; len(rest) == 0 {
		delete(tb.peers, t.key)
	}
}

// rekey enters the tunnel under another name of its peer.
func (tb *table) rekey(t *tunnel, k peerKey) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.byID[t.id].Load() != t {
		return
	}
	tb.dropKey(t)
	t.key = k
	tb.peers[k] = append(tb.peers[k], t)
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
