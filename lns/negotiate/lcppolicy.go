package negotiate

import (
	"slices"
	"time"

	"lnsgate/lns/ppp"
)

func (l *LCP) protocol() ppp.Protocol { return ppp.LCP }

func (l *LCP) timing() *Timing { return &l.cfg.Timing }

func (l *LCP) limit() int {
	return max(int(l.Result().PeerMRU), ppp.MinimumMRU)
}

// reset begins a negotiation: all options at their defaults, the first
// authentication protocol on offer.
func (l *LCP) reset() {
	l.ours = lcpRequest{magic: l.cfg.Magic, pfc: l.cfg.RequestPFC, acfc: l.cfg.RequestACFC}
	if l.cfg.MRU != ppp.DefaultMRU {
		l.ours.mru = l.cfg.MRU
	}
	l.peer = lcpRequest{}
	l.more = l.cfg.Extra
	l.tried, l.loops, l.mute, l.mirror = 0, 0, false, false
	l.offerNext()
}

// offerNext takes the first authentication protocol that the peer has not
// refused. False if there is none left.
func (l *LCP) offerNext() bool {
	for i, a := range l.cfg.Authentication {
		if l.tried&(1<<i) == 0 {
			l.ours.auth = a
			return true
		}
	}
	return false
}

// refused notes that the peer does not want the protocol on offer.
func (l *LCP) refused() {
	for i, a := range l.cfg.Authentication {
		if a == l.ours.auth {
			l.tried |= 1 << i
		}
	}
}

func (l *LCP) appendRequest(b []byte) []byte {
	if l.ours.mru != 0 {
		b = ppp.AppendMRU(b, l.ours.mru)
	}
	b = l.ours.auth.appendOption(b)
	if l.ours.magic != 0 {
		b = ppp.AppendMagic(b, l.ours.magic)
	}
	if l.ours.pfc {
		b = ppp.Option{Type: ppp.LCPPFC}.Append(b)
	}
	if l.ours.acfc {
		b = ppp.Option{Type: ppp.LCPACFC}.Append(b)
	}
	return append(b, l.more...)
}

// naked changes our request as the peer proposes. What it proposes beyond our
// request is not taken up, nor an MRU above our setting: larger packets would
// come in fragments.
func (l *LCP) naked(list ppp.Options, now time.Time) (Reason, bool) {
	looped, refusedAuth := false, false
	for o := range list.All() {
		switch o.Type {
		case ppp.LCPMRU:
			if mru, ok := o.MRU(); ok && l.ours.mru != 0 && mru >= ppp.MinimumMRU && mru <= l.cfg.MRU {
				l.ours.mru = mru
			}
		case ppp.LCPAuthentication:
			refusedAuth = l.ours.auth != AuthNone && !l.takeChoice(authProtocolOf(o))
		case ppp.LCPMagic:
			looped = l.ours.magic != 0
		case ppp.LCPPFC:
			l.ours.pfc = false
		case ppp.LCPACFC:
			l.ours.acfc = false
		}
	}
	if refusedAuth {
		return l.refusal(), true
	}
	if looped {
		return l.suspectLoop(now), true
	}
	return ReasonNone, true
}

// refusal is why no authentication is left to offer: the peer refuses them, or
// on a looped back line we do so ourselves, who never prove who we are.
func (l *LCP) refusal() Reason {
	if l.mirror {
		return Loop
	}
	return AuthenticationRefused
}

// takeChoice answers the peer's wish for another authentication protocol: if it
// is one of ours, it is offered, else the next in our order is. False if there is
// none left.
func (l *LCP) takeChoice(wish AuthProtocol) bool {
	l.refused()
	if i := slices.Index(l.cfg.Authentication, wish); i >= 0 && l.tried&(1<<i) == 0 {
		l.ours.auth = wish
		return true
	}
	return l.offerNext()
}

// suspectLoop answers a Nak of our magic number: the peer has the same number,
// which is a coincidence once and a looped back line if it goes on (RFC 1661
// section 6.4).
func (l *LCP) suspectLoop(now time.Time) Reason {
	l.loops++
	if int(l.loops) >= l.cfg.maxFailure() {
		return Loop
	}
	l.ours.magic = another(l.ours.magic, uint64(now.UnixNano()))
	return ReasonNone
}

