package packet

import "encoding/binary"

// Flags of a fragment. The low three bits are the version of PEAP and TTLS.
const (
	flagLength  = 0x80
	flagMore    = 0x40
	flagStart   = 0x20
	maskVersion = 0x07
)

// LongestMessage bounds a message of TLS that comes in fragments. Long chains of certificates have some 20 KiB.
const LongestMessage = 64 << 10

// Fragment is the Type-Data of TLS, PEAP and TTLS (RFC 5216 section 3.1, RFC 5281 section 9.1).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|L M S R R Vers |  TLS Message Length (with L)
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	                |  TLS Data ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Fragment struct {
	Sized   bool // Total is said
	More    bool // others follow
	Start   bool // the server asks the peer to begin
	Version uint8
	Total   uint32 // octets of the whole message
	Data    []byte
}

// ParseFragment reads it. Data is part of b. A length that is said without data is of no message.
func ParseFragment(b []byte) (Fragment, error) {
	if len(b) == 0 {
		return Fragment{}, ErrMalformed
	}
	f := Fragment{Sized: b[0]&flagLength != 0, More: b[0]&flagMore != 0, Start: b[0]&flagStart != 0, Version: b[0] & maskVersion}
	b = b[1:]
	if f.Sized {
		if len(b) < 4 {
			return Fragment{}, ErrMalformed
		}
		f.Total, b = binary.BigEndian.Uint32(b), b[4:]
	}
	f.Data = b
	return f, nil
}

// Append writes it.
func (f Fragment) Append(b []byte) []byte {
	flags := f.Version & maskVersion
	if f.Sized {
		flags |= flagLength
	}
	if f.More {
		flags |= flagMore
	}
	if f.Start {
		flags |= flagStart
	}
	b = append(b, flags)
	if f.Sized {
		b = binary.BigEndian.AppendUint32(b, f.Total)
	}
	return append(b, f.Data...)
}

// IsAck says that it acknowledges a fragment, or a message that wants no answer: nothing is in it.
func (f Fragment) IsAck() bool { return !f.More && !f.Start && len(f.Data) == 0 }

// Reassembly puts a message together. The zero value waits for the first fragment.
type Reassembly struct {
	octets []byte
	total  uint32 // as the first fragment says; 0 = it did not
	open   bool
}

// Add takes the next fragment. With the last one it returns the message; until then nil, and the fragment has to be
// acknowledged. A message that is longer than it says, or than LongestMessage, is malformed, and so is a fragment with
// nothing in it of which others are to follow.
func (r *Reassembly) Add(f Fragment) (message []byte, err error) {
	if !r.open {
		r.octets, r.total, r.open = nil, f.Total, true
	}
	size := len(r.octets) + len(f.Data)
	switch {
	case f.More && len(f.Data) == 0, size > LongestMessage, r.total > LongestMessage, f.Sized && f.Total != r.total,
		r.total > 0 && size > int(r.total), r.total > 0 && !f.More && size < int(r.total):
		*r = Reassembly{}
		return nil, ErrMalformed
	}
	r.octets = append(r.octets, f.Data...)
	if f.More {
		return nil, nil
	}
	message = r.octets
	*r = Reassembly{}
	if message == nil {
		message = []byte{}
	}
	return message, nil
}

// Open says that more fragments of a message are to come.
func (r *Reassembly) Open() bool { return r.open }

// Outgoing is a message on its way out in fragments. The zero value has nothing to send.
type Outgoing struct {
	rest  []byte
	total int
	begun bool
}

// NewOutgoing cuts up a message.
func NewOutgoing(message []byte) Outgoing { return Outgoing{rest: message, total: len(message)} }

// Next is the next fragment, of at most room octets of Type-Data, of which at least six are needed. Only the first fragment of
// several says how long the message is (RFC 5216 section 2.1.5).
func (o *Outgoing) Next(room int) Fragment {
	f := Fragment{More: len(o.rest) > room-1}
	if f.More && !o.begun {
		f.Sized, f.Total = true, uint32(o.total)
		room -= 4
	}
	o.begun = true
	n := min(len(o.rest), max(room-1, 1))
	f.Data, o.rest = o.rest[:n], o.rest[n:]
	return f
}

// Waiting says that fragments are left.
func (o *Outgoing) Waiting() bool { return len(o.rest) > 0 }
