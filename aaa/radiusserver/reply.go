package radiusserver

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/wire"
)

// accept makes an Access-Accept. The error is a *aaa.Rejection: what is granted cannot be said to this NAS.
func (s *Server) accept(x *exchange, r *aaa.Request, d *aaa.Decision, m *mark) ([]byte, error) {
	reply := x.packet.Response(radius.CodeAccessAccept)
	for _, echoed := range []struct {
		kind  radius.Type
		value uint32
	}{{wire.TypeServiceType, serviceFramed}, {wire.TypeFramedProtocol, protocolPPP}} {
		if n, there := number(x.packet, echoed.kind); there && n == echoed.value {
			reply.Add(echoed.kind, binary.BigEndian.AppendUint32(nil, n))
		}
	}
	reply.Add(wire.TypeClass, m.encode()) // in front of others: some NASes keep one
	granted := *d
	if r.Proof.Method == aaa.EAP {
		granted.Message = "" // RFC 3579 section 2.6.5: a text beside EAP has no place
	}
	if err := dialect.Encode(reply, &granted, x.client.Equipment); err != nil {
		return nil, cannotSay(x, d, err)
	}
	if err := addProof(reply, r, d); err != nil {
		return nil, cannotSay(x, d, err)
	}
	octets := s.sealed(x, reply)
	if octets == nil {
		return nil, cannotSay(x, d, wire.ErrTooLong)
	}
	return octets, nil
}

func cannotSay(x *exchange, d *aaa.Decision, err error) *aaa.Rejection {
	no := aaa.Reject(aaa.Misconfigured, "what is granted cannot be said to %s equipment: %v", x.client.Equipment, err)
	no.Domain, no.Backend, no.Rule, no.Err = d.Domain, d.Backend, d.Rule, err
	return no
}

// addProof adds what the method has for the peer, and the keys of the link.
func addProof(reply *radius.Packet, r *aaa.Request, d *aaa.Decision) error {
	switch r.Proof.Method {
	case aaa.EAP:
		packet := d.Packet
		if len(packet) == 0 {
			packet = eapEnd(eapSuccess, r.Proof.EAP)
		}
		addEAP(reply, packet)
	case aaa.MSCHAPv2:
		if err := wire.AddVendor(reply, wire.Microsoft, wire.MSCHAP2Success, append([]byte{r.Proof.Identifier}, d.Reply...)); err != nil {
			return err
		}
	}
	return addKeys(reply, &d.Keys)
}

// Values of MS-MPPE-Encryption-Policy and -Types (RFC 2548 section 2.4.4 and 2.4.5): the NAS decides, 40 or 128 bits, unless another
// server wants more.
const (
	encryptionAllowed  = 1
	encryptionRequired = 2
	only128Bits        = 4
	eitherStrength     = 6
)

// addKeys adds the keys of the link (RFC 2548 section 2.4). They are hidden with the secret.
func addKeys(reply *radius.Packet, keys *aaa.Keys) error {
	add := func(kind byte, value []byte, err error) error {
		if err != nil {
			return err
		}
		return wire.AddVendor(reply, wire.Microsoft, kind, value)
	}
	word := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	if nt := keys.NT.Reveal(); nt != "" {
		// 8 octets for LAN Manager, which nothing is made for, then those of NT; the RFC asks for 32 in all.
		value, err := radius.NewUserPassword(append(make([]byte, 8), nt+"\x00\x00\x00\x00\x00\x00\x00\x00"...), reply.Secret, reply.Authenticator[:])
		if err := add(wire.MSCHAPMPPEKeys, value, err); err != nil {
			return err
		}
	}
	if send := keys.Send.Reveal(); send != "" {
		var salt [2]byte
		rand.Read(salt[:]) //nolint:errcheck // never fails
		for i, key := range []string{send, keys.Receive.Reveal()} {
			own := []byte{salt[0] | 0x80, salt[1]&^1 | byte(i)} // no two alike in a packet
			value, err := radius.NewTunnelPassword([]byte(key), own, reply.Secret, reply.Authenticator[:])
			if err := add([...]byte{wire.MSMPPESendKey, wire.MSMPPERecvKey}[i], value, err); err != nil {
				return err
			}
		}
	} else if keys.NT.IsZero() && !keys.Required {
		return nil
	}
	policy, types := uint32(encryptionAllowed), uint32(eitherStrength)
	if keys.Required {
		policy = encryptionRequired
	}
	if keys.Strong {
		types = only128Bits
	}
	if err := add(wire.MSMPPEEncryptionPolicy, word(policy), nil); err != nil {
		return err
	}
	return add(wire.MSMPPEEncryptionTypes, word(types), nil)
}

