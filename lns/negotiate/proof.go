package negotiate

import (
	"crypto/subtle"
	"encoding/binary"

	"lnsgate/lns/ppp"
)

// proofID is the identifier of an Echo-Request that wants a proof. The answer needs no other: it is told by its contents.
const proofID = 0xe5

// Question is an Echo-Request outside the keep-alive. Its answer carries the magic number that the peer has chosen (RFC
// 1661 section 5.8), which nobody knows who has not seen the link. False when the link is not open, or the peer has none.
func (l *LCP) Question() (packet []byte, ok bool) {
	if l.m.state != Opened || l.peer.magic == 0 {
		return nil, false
	}
	return ppp.Packet{Code: ppp.EchoRequest, Identifier: proofID, Data: l.magicField()}.Append(nil), true
}

// Proves says that a packet answers a Question as only the peer can.
func (l *LCP) Proves(packet []byte) bool {
	p, err := ppp.ParsePacket(packet)
	if err != nil || p.Code != ppp.EchoReply || p.Identifier != proofID || len(p.Data) < magicSize || l.peer.magic == 0 {
		return false
	}
	want := binary.BigEndian.AppendUint32(nil, l.peer.magic)
	return subtle.ConstantTimeCompare(p.Data[:magicSize], want) == 1
}
