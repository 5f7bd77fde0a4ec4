package foreign

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// pen writes the fields of an entry one behind the other, or reads them back, in one order for both. What it reads it has written. While
// it writes it changes nothing: others may look at the same Terms.
type pen struct {
	octets []byte // written so far
	text   string // still to be read
	reads  bool
	begun  time.Time
}

func (p *pen) entry(e *entry) {
	p.words(&e.name, &e.account, &e.domain, &e.backend, &e.calling, &e.userName)
	p.wall(&e.started)
	p.wall(&e.claimed)
	p.moment(&e.until)
	p.moment(&e.asked)
	p.moment(&e.entered)
	p.moment(&e.heard)
	method, policy, sequence := uint64(e.method), uint64(e.limits.policy), uint64(e.sequence)
	p.number(&method)
	p.number(&policy)
	p.number(&sequence)
	e.method, e.limits.policy, e.sequence = aaa.Method(method), aaa.SessionPolicy(policy), uint32(sequence)
	p.whole(&e.limits.account)
	p.whole(&e.limits.domain)
	p.flag(&e.counted)
	p.nas(&e.nas)
	p.peer(&e.peer)
	p.terms(&e.terms)
	length(p, &e.sinks)
	for i := range e.sinks {
		p.word(&e.sinks[i])
	}
	length(p, &e.class)
	for i := range e.class {
		p.bytes(&e.class[i])
	}
	p.bytes(&e.cui)
	for i := range e.leases {
		p.flag(&e.own[i])
		p.word(&e.rivals[i])
		p.lease(&e.leases[i])
	}
}

func (p *pen) nas(n *aaa.NAS) {
	p.words(&n.Name, &n.Client, &n.Identifier, &n.Session, &n.PortID)
	p.address(&n.Address)
	port, kind := uint64(n.Port), uint64(n.PortType)
	p.number(&port)
	p.number(&kind)
	n.Port, n.PortType = uint32(port), uint32(kind)
}

func (p *pen) lease(l *pool.Lease) {
	given := l.Address.IsValid()
	if p.flag(&given); !given {
		return
	}
	p.words(&l.Pool, &l.Account, &l.Holder, &l.Why)
	p.address(&l.Address)
	p.wall(&l.Since)
	p.wall(&l.Expires)
	p.whole(&l.PrefixLength)
}

func (p *pen) terms(t **aaa.Terms) {
	given := *t != nil
	if p.flag(&given); !given {
		return
	}
	if p.reads {
		*t = new(aaa.Terms)
	}
	for _, d := range []*time.Duration{&(*t).SessionTimeout, &(*t).IdleTimeout, &(*t).Interim} {
		p.signed((*int64)(d))
	}
	p.number(&(*t).RateUp)
	p.number(&(*t).RateDown)
	p.word(&(*t).Filter)
}

func (p *pen) peer(a *netip.AddrPort) {
	address, port := a.Addr(), uint64(a.Port())
	p.address(&address)
	p.number(&port)
	*a = netip.AddrPortFrom(address, uint16(port))
}

func (p *pen) address(a *netip.Addr) {
	if !p.reads {
		length := len(p.octets)
		p.octets = append(p.octets, 0)
		p.octets, _ = a.AppendBinary(p.octets) // never fails
		p.octets[length] = byte(len(p.octets) - length - 1)
		return
	}
	_ = a.UnmarshalBinary([]byte(p.cut(uint64(p.next()))))
}

// moment is a time of this process, which a clock that is set does not move.
func (p *pen) moment(t *time.Time) {
	since := int64(math.MinInt64) // there is no time yet
	if !t.IsZero() {
		since = int64(t.Sub(p.begun))
	}
	if p.signed(&since); p.reads && since != math.MinInt64 {
		*t = p.begun.Add(time.Duration(since))
	}
}

// wall is a time that others tell, or are told.
func (p *pen) wall(t *time.Time) {
	seconds, rest := t.Unix(), uint64(t.Nanosecond())
	p.signed(&seconds)
	p.number(&rest)
	if p.reads {
		*t = time.Unix(seconds, int64(rest))
	}
}

func (p *pen) words(all ...*string) {
	for _, s := range all {
		p.word(s)
	}
}

func (p *pen) word(s *string) {
	length := uint64(len(*s))
	if p.number(&length); p.reads {
		*s = p.cut(length)
		return
	}
	p.octets = append(p.octets, *s...)
}

// bytes tells nil from what is empty.
func (p *pen) bytes(b *[]byte) {
	given := *b != nil
	if p.flag(&given); !given {
		return
	}
	s := string(*b)
	if p.word(&s); p.reads {
		*b = []byte(s)
	}
}

// length is how many there are of something. Of what is read, room for them is made.
func length[T any](p *pen, l *[]T) {
	n := uint64(len(*l))
	if p.number(&n); p.reads && n > 0 {
		*l = make([]T, n)
	}
}

func (p *pen) flag(b *bool) {
	var n uint64
	if *b {
		n = 1
	}
	if p.number(&n); p.reads {
		*b = n == 1
	}
}

func (p *pen) whole(n *int) {
	wide := int64(*n)
	if p.signed(&wide); p.reads {
		*n = int(wide)
	}
}

// signed folds the sign into the lowest bit, so that small numbers take few octets.
func (p *pen) signed(n *int64) {
	folded := uint64(*n<<1) ^ uint64(*n>>63)
	if p.number(&folded); p.reads {
		*n = int64(folded>>1) ^ -int64(folded&1)
	}
}

// number is written with seven bits in an octet, the lowest first; the highest bit says that more follow.
func (p *pen) number(n *uint64) {
	if !p.reads {
		p.octets = binary.AppendUvarint(p.octets, *n)
		return
	}
	*n = 0
	for shift := 0; ; shift += 7 {
		b := p.next()
		*n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return
		}
	}
}

func (p *pen) next() byte {
	b := p.text[0]
	p.text = p.text[1:]
	return b
}

func (p *pen) cut(length uint64) string {
	s := p.text[:length]
	p.text = p.text[length:]
	return s
}
