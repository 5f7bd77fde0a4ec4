package ppp

import (
	"bytes"
	"iter"
)

// Option is one entry of the option list of a Configure packet (RFC 1661
// section 6):
//
//	 0                   1
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Type      |    Length     |  Value ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// What a type means depends on the protocol.
type Option struct {
	Type  uint8
	Value []byte
}

// optionHeader is the size of type and length; the length field counts it.
const optionHeader = 2

// Append appends the option with its header. A value longer than the length
// field can say (253 octets) is cut.
func (o Option) Append(b []byte) []byte {
	value := o.Value[:min(len(o.Value), 0xff-optionHeader)]
	b = append(b, o.Type, byte(len(value)+optionHeader))
	return append(b, value...)
}

// Equal says whether both options have the same octets on the wire.
func (o Option) Equal(p Option) bool { return o.Type == p.Type && bytes.Equal(o.Value, p.Value) }

// Options is the data of a Configure packet: options one after the other.
type Options []byte

// Check says whether the list can be walked to its end: nil or ErrOption. The
// empty list is in order.
func (l Options) Check() error {
	for len(l) > 0 {
		if len(l) < optionHeader || l[1] < optionHeader || int(l[1]) > len(l) {
			return ErrOption
		}
		l = l[l[1]:]
	}
	return nil
}

// All walks the list. It ends at the first option that does not fit; call Check
// before where that matters. The values are views into the list.
func (l Options) All() iter.Seq[Option] {
	return func(yield func(Option) bool) {
		rest := l
		for len(rest) >= optionHeader {
			n := int(rest[1])
			if n < optionHeader || n > len(rest) {
				return
			}
			if !yield(Option{Type: rest[0], Value: rest[optionHeader:n:n]}) {
				return
			}
			rest = rest[n:]
		}
	}
}

// Contains says whether the very same option, type and value, is in the list.
func (l Options) Contains(o Option) bool {
	for have := range l.All() {
		if have.Equal(o) {
			return true
		}
	}
	return false
}
