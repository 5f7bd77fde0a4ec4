package lns

import (
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"lnsgate/lns/control"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
)

func TestASketchTakes128Octets(t *testing.T) {
	if n := unsafe.Sizeof(sketch{}); n > 128 {
		t.Errorf("%d octets", n)
	}
}

func drawAddr(t *rapid.T, label string) netip.Addr {
	if rapid.Bool().Draw(t, label+" is IPv4") {
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, label)))
	}
	return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))).Unmap()
}

// What goes into a sketch comes out of it, whoever the peer is.
func TestASketchKeepsWhatATunnelNeeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := datapath.Path{Remote: netip.AddrPortFrom(drawAddr(t, "remote"), rapid.Uint16().Draw(t, "port")), Socket: rapid.Byte().Draw(t, "socket")}
		if rapid.Bool().Draw(t, "local is known") {
			from.Local = drawAddr(t, "local")
		}
		h := control.Handshake{
			Peer: control.PeerInfo{
				HostName: rapid.StringN(0, 60, 60).Draw(t, "host"), Vendor: rapid.StringN(0, 60, 60).Draw(t, "vendor"),
				Firmware: rapid.Uint16().Draw(t, "firmware"), Tunnel: l2tp.TunnelID(rapid.Uint16().Draw(t, "peer")),
				ReceiveWindow: rapid.Uint16().Draw(t, "window"), Framing: rapid.Uint32Range(0, 3).Draw(t, "framing"), Bearer: rapid.Uint32Range(0, 3).Draw(t, "bearer"),
			},
			Challenge:  [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "challenge")),
			Challenged: rapid.Bool().Draw(t, "challenged"), Answered: rapid.Bool().Draw(t, "answered"),
			Opening: rapid.Uint64().Draw(t, "opening"), Secret: rapid.IntRange(0, 8).Draw(t, "secret"),
		}
		k, fits := draw(7, from, &h, 3, time.Unix(100, 0))
		if long := len(h.Peer.HostName)+len(h.Peer.Vendor) > sketchNames; fits == long {
			t.Fatalf("fits: %v", fits)
		}
		if !fits {
			return
		}
		if got := k.handshake(); got != h {
			t.Errorf("%+v\nbecame %+v", h, got)
		}
		if got := k.path(); got != from {
			t.Errorf("%+v became %+v", from, got)
		}
		if k.id != 7 || k.secret != 3 {
			t.Errorf("%+v", k)
		}
	})
}

func nobodyHas(l2tp.TunnelID) bool { return false }

func (b *sketches) sketchOf(t *testing.T, key peerKey, now time.Time) l2tp.TunnelID {
	t.Helper()
	id := b.room(key, nobodyHas, now)
	k, fits := draw(id, datapath.Path{Remote: key.remote}, &control.Handshake{Peer: control.PeerInfo{Tunnel: key.id}, Opening: 5}, 0, now)
	if id == 0 || !fits {
		t.Fatalf("id %d, fits %v", id, fits)
	}
	b.put(&k, now)
	b.settle(id)
	return id
}

func TestASketchIsItsPeersAlone(t *testing.T) {
	var b sketches
	now := time.Unix(1000, 0)
	key := peerKey{netip.MustParseAddrPort("203.0.113.7:1701"), 9}
	id := b.sketchOf(t, key, now)
	for _, other := range []string{"203.0.113.8:1701", "203.0.113.7:1702", "[2001:db8::1]:1701"} {
		if _, ok := b.take(id, netip.MustParseAddrPort(other), now); ok {
			t.Errorf("%s has taken it", other)
		}
	}
	if _, ok := b.take(id+1, key.remote, now); ok {
		t.Error("taken by another id")
	}
	if _, ok := b.take(id, key.remote, now.Add(sketchLife)); ok {
		t.Error("taken when its time was over")
	}
	if k, ok := b.take(id, key.remote, now.Add(sketchLife-1)); !ok || k.peer != 9 {
		t.Error("its peer does not get it")
	}
	if _, ok := b.take(id, key.remote, now); ok {
		t.Error("taken twice")
	}
	if !b.holds(id) {
		t.Error("its id is anybody's before it is a tunnel's")
	}
	b.settle(id)
	if b.count.Load() != 0 || b.holds(id) {
		t.Errorf("%d left", b.count.Load())
	}
}