// challenge makes an Access-Challenge and keeps the conversation.
func (s *Server) challenge(x *exchange, r *aaa.Request, c *aaa.Challenge, began time.Time) []byte {
	reply := x.packet.Response(radius.CodeAccessChallenge)
	addEAP(reply, c.Packet)
	reply.Add(wire.TypeState, s.conversations.wait(conversationOf(r, x.client.Name, c, began), x.came))
	if seconds := c.Timeout / time.Second; seconds > 0 {
		reply.Add(wire.TypeSessionTimeout, binary.BigEndian.AppendUint32(nil, uint32(seconds)))
	}
	return s.sealed(x, reply)
}

// askIdentity answers an EAP-Start, an EAP-Message without a packet in it, of a NAS that leaves it to the server to ask who the peer
// is (RFC 3579 section 2.1). Nothing is kept of it, so there is no State: a conversation begins with the peer's answer, and the
// NAS need not know the name before.
func (s *Server) askIdentity(x *exchange) []byte {
	reply := x.packet.Response(radius.CodeAccessChallenge)
	addEAP(reply, []byte{eapRequest, x.packet.Identifier, 0, 5, eapIdentity})
	return s.sealed(x, reply)
}

// reject makes an Access-Reject. Whatever the reason, it looks the same, but for what another server wants the peer to be told.
// To a request that anybody could have forged it has no more octets than that.
func (s *Server) reject(x *exchange, r *aaa.Request, no *aaa.Rejection) []byte {
	reply := x.packet.Response(radius.CodeAccessReject)
	switch r.Proof.Method {
	case aaa.EAP:
		packet := no.Packet
		if len(packet) == 0 {
			packet = eapEnd(eapFailure, r.Proof.EAP)
		}
		addEAP(reply, packet)
	case aaa.MSCHAPv1, aaa.MSCHAPv2:
		value := append([]byte{r.Proof.Identifier}, failureText(&r.Proof, no.Reply)...)
		_ = wire.AddVendor(reply, wire.Microsoft, wire.MSCHAPError, value) // it was cut to fit
	default:
		for line := range strings.SplitSeq(no.Reply, "\n") {
			for chunk := range slices.Chunk([]byte(line), wire.MaxValue) {
				reply.Add(wire.TypeReplyMessage, chunk)
			}
		}
	}
	octets := s.sealed(x, reply)
	if octets == nil || !x.signed && len(octets) > x.length {
		octets = s.sealed(x, x.packet.Response(radius.CodeAccessReject))
	}
	return octets
}

// failureText is the message of an MS-CHAP Failure (RFC 2759 section 6, RFC 2433 section 6), which must fit in its attribute.
func failureText(p *aaa.Proof, given string) string {
	const longest = 200
	if given != "" {
		return given[:min(len(given), longest)]
	}
	challenge := make([]byte, len(p.Challenge))
	rand.Read(challenge) //nolint:errcheck // never fails
	text := "E=691 R=0 C=" + strings.ToUpper(hex.EncodeToString(challenge[:min(len(challenge), 16)]))
	if p.Method == aaa.MSCHAPv2 {
		text += " V=3 M=Authentication failed"
	}
	return text
}

// Codes of EAP (RFC 3748 section 4), and a type.
const (
	eapRequest = 1
	eapSuccess = 3
	eapFailure = 4

	eapIdentity = 1 // the type of a request
)

// eapEnd makes the packet that ends a conversation, with the identifier of the peer's last (RFC 3748 section 4.2).
func eapEnd(code byte, last []byte) []byte {
	packet := []byte{code, 0, 0, 4}
	if len(last) > 1 {
		packet[1] = last[1]
	}
	return packet
}

// addEAP splits a packet into attributes, in order and side by side (RFC 3579 section 3.1).
func addEAP(reply *radius.Packet, packet []byte) {
	for chunk := range slices.Chunk(packet, wire.MaxValue) {
		reply.Add(wire.TypeEAPMessage, chunk)
	}
}
