package radius

import (
	"bytes"
	"encoding/binary"
	"slices"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// Codes of EAP (RFC 3748 section 4).
const (
	eapRequest = 1
	eapSuccess = 3
	eapFailure = 4
)

// addEAP splits a packet into attributes, in order and side by side (RFC 3579 section 3.1).
func (w writer) addEAP(packet []byte) {
	for chunk := range slices.Chunk(packet, longestValue) {
		w.octets(wire.TypeEAPMessage, chunk)
	}
}

// eapOf puts the EAP packet of a reply together. Octets behind its own length are padding and are cut off; one that is shorter
// than it says, or has a code outside of the four, is none.
func eapOf(p *radius.Packet) []byte {
	packet := bytes.Join(wire.All(p, wire.TypeEAPMessage), nil)
	if len(packet) < leastEAP {
		return nil
	}
	length := int(binary.BigEndian.Uint16(packet[2:]))
	if length < leastEAP || length > len(packet) || packet[0] < eapRequest || packet[0] > eapFailure {
		return nil
	}
	return packet[:length:length]
}

// eapIs says whether the packet has that code.
func eapIs(packet []byte, code byte) bool { return len(packet) >= leastEAP && packet[0] == code }

// sealState makes one State of the server's name and its State: the answer goes to the same server (RFC 3579 section
// 2.6.1). It never leaves this process.
func sealState(server string, state []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(server)))
	b = append(b, server...)
	return append(b, state...)
}

// openState takes it apart.
func openState(b []byte) (server string, state []byte, err *aaa.Rejection) {
	if len(b) == 0 {
		return "", nil, nil
	}
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return "", nil, aaa.Reject(aaa.MalformedProof, "the state of the conversation with the RADIUS server is damaged").For(aaa.EAPBrokeOff)
	}
	b = b[size:]
	return string(b[:n]), b[n:], nil
}
