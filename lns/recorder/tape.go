package recorder

import (
	"encoding/binary"
	"sync"
	"time"

	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
)

// Bounds of one story. What comes last is why it ended, so there is always room for a few more notes.
const (
	maxNotes  = 200
	maxOctets = 16 << 10
	lastNotes = 8
	maxText   = 400 // octets of one string
)

// tape holds notes one behind the other, as octets: appending one costs next to nothing, and a tape that is kept is one piece of
// memory without pointers.
//
//	+------+-------+-------+--------------+-------------+------------------------------------------------------+
//	| kind | stage | actor | after, in µs | took, in µs | who, what, detail: length and octets, or              |
//	| and flags    |       | (varint)     | (varint)    | protocol (2 octets), length and octets of the packet |
//	+------+-------+-------+--------------+-------------+------------------------------------------------------+
type tape struct {
	octets  []byte
	notes   int
	last    int // notes beyond the bound
	leftOut int
}

// Kinds of notes, and a flag.
const (
	noteWords  = 0
	notePacket = 1
	noteAgain  = 0x80
)

// tapeSize is room for a login as it usually goes.
const tapeSize = 3 << 10

var tapes = sync.Pool{New: func() any { return new([tapeSize]byte) }}

func newTape() tape { return tape{octets: tapes.Get().(*[tapeSize]byte)[:0]} }

// settle moves the notes to memory of just their size.
func (t *tape) settle() {
	exact := make([]byte, len(t.octets))
	copy(exact, t.octets)
	t.free()
	t.octets = exact
}

// free gives the memory to the next story.
func (t *tape) free() {
	if cap(t.octets) == tapeSize {
		tapes.Put((*[tapeSize]byte)(t.octets[:tapeSize]))
	}
	t.octets = nil
}

// slack is how much a tape that has been settled grows by: the end of a session is a few notes.
const slack = 256

// add appends to the notes what f appends. The memory stays the same as long as it suffices: then only the length is written, which,
// unlike a pointer, the garbage collector need not be told.
func (t *tape) add(most int, f func(b []byte) []byte) {
	if len(t.octets)+most > cap(t.octets) {
		grown := make([]byte, len(t.octets), len(t.octets)+most+slack)
		copy(grown, t.octets)
		t.free()
		t.octets = grown
	}
	t.octets = t.octets[:len(f(t.octets))]
}

// room says whether a note may be taken, and counts it.
func (t *tape) room(last bool) bool {
	full := t.notes >= maxNotes || len(t.octets) >= maxOctets
	switch {
	case !full:
		t.notes++
	case last && t.last < lastNotes:
		t.last++
	default:
		t.leftOut++
		return false
	}
	return true
}

// words notes a step in words.
func (t *tape) words(s trace.Step) {
	if !t.room(s.Stage == trace.StageEnd) {
		return
	}
	kind := byte(noteWords)
	if s.Again {
		kind |= noteAgain
	}
	t.add(maxHead+3*binary.MaxVarintLen16+length(s.Who)+length(s.What)+length(s.Detail), func(b []byte) []byte {
		b = appendHead(b, kind, s.Stage, s.Actor, s.After, s.Took)
		return appendText(appendText(appendText(b, s.Who), s.What), s.Detail)
	})
}

// packet notes a PPP control packet, masked.
func (t *tape) packet(actor trace.Actor, after time.Duration, f ppp.Frame) {
	if !t.room(false) {
		return
	}
	t.add(maxHead+4+len(f.Packet), func(b []byte) []byte {
		b = appendHead(b, notePacket, stageOf(f.Protocol), actor, after, 0)
		b = append(b, byte(f.Protocol>>8), byte(f.Protocol), 0, 0)
		at := len(b)
		b = ppp.AppendMasked(b, f.Protocol, f.Packet)
		binary.BigEndian.PutUint16(b[at-2:], uint16(len(b)-at))
		return b
	})
}

const maxHead = 3 + 2*binary.MaxVarintLen64

func appendHead(b []byte, kind byte, stage trace.Stage, actor trace.Actor, after, took time.Duration) []byte {
	b = append(b, kind, byte(stage), byte(actor))
	b = binary.AppendUvarint(b, micros(after))
	return binary.AppendUvarint(b, micros(took))
}

func length(s string) int { return min(len(s), maxText) }

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(length(s)))
	return append(b, s[:length(s)]...)
}

func micros(d time.Duration) uint64 { return uint64(max(0, d.Microseconds())) }

func stageOf(p ppp.Protocol) trace.Stage {
	switch p {
	case ppp.LCP:
		return trace.StageLink
	case ppp.PAP, ppp.CHAP, ppp.EAP:
		return trace.StageAuthentication
	default:
		return trace.StageNetwork
	}
}
