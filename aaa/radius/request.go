package radius

import (
	"fmt"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// Sizes of the proofs.
const (
	chapResponseLength      = 16
	mschapChallengeLength   = 16
	mschapV1ChallengeLength = 8
	mschapValueLength       = 49 // RFC 2759 section 4, RFC 2433 section 4
	mschapAttributeLength   = 50 // RFC 2548 section 2.1.3 and 2.3.2
	leastEAP                = 4
)

// checkProof refuses proofs that do not fit in their attributes, before a server is asked.
func checkProof(p *aaa.Proof) *aaa.Rejection {
	malformed := func(format string, args ...any) *aaa.Rejection {
		return aaa.Reject(aaa.MalformedProof, format, args...)
	}
	switch p.Method {
	case aaa.PAP:
		if n := len(p.Password.Reveal()); n > longestPassword {
			return malformed("the password has %d octets, RADIUS carries %d", n, longestPassword)
		}
	case aaa.CHAP:
		if len(p.Response) != chapResponseLength || len(p.Challenge) == 0 || len(p.Challenge) > longestValue {
			return malformed("a CHAP response of %d octets to a challenge of %d", len(p.Response), len(p.Challenge))
		}
	case aaa.MSCHAPv2:
		if len(p.Response) != mschapValueLength || len(p.Challenge) != mschapChallengeLength {
			return malformed("an MS-CHAPv2 response of %d octets to a challenge of %d", len(p.Response), len(p.Challenge))
		}
	case aaa.MSCHAPv1:
		if len(p.Response) != mschapValueLength || len(p.Challenge) != mschapV1ChallengeLength {
			return malformed("an MS-CHAPv1 response of %d octets to a challenge of %d", len(p.Response), len(p.Challenge))
		}
	case aaa.EAP:
		if len(p.EAP) < leastEAP {
			return malformed("an EAP packet of %d octets", len(p.EAP))
		}
	default:
		return aaa.Reject(aaa.MethodNotAllowed, "RADIUS has no way to carry a proof of method %s", p.Method)
	}
	return nil
}

// userName is what the user is called in requests. EAP names the identity that the peer gave, octet by octet (RFC 3579
// section 2.1): servers compare the two.
func (b *Backend) userName(q *aaa.Query) string {
	if q.Request.Proof.Method == aaa.EAP {
		return q.Request.Name
	}
	return b.config.Names.name(q.Identity, q.Domain)
}

// build adds the attributes of an Access-Request. The state is that of the server's Challenge.
func (b *Backend) build(p *radius.Packet, q *aaa.Query, state []byte) error {
	r, w := q.Request, writer{p}
	w.text(wire.TypeUserName, b.userName(q))
	if err := w.addProof(&r.Proof); err != nil {
		return err
	}
	w.octets(wire.TypeState, state)
	line := callOfRequest(r)
	w.addNAS(b.config.NAS, &line)
	w.addCall(&line)
	if r.MTU > 0 {
		w.number(wire.TypeFramedMTU, uint32(r.MTU))
	}
	return nil
}

// addProof adds what the peer showed. The proof has passed checkProof.
func (w writer) addProof(proof *aaa.Proof) error {
	switch proof.Method {
	case aaa.PAP:
		hidden, err := radius.NewUserPassword([]byte(proof.Password.Reveal()), w.p.Secret, w.p.Authenticator[:])
		if err != nil {
			return fmt.Errorf("hiding the password: %w", err)
		}
		w.p.Add(wire.TypeUserPassword, hidden)
	case aaa.CHAP:
		// The challenge always goes into an attribute of its own: it need not have the 16 octets of the authenticator.
		w.octets(wire.TypeCHAPPassword, append([]byte{proof.Identifier}, proof.Response...))
		w.octets(wire.TypeCHAPChallenge, proof.Challenge)
	case aaa.MSCHAPv1, aaa.MSCHAPv2:
		if err := wire.AddVendor(w.p, wire.Microsoft, wire.MSCHAPChallenge, proof.Challenge); err != nil {
			return err
		}
		kind := wire.MSCHAPResponse
		if proof.Method == aaa.MSCHAPv2 {
			kind = wire.MSCHAP2Response
		}
		return wire.AddVendor(w.p, wire.Microsoft, kind, mschapResponse(proof))
	case aaa.EAP:
		w.addEAP(proof.EAP)
	}
	return nil
}

// mschapResponse turns the Value of RFC 2759 section 4 or RFC 2433 section 4, which ends with the flags, into that of RFC 2548
// section 2.3.2 or 2.1.3, which begins with identifier and flags.
func mschapResponse(proof *aaa.Proof) []byte {
	flags := proof.Response[mschapValueLength-1]
	value := make([]byte, 0, mschapAttributeLength)
	value = append(value, proof.Identifier, flags)
	return append(value, proof.Response[:mschapValueLength-1]...)
}