// another makes a magic number that differs from the given one and is not zero.
// It only has to be unlike the peer's, not unpredictable.
func another(magic uint32, salt uint64) uint32 {
	x := (uint64(magic) ^ salt) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	if n := uint32(x >> 16); n != 0 && n != magic {
		return n
	}
	return ^magic | 1
}

// rejected leaves out what the peer rejects. A list that is not part of our
// request is not an answer to it (RFC 1661 section 5.4).
func (l *LCP) rejected(list ppp.Options) (Reason, bool) {
	var room [requestRoom]byte
	asked := ppp.Options(l.appendRequest(room[:0]))
	for o := range list.All() {
		if !asked.Contains(o) {
			return ReasonNone, false
		}
	}
	l.more = without(l.more, list)
	for o := range list.All() {
		switch o.Type {
		case ppp.LCPMRU:
			l.ours.mru = 0
		case ppp.LCPMagic:
			l.ours.magic = 0
		case ppp.LCPPFC:
			l.ours.pfc = false
		case ppp.LCPACFC:
			l.ours.acfc = false
		case ppp.LCPAuthentication:
			if l.refused(); !l.offerNext() {
				return l.refusal(), true
			}
		}
	}
	return ReasonNone, true
}

// without is what is left of a list when others go.
func without(list, others ppp.Options) (rest ppp.Options) {
	for o := range list.All() {
		if !others.Contains(o) {
			rest = o.Append(rest)
		}
	}
	return rest
}

func (l *LCP) weigh(o ppp.Option) verdict {
	switch o.Type {
	case ppp.LCPMRU:
		if mru, ok := o.MRU(); !ok {
			return unwanted
		} else if mru < ppp.MinimumMRU {
			return wrongValue
		}
		return acceptable
	case ppp.LCPACCM:
		return acceptableIf(len(o.Value) == 4)
	case ppp.LCPMagic:
		magic, ok := o.Magic()
		l.mirror = ok && magic != 0 && magic == l.ours.magic
		if !ok {
			return unwanted
		} else if magic == 0 || magic == l.ours.magic {
			return wrongValue
		}
		return acceptable
	case ppp.LCPPFC, ppp.LCPACFC:
		return acceptableIf(len(o.Value) == 0)
	case ppp.LCPAuthentication:
		return l.weighAuthentication(o)
	}
	return unwanted
}

func acceptableIf(good bool) verdict {
	if good {
		return acceptable
	}
	return unwanted
}

// weighAuthentication judges the peer's wish that we prove who we are. The
// serving side never does.
func (l *LCP) weighAuthentication(o ppp.Option) verdict {
	switch {
	case len(l.cfg.AcceptAuthentication) == 0:
		return unwanted
	case slices.Contains(l.cfg.AcceptAuthentication, authProtocolOf(o)):
		return acceptable
	}
	return wrongValue
}

func (l *LCP) appendNak(b []byte, o ppp.Option) []byte {
	switch o.Type {
	case ppp.LCPMRU:
		return ppp.AppendMRU(b, l.cfg.MRU)
	case ppp.LCPMagic:
		return ppp.AppendMagic(b, another(l.ours.magic, uint64(l.m.naks)+1))
	case ppp.LCPAuthentication:
		return l.cfg.AcceptAuthentication[0].appendOption(b)
	}
	return b
}

func (l *LCP) appendMissing(b []byte, _ ppp.Options) []byte { return b }

func (l *LCP) rejectable(uint8) bool { return true }

func (l *LCP) commit(list ppp.Options) { l.peer = readRequest(list) }

// readRequest reads the options of a request that is known to be good.
func readRequest(list ppp.Options) lcpRequest {
	var r lcpRequest
	for o := range list.All() {
		switch o.Type {
		case ppp.LCPMRU:
			r.mru, _ = o.MRU()
		case ppp.LCPMagic:
			r.magic, _ = o.Magic()
		case ppp.LCPPFC:
			r.pfc = true
		case ppp.LCPACFC:
			r.acfc = true
		case ppp.LCPAuthentication:
			r.auth = authProtocolOf(o)
		}
	}
	return r
}
