package lns

import (
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/lns/control"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
)

// sketch is a half-open tunnel in 128 octets: what is left of an SCCRQ that was answered while too many others wait as well. It has no
// goroutine, no timer and no story, and what we said to its peer is not repeated; the peer repeats its SCCRQ, and gets the same SCCRP
// once more. It becomes a tunnel when the peer's next message shows that what we send reaches it.
//
// Nothing at all would be better, as with TCP's SYN cookies, but L2TP has no room for a cookie. Of what we said in the SCCRP the SCCCN
// brings back the tunnel id alone, 16 bits in which nothing can be hidden. The peer's own tunnel id, without which we cannot speak
// to it, its host name, by which its group is found, and its window stand in the SCCRQ and nowhere else. So that much is kept, in
// an array that does not grow, and a flood overwrites what it has itself written before anything else.
type sketch struct {
	opening   uint64 // digest of the SCCRQ
	born      int64  // unix nanoseconds
	challenge [control.ChallengeLen]byte
	remote    [16]byte
	local     [16]byte
	port      uint16
	id, peer  l2tp.TunnelID // the id is zero when there is nothing here
	window    uint16
	firmware  uint16
	framing   uint8 // the low octets of what the RFC has 32 bits for, and defines two of
	bearer    uint8
	socket    uint8
	is        sketchFlag
	secret    uint8 // as tunnel.secret and Handshake.Secret
	found     uint8
	answers   uint8 // SCCRPs sent
	host      uint8 // octets of the names that are the host name
	vendor    uint8 // and that follow it
	names     [sketchNames]byte
}

const sketchNames = 45

type sketchFlag uint8

const (
	sketchHasLocal sketchFlag = 1 << iota
	sketchChallenged
	sketchAnswered
)

const (
	// sketchSlots is how many sketches there may be: 4 MB, taken when the first is made. A flood that admission lets through at its
	// default of 7,500 a second overwrites one in five of them in a second, and most peers answer within a tenth of that.
	sketchSlots = 1 << 15
	// sketchLife is how long a peer may take to answer, as long as it may with a tunnel.
	sketchLife = control.DefaultSetupTimeout
	// sketchAnswers bounds what a repeated SCCRQ gets, which costs no budget, out of us: a peer has given up by then.
	sketchAnswers = 8
	// sketchChoices is how many places a sketch may be at.
	sketchChoices = 8
)

// sketches are safe for concurrent use. A sketch is where its tunnel id says; and that follows from the peer's address and id, by a hash
// that nobody else can compute, so that the peer gets the same when it repeats itself, and a flood overwrites by chance.
type sketches struct {
	count atomic.Int64 // those ever made and not taken or overwritten, and ids that are kept; zero spares a look
	mu    sync.Mutex
	seed  maphash.Seed
	book  []sketch                   // nil until it is needed
	kept  map[l2tp.TunnelID]struct{} // ids that are about to be those of a sketch, or of the tunnel that was one
}

type sketchChoice struct {
	key  peerKey
	salt uint8
}

// candidate is one of the tunnel ids that the peer may be given; zero is none.
func (b *sketches) candidate(key peerKey, salt uint8) l2tp.TunnelID {
	return l2tp.TunnelID(maphash.Comparable(b.seed, sketchChoice{key, salt}))
}

func (b *sketches) slot(id l2tp.TunnelID) *sketch { return &b.book[id%sketchSlots] }

// live reports whether the sketch is that of a peer who may still answer.
func (k *sketch) live(now time.Time) bool {
	return k.id != 0 && now.UnixNano()-k.born < int64(sketchLife)
}

func (k *sketch) of(key peerKey) bool {
	return k.peer == key.id && k.port == key.remote.Port() && k.remote == key.remote.Addr().As16()
}

// holds reports whether an id is promised to the peer of a sketch.
func (b *sketches) holds(id l2tp.TunnelID) bool {
	if b.count.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, kept := b.kept[id]
	return kept || b.book != nil && b.slot(id).id == id
}

// keep has an id promised until settle. The lock is held.
func (b *sketches) keep(id l2tp.TunnelID) {
	if b.kept == nil {
		b.kept = make(map[l2tp.TunnelID]struct{})
	}
	b.kept[id] = struct{}{}
	b.count.Add(1)
}

// settle ends what room and take have begun: by now the id is that of a sketch or of a tunnel, or of nobody.
func (b *sketches) settle(id l2tp.TunnelID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.kept, id)
	b.count.Add(-1)
}

