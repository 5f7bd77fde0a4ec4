package recorder

import (
	"encoding/binary"
	"time"

	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
)

// reader reads a tape. Tapes are of our own making, so what does not fit ends the reading.
type reader struct{ rest []byte }

func (r *reader) octet() byte {
	if len(r.rest) == 0 {
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) take(n uint64) []byte {
	n = min(n, uint64(len(r.rest)))
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.rest = nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) duration() time.Duration { return time.Duration(r.number()) * time.Microsecond }

func (r *reader) text() string { return string(r.take(r.number())) }

// spoken is the last packet of each protocol and direction: the same once more is a repetition.
type spoken map[direction]string

type direction struct {
	actor    trace.Actor
	protocol ppp.Protocol
}

// tell turns the notes into the steps of the attempt, and tells what the peer looks like.
func (t *tape) tell(a *trace.Attempt, signs trace.Signs) {
	r := reader{t.octets}
	last := spoken{}
	a.Steps = make([]trace.Step, 0, t.notes+t.last)
	for len(r.rest) > 0 {
		kind := r.octet()
		step := trace.Step{Stage: trace.Stage(r.octet()), Actor: trace.Actor(r.octet()), After: r.duration(), Took: r.duration()}
		if kind&notePacket == 0 {
			step.Who, step.What, step.Detail, step.Again = r.text(), r.text(), r.text(), kind&noteAgain != 0
		} else {
			r.packet(&step, last)
		}
		a.Steps = append(a.Steps, step)
	}
	a.LeftOut = t.leftOut
	a.Fingerprint = t.fingerprint(a, signs)
}

// fingerprint tells from the notes, without putting them into words, what the peer looks like.
func (t *tape) fingerprint(a *trace.Attempt, signs trace.Signs) string {
	signs.Vendor, signs.HostName, signs.Port = a.Vendor, a.HostName, a.Peer.Port()
	for r := (reader{t.octets}); len(r.rest) > 0; {
		kind, _, actor := r.octet(), r.octet(), trace.Actor(r.octet())
		r.number()
		r.number()
		if kind&notePacket == 0 {
			for range 3 {
				r.take(r.number())
			}
			continue
		}
		if protocol, octets := r.frame(); actor == trace.Peer && protocol == ppp.LCP {
			hear(&signs, octets)
		}
	}
	return trace.Fingerprint(signs)
}

// frame reads the packet of a note.
func (r *reader) frame() (ppp.Protocol, []byte) {
	protocol := ppp.Protocol(r.octet())<<8 | ppp.Protocol(r.octet())
	return protocol, r.take(uint64(r.octet())<<8 | uint64(r.octet()))
}

// packet puts a PPP control packet into words.
func (r *reader) packet(step *trace.Step, last spoken) {
	protocol, octets := r.frame()
	step.What, step.Detail = ppp.Describe(protocol, octets)
	way := direction{step.Actor, protocol}
	step.Again = last[way] == string(octets) && len(octets) > 0
	last[way] = string(octets)
}

// hear takes from an LCP packet of the peer what tells of its maker.
func hear(signs *trace.Signs, octets []byte) {
	p, err := ppp.ParsePacket(octets)
	switch {
	case err != nil:
	case p.Code == ppp.ConfigureRequest && signs.LCPOptions == nil:
		signs.LCPOptions = []uint8{}
		for o := range ppp.Options(p.Data).All() {
			signs.LCPOptions = append(signs.LCPOptions, o.Type)
			if mru, ok := o.MRU(); ok && o.Type == ppp.LCPMRU {
				signs.MRU = mru
			}
		}
	case p.Code == ppp.Identification && len(p.Data) > 4:
		signs.Identification = append(signs.Identification, ppp.Printable(p.Data[4:]))
	}
}
