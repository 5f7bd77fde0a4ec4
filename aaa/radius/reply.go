package radius

import (
	"bytes"
	"encoding/binary"
	"strings"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/wire"
)

// addResult adds to a grant what the peer has to see of the yes.
func addResult(g *aaa.Grant, q *aaa.Query, reply client.Reply) *aaa.Rejection {
	switch q.Request.Proof.Method {
	case aaa.MSCHAPv2:
		g.Reply = afterIdentifier(reply.Packet, wire.MSCHAP2Success)
		if !strings.HasPrefix(g.Reply, "S=") {
			return aaa.Reject(aaa.Misconfigured, "RADIUS server %s accepts without MS-CHAP2-Success: the peer could not "+
				"check who it talks to and would hang up; turn on MS-CHAPv2 at the server", reply.Who()).For(aaa.RADIUSGrant)
		}
	case aaa.EAP:
		// RFC 3579 section 2.6.3: what the peer is told and what is done must agree.
		if g.Packet = eapOf(reply.Packet); !eapIs(g.Packet, eapSuccess) {
			return aaa.Reject(aaa.Refused, "RADIUS server %s accepts without EAP-Success, which counts as a no", reply.Who())
		}
	}
	return nil
}

// afterIdentifier is the text of an attribute of MS-CHAP, which begins with the identifier of the PPP packet.
func afterIdentifier(p *radius.Packet, kind byte) string {
	value, _ := wire.LookupVendor(p, wire.Microsoft, kind)
	if len(value) == 0 {
		return ""
	}
	return string(value[1:])
}

// message is every Reply-Message, in order.
func message(p *radius.Packet) string {
	return string(bytes.Join(wire.All(p, wire.TypeReplyMessage), []byte("\n")))
}

// refuse reads a no.
func refuse(q *aaa.Query, reply client.Reply) *aaa.Rejection {
	text := message(reply.Packet)
	rejection := aaa.Reject(aaa.Refused, "RADIUS server %s says no", reply.Who())
	if text != "" {
		rejection = aaa.Reject(aaa.Refused, "RADIUS server %s says no: %q", reply.Who(), text)
	}
	switch q.Request.Proof.Method {
	case aaa.MSCHAPv1, aaa.MSCHAPv2:
		rejection.Reply = afterIdentifier(reply.Packet, wire.MSCHAPError)
	case aaa.EAP:
		if packet := eapOf(reply.Packet); eapIs(packet, eapFailure) {
			rejection.Packet = packet
		}
	default:
		rejection.Reply = text
	}
	return rejection
}

// challenge reads a wish to hear more. PAP and CHAP have no way to ask the peer for more, so there it is a no (RFC 2865 section
// 4.4).
func challenge(q *aaa.Query, reply client.Reply) error {
	if q.Request.Proof.Method != aaa.EAP {
		rejection := refuse(q, reply)
		rejection.Detail += "; it asked for one more answer, which only EAP can carry"
		return rejection
	}
	packet := eapOf(reply.Packet)
	if !eapIs(packet, eapRequest) {
		return aaa.Reject(aaa.Refused, "RADIUS server %s asks for more without an EAP-Request, which counts as a no", reply.Who())
	}
	c := &aaa.Challenge{Packet: packet, State: sealState(reply.Server, reply.Packet.Get(wire.TypeState))}
	if timeout := reply.Packet.Get(wire.TypeSessionTimeout); len(timeout) == 4 {
		c.Timeout = time.Duration(binary.BigEndian.Uint32(timeout)) * time.Second
	}
	return c
}