// again finds the sketch of a peer that repeats its SCCRQ, and counts one more answer to it. It says false when there is none, or when
// it has been answered often enough.
func (b *sketches) again(key peerKey, opening uint64, now time.Time) (k sketch, found, answer bool) {
	if b.count.Load() == 0 {
		return sketch{}, false, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for salt := range uint8(sketchChoices) {
		id := b.candidate(key, salt)
		at := b.slot(id)
		if at.id != id || !at.of(key) || at.opening != opening || !at.live(now) {
			continue
		}
		if answer = at.answers < sketchAnswers; answer {
			at.answers++
		}
		return *at, true, answer
	}
	return sketch{}, false, false
}

// room finds an id for a new sketch, one that no tunnel has: where nothing is, or by chance. Zero is none. The id is kept until
// settle; a tunnel that was looking for an id at the same moment may have it by then.
func (b *sketches) room(key peerKey, taken func(l2tp.TunnelID) bool, now time.Time) l2tp.TunnelID {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.book == nil {
		b.book, b.seed = make([]sketch, sketchSlots), maphash.MakeSeed()
	}
	var choices [sketchChoices]l2tp.TunnelID
	n := 0
	for salt := range uint8(sketchChoices) {
		id := b.candidate(key, salt)
		if _, kept := b.kept[id]; id == 0 || kept || taken(id) {
			continue
		}
		if at := b.slot(id); at.of(key) || !at.live(now) {
			b.keep(id)
			return id
		}
		choices[n] = id
		n++
	}
	if n == 0 {
		return 0
	}
	id := choices[rand.IntN(n)]
	b.keep(id)
	return id
}

// put enters a sketch at its place, and says whether one that was still waiting had to go.
func (b *sketches) put(k *sketch, now time.Time) (evicted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.slot(k.id)
	if at.id == 0 {
		b.count.Add(1)
	}
	evicted = at.live(now) && !at.of(peerKey{k.path().Remote, k.peer})
	*at = *k
	return evicted
}

// find looks for the sketch of a tunnel id, if a message from this address is from its peer.
func (b *sketches) find(id l2tp.TunnelID, from netip.AddrPort, now time.Time) (k sketch, ok bool) {
	if b.count.Load() == 0 {
		return sketch{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.entry(id, from, now)
	if at == nil {
		return sketch{}, false
	}
	return *at, true
}

// take takes the sketch out. Its id is kept until settle: others shall not have it before its tunnel does.
func (b *sketches) take(id l2tp.TunnelID, from netip.AddrPort, now time.Time) (k sketch, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.entry(id, from, now)
	if at == nil {
		return sketch{}, false
	}
	k = *at
	*at = sketch{}
	b.count.Add(-1)
	b.keep(id)
	return k, true
}

// entry is where the sketch is; nil when there is none. The lock is held.
func (b *sketches) entry(id l2tp.TunnelID, from netip.AddrPort, now time.Time) *sketch {
	if id == 0 || b.book == nil {
		return nil
	}
	if at := b.slot(id); at.id == id && at.live(now) && at.of(peerKey{from, at.peer}) {
		return at
	}
	return nil
}

// draw makes a sketch of a peer that was answered. It says false of one that does not fit: long names, or a zone in the address.
func draw(id l2tp.TunnelID, from datapath.Path, h *control.Handshake, secret int, now time.Time) (sketch, bool) {
	p := &h.Peer
	k := sketch{
		opening: h.Opening, born: now.UnixNano(), challenge: h.Challenge,
		remote: from.Remote.Addr().As16(), port: from.Remote.Port(), socket: from.Socket,
		id: id, peer: p.Tunnel, window: p.ReceiveWindow, firmware: p.Firmware, framing: uint8(p.Framing), bearer: uint8(p.Bearer),
		secret: uint8(secret), found: uint8(h.Secret), answers: 1,
	}
	if from.Local.IsValid() {
		k.is |= sketchHasLocal
		k.local = from.Local.As16()
	}
	if h.Challenged {
		k.is |= sketchChallenged
	}
	if h.Answered {
		k.is |= sketchAnswered
	}
	if len(p.HostName)+len(p.Vendor) > sketchNames || from.Remote.Addr().Zone() != "" {
		return k, false
	}
	k.host, k.vendor = uint8(copy(k.names[:], p.HostName)), uint8(len(p.Vendor))
	copy(k.names[k.host:], p.Vendor)
	return k, true
}

func (k *sketch) handshake() control.Handshake {
	return control.Handshake{
		Peer: control.PeerInfo{
			HostName: k.hostName(), Vendor: string(k.names[k.host:][:k.vendor]),
			Firmware: k.firmware, Tunnel: k.peer, ReceiveWindow: k.window, Framing: uint32(k.framing), Bearer: uint32(k.bearer),
		},
		Challenge: k.challenge, Challenged: k.is&sketchChallenged != 0, Answered: k.is&sketchAnswered != 0,
		Opening: k.opening, Secret: int(k.found),
	}
}

func (k *sketch) hostName() string { return string(k.names[:k.host]) }

func (k *sketch) path() datapath.Path {
	p := datapath.Path{Remote: netip.AddrPortFrom(netip.AddrFrom16(k.remote).Unmap(), k.port), Socket: k.socket}
	if k.is&sketchHasLocal != 0 {
		p.Local = netip.AddrFrom16(k.local).Unmap()
	}
	return p
}