// An id is promised from the moment it was chosen, to one peer at a time.
func TestAnIDIsPromisedBeforeItsSketchIsDrawn(t *testing.T) {
	var b sketches
	now := time.Unix(1000, 0)
	key := peerKey{netip.MustParseAddrPort("203.0.113.7:1701"), 9}
	id, second := b.room(key, nobodyHas, now), b.room(key, nobodyHas, now)
	if id == second || !b.holds(id) || !b.holds(second) {
		t.Errorf("ids %d and %d, promised %v and %v", id, second, b.holds(id), b.holds(second))
	}
	b.settle(id)
	b.settle(second)
	if b.holds(id) || b.count.Load() != 0 {
		t.Errorf("promised after all was over: %v, %d", b.holds(id), b.count.Load())
	}
	if again := b.room(key, nobodyHas, now); again != id {
		t.Errorf("id %d was %d before", again, id)
	}
}

// A tunnel that found an id free at the same moment as a sketch has it, and the peer of the sketch is told no id of another.
func TestATunnelAndASketchDoNotHaveOneID(t *testing.T) {
	var b sketches
	now := time.Unix(1000, 0)
	var both l2tp.TunnelID
	tb := table{}
	tb.promised = func(id l2tp.TunnelID) bool {
		promised := b.holds(id)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.keep(id) // a moment later
		both = id
		return promised
	}
	tn := new(tunnel)
	if !tb.insert(tn, 100) || tn.id != both {
		t.Fatalf("the tunnel has id %d, not %d", tn.id, both)
	}
	if tb.free(both) {
		t.Error("the id is said to be free")
	}
	if _, found := b.find(both, netip.MustParseAddrPort("203.0.113.7:1701"), now); found {
		t.Error("there is a sketch")
	}
}

func TestWhoRepeatsItselfFindsItsSketchAFewTimes(t *testing.T) {
	var b sketches
	now := time.Unix(1000, 0)
	key := peerKey{netip.MustParseAddrPort("203.0.113.7:1701"), 9}
	id := b.sketchOf(t, key, now)
	for n := range 20 {
		k, found, answer := b.again(key, 5, now)
		if !found || k.id != id || answer != (n < sketchAnswers-1) {
			t.Errorf("%d: id %d, found %v, answer %v", n, k.id, found, answer)
		}
	}
	if _, found, _ := b.again(key, 6, now); found {
		t.Error("another SCCRQ counts as a repetition")
	}
	if again := b.sketchOf(t, key, now); again != id || b.count.Load() != 1 {
		t.Errorf("a new beginning has id %d, %d sketches", again, b.count.Load())
	}
}

// A flood that fills the book overwrites by chance: most of those who came a moment ago are still there.
func TestAFloodOverwritesByChance(t *testing.T) {
	var b sketches
	now := time.Unix(1000, 0)
	peer := func(a, n int) peerKey {
		return peerKey{netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(a), byte(n >> 16), byte(n >> 8), byte(n)}), 1701), 1}
	}
	for n := range sketchSlots + sketchSlots/4 {
		b.sketchOf(t, peer(100, n), now)
	}
	ids := make([]l2tp.TunnelID, 1000)
	for n := range ids {
		ids[n] = b.sketchOf(t, peer(50, n), now)
	}
	for n := range 1000 {
		b.sketchOf(t, peer(101, n), now)
	}
	left := 0
	for n, id := range ids {
		if _, ok := b.take(id, peer(50, n).remote, now); ok {
			left++
		}
	}
	if left < 900 { // 2000 of 32768 were written since the first of them
		t.Errorf("%d of 1000 are left", left)
	}
}

func TestAnIDThatIsPromisedIsNotGivenAway(t *testing.T) {
	var b sketches
	tb := table{promised: b.holds}
	now := time.Unix(1000, 0)
	promised := map[l2tp.TunnelID]bool{}
	for n := range 200 {
		promised[b.sketchOf(t, peerKey{netip.AddrPortFrom(addr(byte(n)), 1701), 1}, now)] = true
	}
	for n := range 20_000 { // of which 61 would hit one of them by chance
		tn := &tunnel{key: peerKey{netip.AddrPortFrom(addr(1), uint16(n)), 2}}
		if !tb.insert(tn, 65535) || promised[tn.id] {
			t.Fatalf("tunnel %d has the id %d", n, tn.id)
		}
	}
	var text strings.Builder
	for id := range promised {
		tn := &tunnel{id: id}
		if !tb.insert(tn, 1<<17) || tn.id != id {
			text.WriteString("x")
		}
	}
	if text.Len() > 0 {
		t.Errorf("%d of them did not get what they were promised", text.Len())
	}
}

// When every id that is left has been promised, a tunnel takes one all the same: looking for another would never end.
func TestPromisesGiveWayWhenNoOtherIDIsLeft(t *testing.T) {
	tb := table{promised: func(l2tp.TunnelID) bool { return true }}
	if tn := new(tunnel); !tb.insert(tn, 65535) || tn.id == 0 {
		t.Errorf("the tunnel has id %d", tn.id)
	}
}
