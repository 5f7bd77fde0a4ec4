package lns

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"lnsgate/lns/control"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/quirk"
	"lnsgate/lns/trace"
)

// A client's network changes under it, or its NAT forgets it: its messages then come from another address or port. The
// tunnel follows when the message is exactly what the peer would say next, an LCP echo is answered from the new place with
// the magic number of the peer, and the old place, which is asked the same, keeps silent meanwhile. Then a HELLO over the
// new way has to be acknowledged as any other. A stranger who has guessed ids and numbers does not know the magic number,
// 32 bits that only the peer and we have seen, not even while the peer sleeps; and to ask costs the peer nothing.
const (
	followTime    = 2 * time.Second        // what the old place has to contradict, and the new one to confirm
	followGap     = 10 * time.Second       // between two tries
	elsewhereRest = 100 * time.Millisecond // between two datagrams of one source elsewhere that a tunnel looks at
)

// follow is a move of the peer that has not been proved yet.
type follow struct {
	to     datapath.Path
	by     time.Time
	asking *call // whose link has to prove that it is the peer
	proved bool
}

// elsewhere is a control message for a tunnel from another address than its peer's.
type elsewhere struct {
	from     datapath.Path
	datagram []byte
}

// glance lets a datagram from elsewhere through now and then. Sources share a few slots, and not the same ones for long: a stranger
// who sends all the time cannot keep out a peer that has moved. It is safe for concurrent use.
type glance struct{ used [8]atomic.Uint32 } // when each slot was used last, in units of elsewhereRest

func (g *glance) allow(from netip.AddrPort, now time.Time) bool {
	turn := uint32(now.UnixNano() / int64(elsewhereRest))
	slot := &g.used[maphash.Comparable(glanceSeed, glancing{from, now.Unix()})%uint64(len(g.used))]
	last := slot.Load()
	return last != turn && slot.CompareAndSwap(last, turn)
}

// forget has every source looked at as if none had been.
func (g *glance) forget() {
	for i := range g.used {
		g.used[i].Store(0)
	}
}

// glancing is what the slot of a source is drawn by.
type glancing struct {
	from   netip.AddrPort
	second int64
}

var glanceSeed = maphash.MakeSeed()

// fromElsewhere counts a control message from a wrong address, and has the tunnel look at some of them.
func (t *tunnel) fromElsewhere(from datapath.Path, b []byte) {
	t.server.counters.add(dropWrongSource)
	if t.glance.allow(from.Remote, time.Now()) {
		t.mail.post(elsewhere{from, bytes.Clone(b)}, true)
	}
}

// frameFromElsewhere counts a frame from a wrong address, and has the tunnel look at it when it waits for one.
func (t *tunnel) frameFromElsewhere(from datapath.Path, session l2tp.SessionID, octets []byte) {
	t.server.counters.add(dropWrongSource)
	if t.frameGlance.allow(from.Remote, time.Now()) {
		t.mail.post(frameElsewhere{from, session, bytes.Clone(octets)}, true)
	}
}

// frameElsewhere is a PPP control frame from another address than the peer's.
type frameElsewhere struct {
	from    datapath.Path
	session l2tp.SessionID
	octets  []byte
}

func (frameElsewhere) lost(*Server) {}

func (e frameElsewhere) deliver(t *tunnel, _ time.Time) {
	if f := t.follow; f != nil && f.to.Remote == e.from.Remote && f.asking.id == e.session && f.asking.core.Proves(e.octets) {
		f.proved = true
	}
}

func (e elsewhere) lost(*Server) {}

func (e elsewhere) deliver(t *tunnel, now time.Time) {
	switch {
	case t.follow != nil && t.follow.to.Remote == e.from.Remote: // it repeats itself
	case t.follow == nil && t.up && now.Sub(t.followed) >= followGap && t.core.Plausible(e.datagram):
		t.askBothWays(e.from, now)
	case now.Sub(t.warned) >= time.Minute:
		t.warned = now
		t.server.chatter.warn(t.log, "a message for this tunnel comes from another address and is dropped: "+
			"behind a carrier's NAT this is one client with two outer addresses", "from", e.from.Remote)
	}
}

// askBothWays asks for life where the peer was and where it says it is.
func (t *tunnel) askBothWays(to datapath.Path, now time.Time) {
	t.followed = now
	for _, c := range t.calls {
		question, ok := c.core.Question()
		if !ok {
			continue
		}
		t.follow = &follow{to: to, by: now.Add(followTime), asking: c}
		t.frameGlance.forget() // the answer is not to be overlooked
		c.send(question)
		c.sendTo(to, question)
		return
	}
}

// decideFollow ends the time of a move: the tunnel goes, or stays where it was.
func (t *tunnel) decideFollow(now time.Time) {
	f := t.follow
	t.follow = nil
	if !f.proved {
		t.server.counters.add(followsRefused)
		return
	}
	from := t.path.Remote
	t.moveTo(f.to)
	t.server.counters.add(tunnelsFollowed)
	t.log.Info("the peer has another address now: its network changed, or its NAT forgot it", "was", from, "sessions", len(t.calls))
	t.step(now, func(o *control.Out) { t.core.AskForLife(now, o) })
}

// moveTo has everything of the tunnel go another way from now on.
func (t *tunnel) moveTo(to datapath.Path) {
	s := t.server
	s.tunnels.rekey(t, peerKey{to.Remote, t.key.id})
	t.forget()
	t.path = to
	t.home.Store(&to.Remote)
	for _, c := range t.calls {
		if c.carrier != nil {
			c.carrier.SetPath(to)
		}
	}
	if t.profile.ForgetsTunnel() {
		s.forgetful.Store(to.Remote, t)
	}
	t.log = s.deps.Log.With("tunnel", uint16(t.id), "peer", to.Remote, "host", t.core.Peer().HostName)
}

// recognise has the tunnel treat its peer as its kind needs it.
func (t *tunnel) recognise() {
	p := t.core.Peer()
	t.profile = quirk.Choose(t.group.Profile, trace.Signs{Vendor: p.Vendor, HostName: p.HostName, Firmware: p.Firmware,
		Window: p.ReceiveWindow, Bearer: p.Bearer != 0, Port: t.path.Remote.Port()})
	t.core.SetHello(t.profile.Hello(t.group.Hello))
	if t.profile.ForgetsTunnel() {
		t.server.forgetful.Store(t.path.Remote, t)
	}
}

// forget undoes what recognise has entered.
func (t *tunnel) forget() {
	if t.profile.ForgetsTunnel() {
		t.server.forgetful.CompareAndDelete(t.path.Remote, t)
	}
}

// forgetfulAt finds the tunnel of a peer that leaves its tunnel id out; nil when there is none.
func (s *Server) forgetfulAt(remote netip.AddrPort) *tunnel {
	t, ok := s.forgetful.Load(remote)
	if !ok {
		return nil
	}
	return t.(*tunnel)
}
