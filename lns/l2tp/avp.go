package l2tp

import (
	"encoding/binary"
	"strings"
)

// Bits and sizes of an AVP's header.
const (
	avpMandatory  = 0x8000
	avpHidden     = 0x4000
	avpReserved   = 0x3c00
	avpLengthMask = 0x03ff
	avpHeaderLen  = 6
	maxValue      = avpLengthMask - avpHeaderLen
)

// avp is one attribute value pair (RFC 2661 section 4.1). The value is a view.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|M|H| rsvd  |      Length       |           Vendor ID           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Attribute Type        |        Attribute Value...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type avp struct {
	mandatory, hidden, reserved bool
	vendor                      uint16
	attribute                   Attribute
	value                       []byte
}

// cutAVP reads the first AVP of b. ok is false if b is too short for it or its length makes no sense.
func cutAVP(b []byte) (a avp, rest []byte, ok bool) {
	if len(b) < avpHeaderLen {
		return avp{}, nil, false
	}
	flags := binary.BigEndian.Uint16(b)
	n := int(flags & avpLengthMask)
	if n < avpHeaderLen || n > len(b) {
		return avp{}, nil, false
	}
	return avp{
		mandatory: flags&avpMandatory != 0,
		hidden:    flags&avpHidden != 0,
		reserved:  flags&avpReserved != 0,
		vendor:    binary.BigEndian.Uint16(b[2:]),
		attribute: Attribute(binary.BigEndian.Uint16(b[4:])),
		value:     b[avpHeaderLen:n],
	}, b[n:], true
}

// encoder appends AVPs.
type encoder struct {
	b      []byte
	secret []byte
	vector []byte // nil: nothing is hidden
}

// avp appends an AVP of vendor 0 with the M bit as the RFC wants it, hidden if that is allowed and asked for.
func (e *encoder) avp(a Attribute, value []byte) {
	d := definitions[a]
	flags := uint16(0)
	if d.mandatory {
		flags |= avpMandatory
	}
	e.append(flags, 0, a, value, d.hideable)
}

// vendorAVP appends an optional AVP of another vendor.
func (e *encoder) vendorAVP(vendor uint16, a Attribute, value []byte) {
	e.append(0, vendor, a, value, true)
}

func (e *encoder) append(flags, vendor uint16, a Attribute, value []byte, hideable bool) {
	hidden := hideable && e.vector != nil
	room := maxValue
	if hidden {
		flags |= avpHidden
		room -= hiddenLengthLen
	}
	value = value[:min(len(value), room)]
	n := avpHeaderLen + len(value) + (maxValue - room)
	e.b = binary.BigEndian.AppendUint16(e.b, flags|uint16(n))
	e.b = binary.BigEndian.AppendUint16(e.b, vendor)
	e.b = binary.BigEndian.AppendUint16(e.b, uint16(a))
	if hidden {
		e.b = appendHidden(e.b, a, e.secret, e.vector, value)
		return
	}
	e.b = append(e.b, value...)
}

func (e *encoder) u16(a Attribute, v uint16) { e.avp(a, binary.BigEndian.AppendUint16(nil, v)) }
func (e *encoder) u32(a Attribute, v uint32) { e.avp(a, binary.BigEndian.AppendUint32(nil, v)) }
func (e *encoder) text(a Attribute, v string) {
	e.avp(a, []byte(v))
}

// The may... methods leave out what is zero.

func (e *encoder) mayU16(a Attribute, v uint16) {
	if v != 0 {
		e.u16(a, v)
	}
}

func (e *encoder) mayU32(a Attribute, v uint32) {
	if v != 0 {
		e.u32(a, v)
	}
}

func (e *encoder) mayText(a Attribute, v string) {
	if v != "" {
		e.text(a, v)
	}
}

func (e *encoder) mayBytes(a Attribute, v []byte) {
	if v != nil {
		e.avp(a, v)
	}
}

// Readers of values whose length the table has checked.

func u16(v []byte) uint16 { return binary.BigEndian.Uint16(v) }
func u32(v []byte) uint32 { return binary.BigEndian.Uint32(v) }

// text drops trailing NULs: some clients count the end of a C string as part of it.
func text(v []byte) string { return strings.TrimRight(string(v), "\x00") }

// octets copies a value so that a message never shares memory with a datagram. It is never nil.
func octets(v []byte) []byte { return append(make([]byte, 0, len(v)), v...) }
