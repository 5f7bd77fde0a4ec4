package peers

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Message types of RFC 2661 section 3.2 that the lab speaks of.
const (
	SCCRQ   = 1
	SCCRP   = 2
	SCCCN   = 3
	StopCCN = 4
	HELLO   = 6
	ICRQ    = 10
	ICRP    = 11
	ICCN    = 12
	CDN     = 14
	SLI     = 16
)

// AVP is one attribute (RFC 2661 section 4.1), as it stands on the wire.
type AVP struct {
	Optional bool // the M bit is clear
	Hidden   bool
	Vendor   uint16
	Type     uint16
	Value    []byte
}

// Control is a control message. Without AVPs it is a bare acknowledgement.
type Control struct {
	Tunnel, Session uint16
	Ns, Nr          uint16
	AVPs            []AVP
}

// Type is the message type; 0 for a bare acknowledgement.
func (c Control) Type() uint16 {
	if len(c.AVPs) == 0 || len(c.AVPs[0].Value) != 2 {
		return 0
	}
	return binary.BigEndian.Uint16(c.AVPs[0].Value)
}

// Get returns the value of an AVP of the RFC.
func (c Control) Get(attribute uint16) ([]byte, bool) {
	for _, a := range c.AVPs {
		if a.Vendor == 0 && a.Type == attribute {
			return a.Value, true
		}
	}
	return nil, false
}

// Number returns the value of a 16-bit AVP; 0 when it is not there.
func (c Control) Number(attribute uint16) uint16 {
	v, _ := c.Get(attribute)
	if len(v) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(v)
}

// Result returns what a StopCCN or CDN says: result, error, text.
func (c Control) Result() (result, general uint16, text string) {
	v, _ := c.Get(1)
	if len(v) >= 2 {
		result = binary.BigEndian.Uint16(v)
	}
	if len(v) >= 4 {
		general, text = binary.BigEndian.Uint16(v[2:]), string(v[4:])
	}
	return result, general, text
}

// Octets puts the message on the wire.
func (c Control) Octets() []byte {
	var body []byte
	for _, a := range c.AVPs {
		body = a.append(body)
	}
	b := binary.BigEndian.AppendUint16(nil, 0xc802)
	b = binary.BigEndian.AppendUint16(b, uint16(12+len(body)))
	for _, n := range []uint16{c.Tunnel, c.Session, c.Ns, c.Nr} {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return append(b, body...)
}

func (a AVP) append(b []byte) []byte {
	head := uint16(6 + len(a.Value))
	if !a.Optional {
		head |= 0x8000
	}
	if a.Hidden {
		head |= 0x4000
	}
	b = binary.BigEndian.AppendUint16(b, head)
	b = binary.BigEndian.AppendUint16(b, a.Vendor)
	b = binary.BigEndian.AppendUint16(b, a.Type)
	return append(b, a.Value...)
}

// The faults of a control datagram that strict clients throw away.
var (
	errHeader = errors.New("the header has other bits than T, L, S and version 2")
	errSize   = errors.New("the datagram is not as long as its Length field says")
	errFirst  = errors.New("the first AVP is not a plain Message Type of 8 octets")
	errAVP    = errors.New("an AVP does not fit the message")
)

// ReadControl reads a control datagram as strictly as the strictest client does: Android's mask over the header and its
// test of the first AVP, and xl2tpd's comparison of the lengths.
func ReadControl(b []byte) (c Control, err error) {
	if len(b) < 12 || binary.BigEndian.Uint16(b)&0xcb0f != 0xc802 {
		return c, errHeader
	}
	if int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		return c, errSize
	}
	c.Tunnel, c.Session = binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	c.Ns, c.Nr = binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b[10:])
	for b = b[12:]; len(b) > 0; {
		if len(b) < 6 {
			return c, errAVP
		}
		head := binary.BigEndian.Uint16(b)
		size := int(head & 0x3ff)
		if size < 6 || size > len(b) {
			return c, errAVP
		}
		c.AVPs = append(c.AVPs, AVP{Optional: head&0x8000 == 0, Hidden: head&0x4000 != 0,
			Vendor: binary.BigEndian.Uint16(b[2:]), Type: binary.BigEndian.Uint16(b[4:]), Value: b[6:size]})
		if len(c.AVPs) == 1 && (head != 0x8008 || c.AVPs[0].Vendor != 0 || c.AVPs[0].Type != 0) {
			return c, errFirst
		}
		b = b[size:]
	}
	return c, nil
}

// String is for transcripts.
func (c Control) String() string {
	names := map[uint16]string{0: "ZLB", SCCRQ: "SCCRQ", SCCRP: "SCCRP", SCCCN: "SCCCN", StopCCN: "StopCCN", HELLO: "HELLO",
		ICRQ: "ICRQ", ICRP: "ICRP", ICCN: "ICCN", CDN: "CDN", SLI: "SLI"}
	name := names[c.Type()]
	if name == "" {
		name = fmt.Sprintf("type %d", c.Type())
	}
	text := fmt.Sprintf("%s tunnel %d session %d Ns %d Nr %d", name, c.Tunnel, c.Session, c.Ns, c.Nr)
	if c.Type() == StopCCN || c.Type() == CDN {
		result, general, words := c.Result()
		text += fmt.Sprintf(" result %d/%d %q", result, general, words)
	}
	return text
}

// Message begins a list of AVPs with a message type.
func Message(kind uint16, rest ...AVP) []AVP { return append([]AVP{Number(0, kind)}, rest...) }

// Number is an AVP with 16 bits.
func Number(attribute, value uint16) AVP {
	return AVP{Type: attribute, Value: binary.BigEndian.AppendUint16(nil, value)}
}

// Long is an AVP with 32 bits.
func Long(attribute uint16, value uint32) AVP {
	return AVP{Type: attribute, Value: binary.BigEndian.AppendUint32(nil, value)}
}

// Text is an AVP with characters.
func Text(attribute uint16, value string) AVP { return AVP{Type: attribute, Value: []byte(value)} }

// Vendor makes an AVP that of a vendor, with the M bit clear.
func Vendor(vendor uint16, a AVP) AVP {
	a.Vendor, a.Optional = vendor, true
	return a
}

// Optional clears the M bit.
func Optional(a AVP) AVP {
	a.Optional = true
	return a
}
