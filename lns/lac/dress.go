package lac

import (
	"encoding/binary"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// avpHeader is the length of an AVP's own header (RFC 2661 section 4.1), messageType that of the AVP that opens a message.
const (
	avpHeader   = 6
	messageType = 8
)

// rawAVP is an AVP as it stands in a message of ours.
type rawAVP struct {
	kind  uint16
	all   []byte // header and value
	taken bool
}

// dress rewrites a control message of ours as the profile's client would have said it: its AVPs, in its order. A message
// that hides AVPs stays as it is, because their order is part of the secret.
func (p *Profile) dress(datagram []byte) []byte {
	h, body, err := l2tp.ParseHeader(datagram)
	if p == nil || err != nil || len(body) < messageType {
		return datagram
	}
	list := p.attributes(l2tp.PeekType(body))
	own, plain := split(body[messageType:])
	if list == nil || !plain {
		return datagram
	}
	out := append([]byte(nil), body[:messageType]...)
	for _, a := range list {
		out = a.append(out, own)
	}
	for _, a := range own {
		if !a.taken {
			out = append(out, a.all...)
		}
	}
	return l2tp.AppendControl(nil, h.Tunnel, h.Session, h.Ns, h.Nr, out)
}

// split takes a message apart; false when something in it is hidden or of another vendor.
func split(body []byte) (list []rawAVP, plain bool) {
	for len(body) >= avpHeader {
		head := binary.BigEndian.Uint16(body)
		n := int(head & 0x3ff)
		if n < avpHeader || n > len(body) || head&0x4000 != 0 || binary.BigEndian.Uint16(body[2:]) != 0 {
			return nil, false
		}
		list = append(list, rawAVP{kind: binary.BigEndian.Uint16(body[4:]), all: body[:n]})
		body = body[n:]
	}
	return list, len(body) == 0
}

// append adds the AVP, with the value of ours of the same kind where the profile has none.
func (a Attribute) append(out []byte, own []rawAVP) []byte {
	value := a.Value
	for i := range own {
		if own[i].kind == a.Kind {
			own[i].taken = true
			if value == nil {
				value = append(own[i].all[avpHeader:len(own[i].all):len(own[i].all)], a.Tail...)
			}
		}
	}
	if value == nil {
		return out // nothing to say
	}
	head := uint16(avpHeader + len(value))
	if !a.Optional {
		head |= 0x8000
	}
	out = binary.BigEndian.AppendUint16(out, head)
	out = binary.BigEndian.AppendUint16(out, 0)
	out = binary.BigEndian.AppendUint16(out, a.Kind)
	return append(out, value...)
}

// hellos are the messages before the first one, for no tunnel: they only wake up IPsec.
func (p *Profile) hellos() (list [][]byte) {
	if p == nil {
		return nil
	}
	body := l2tp.Append(nil, l2tp.Hello{}, l2tp.AppendOptions{})
	for range p.Hellos {
		list = append(list, l2tp.AppendControl(nil, 0, 0, 0, 0, body))
	}
	return list
}

// identifications are the frames with which it introduces itself (RFC 1570 section 2.3).
func (p *Profile) identifications(magic uint32) (list []ppp.Frame) {
	for i, text := range p.Identify {
		data := append(binary.BigEndian.AppendUint32(nil, magic), text...)
		packet := ppp.Packet{Code: ppp.Identification, Identifier: uint8(0x40 + i), Data: data}
		list = append(list, ppp.Frame{Protocol: ppp.LCP, Packet: packet.Append(nil)})
	}
	return list
}
