package negotiate

import (
	"time"

	"lnsgate/lns/ppp"
)

// verdict is what we say to one option of the peer's Configure-Request. The
// highest of a request decides its answer (RFC 1661 section 5).
type verdict uint8

const (
	acceptable verdict = iota
	wrongValue         // Configure-Nak: the option is fine, the value is not
	unwanted           // Configure-Reject
)

// policy is what one protocol adds to the automaton: the meaning of its options.
// The machine owns the packets, the counters and the timer.
type policy interface {
	protocol() ppp.Protocol
	timing() *Timing
	// limit is the largest packet that the peer takes, in octets.
	limit() int

	// reset forgets what was agreed: a negotiation begins from the defaults.
	reset()
	// appendRequest appends the options of our Configure-Request. It writes the
	// same octets until reset, naked or rejected changes what we ask for.
	appendRequest(b []byte) []byte
	// naked and rejected take the peer's answer to our request. The reason, if
	// there is one, ends the negotiation. False marks an answer that breaks the
	// RFC and is dropped.
	naked(list ppp.Options, now time.Time) (Reason, bool)
	rejected(list ppp.Options) (Reason, bool)

	// weigh judges an option of the peer, and appendNak appends the value that
	// would have been right.
	weigh(o ppp.Option) verdict
	appendNak(b []byte, o ppp.Option) []byte
	// appendMissing appends to a Configure-Nak what the peer ought to ask for;
	// none if there is nothing missing.
	appendMissing(b []byte, list ppp.Options) []byte
	// rejectable says whether a repeated Nak of this option may turn into a
	// Reject.
	rejectable(optionType uint8) bool
	// commit takes over the options that are being acknowledged.
	commit(list ppp.Options)

	// opened is called when the state becomes Opened.
	opened(now time.Time)
	// extra handles a code beyond the seven that all protocols share; false if it
	// is unknown.
	extra(in ppp.Packet, now time.Time, out *Out) bool
	// codeRejected is told a code of our own that the peer does not know; false
	// if we cannot do without it.
	codeRejected(code ppp.Code) bool
	// echo answers an Echo-Request, takes an Echo-Reply, drops a Discard-Request.
	echo(in ppp.Packet, now time.Time, out *Out)
}

// judge weighs the peer's Configure-Request and writes the answer to it. With
// stubborn set, the peer has had enough Naks: what it does not change is
// rejected, and what it does not ask for is not proposed to it any more.
func judge(p policy, in ppp.Packet, stubborn bool) (good bool, answer []byte) {
	list := ppp.Options(in.Data)
	weigh := func(o ppp.Option) verdict {
		v := p.weigh(o)
		if v == wrongValue && stubborn && p.rejectable(o.Type) {
			return unwanted
		}
		return v
	}
	worst := acceptable
	for o := range list.All() {
		worst = max(worst, weigh(o))
	}
	answer = make([]byte, ppp.HeaderSize, ppp.HeaderSize+len(in.Data)+optionRoom)
	switch worst {
	case unwanted:
		for o := range list.All() {
			if weigh(o) == unwanted {
				answer = o.Append(answer)
			}
		}
		return false, seal(answer, ppp.ConfigureReject, in.Identifier)
	case wrongValue:
		for o := range list.All() {
			if weigh(o) == wrongValue && len(answer)+optionRoom <= p.limit() {
				answer = p.appendNak(answer, o)
			}
		}
	}
	if !stubborn {
		answer = p.appendMissing(answer, list)
	}
	if len(answer) > ppp.HeaderSize {
		return false, seal(answer, ppp.ConfigureNak, in.Identifier)
	}
	return true, seal(append(answer, in.Data...), ppp.ConfigureAck, in.Identifier)
}

// optionRoom is more than any option that we ever write takes.
const optionRoom = 16

// seal writes the header into the first octets of a packet that was built
// behind it.
func seal(packet []byte, code ppp.Code, id uint8) []byte {
	packet[0], packet[1] = byte(code), id
	packet[2], packet[3] = byte(len(packet)>>8), byte(len(packet))
	return packet
}
