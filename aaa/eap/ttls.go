package eap

import (
	"bytes"
	"slices"

	"lnsgate/aaa"
	"lnsgate/aaa/eap/packet"
)

// The AVPs that a peer may send (RFC 5281 section 11): those of RADIUS, and those of Microsoft for MS-CHAP.
const (
	avpUserName      = 1
	avpUserPassword  = 2
	avpCHAPPassword  = 3
	avpCHAPChallenge = 60
	avpEAPMessage    = 79

	avpMSCHAPResponse  = 1
	avpMSCHAPChallenge = 11
	avpMSCHAP2Response = 25
	avpMSCHAP2Success  = 26
)

// labelChallenge derives what CHAP and MS-CHAP would be sent as a challenge (RFC 5281 section 11.1).
const labelChallenge = "ttls challenge"

// Lengths in octets.
const (
	chapAVP           = 17 // identifier, response
	mschapAVP         = 50 // identifier, flags, 48 octets
	challengeLengthV1 = 8
)

// ttls is the inside of TTLS version 0 (RFC 5281): the peer shows a password in one of several ways, or speaks EAP.
type ttls struct {
	dialog *dialog       // once the peer speaks EAP
	yes    *aaa.Decision // waits for the peer to believe an MS-CHAPv2 response
}

func newTTLS() interior { return &ttls{} }

func (*ttls) keys(t *tunnel) (aaa.Keys, error) { return t.keys(labelTTLS, nil) }

func (m *ttls) hear(t *turn, tunnel *tunnel, plain []byte) move {
	if m.yes != nil {
		if len(plain) != 0 {
			return malformed("ttls: the peer has something to say when all is said")
		}
		return move{yes: m.yes}
	}
	list, err := packet.ParseAVPs(plain)
	if err != nil {
		return malformed("ttls: what the peer says inside are no AVPs")
	}
	shown, no := gather(list)
	switch {
	case no != nil:
		return refuse(no)
	case len(list) == 0:
		return move{odd: true}
	case shown.eap != nil:
		return m.speak(t, shown.eap)
	case m.dialog != nil:
		return malformed("ttls: the peer spoke EAP and does not any more")
	}
	return m.check(t, tunnel, shown)
}

// shown are the AVPs of a message.
type shown struct {
	name                                string
	password, chap, mschap, mschap2     []byte
	chapChallenge, mschapChallenge, eap []byte
}

// place says where an AVP goes. Nil: it is not known.
func (s *shown) place(a packet.AVP) *[]byte {
	switch {
	case a.Vendor == packet.VendorMicrosoft:
		return map[uint32]*[]byte{avpMSCHAPResponse: &s.mschap, avpMSCHAPChallenge: &s.mschapChallenge, avpMSCHAP2Response: &s.mschap2}[a.Code]
	case a.Vendor != 0:
		return nil
	}
	return map[uint32]*[]byte{avpUserPassword: &s.password, avpCHAPPassword: &s.chap, avpCHAPChallenge: &s.chapChallenge, avpEAPMessage: &s.eap}[a.Code]
}

// gather sorts AVPs. Each may be there once, but for the parts of an EAP packet. One that is not known and must be is a no (RFC
// 5281 section 10.1).
func gather(list []packet.AVP) (s shown, no *aaa.Rejection) {
	var named bool
	for _, a := range list {
		if a.Vendor == 0 && a.Code == avpUserName && !named {
			named, s.name = true, string(a.Data)
			continue
		}
		place := s.place(a)
		switch {
		case place == nil && !a.Mandatory:
		case place == nil, *place != nil && place != &s.eap:
			return s, aaa.Reject(aaa.MalformedProof, "ttls: AVP %d of vendor %d is not known, or is there twice", a.Code, a.Vendor)
		default:
			*place = append(*place, a.Data...)
			if *place == nil {
				*place = []byte{}
			}
		}
	}
	return s, nil
}

// speak goes on with EAP inside. Its packets have their headers (RFC 5281 section 11.2.1).
func (m *ttls) speak(t *turn, octets []byte) move {
	p, err := packet.Parse(octets)
	if err != nil {
		return malformed("ttls: what the peer says inside is no EAP")
	}
	own := *t
	own.proven = nil
	var r reply
	switch {
	case m.dialog != nil:
		r = m.dialog.take(&own, p)
	case p.Code != packet.Response || p.Type != packet.Identity:
		return malformed("ttls: the peer does not say inside who it is")
	default:
		m.dialog = &dialog{choices: []choice{{packet.MSCHAPv2, newMSCHAPv2}, {packet.GTC, newGTC}, {packet.MD5Challenge, newMD5}}}
		r = m.dialog.begin(p)
	}
	if r.odd {
		return malformed("ttls: what the peer says inside is no answer to what it was asked")
	}
	if r.yes != nil || r.no != nil {
		return move{yes: r.yes, no: r.no}
	}
	return move{say: packet.AVP{Code: avpEAPMessage, Mandatory: true, Data: r.request.Append(nil)}.Append(nil)}
}

// check has a password checked that was shown by AVPs.
func (m *ttls) check(t *turn, tunnel *tunnel, s shown) move {
	proof, no := s.proof(tunnel)
	if no != nil {
		return refuse(no)
	}
	d, no := t.prove(s.name, proof)
	if no != nil || proof.Method != aaa.MSCHAPv2 {
		return move{yes: d, no: no}
	}
	// The peer answers nothing to it, which says that it believes it (RFC 5281 section 11.2.4).
	m.yes = d
	success := packet.AVP{Code: avpMSCHAP2Success, Vendor: packet.VendorMicrosoft, Mandatory: true, Data: append([]byte{proof.Identifier}, d.Reply...)}
	return move{say: success.Append(nil)}
}

// proof is the one proof among the AVPs. A challenge is not sent but derived: what the peer says it is has to be the same, or
// somebody is answering with what was overheard elsewhere.
func (s *shown) proof(tunnel *tunnel) (aaa.Proof, *aaa.Rejection) {
	switch {
	case s.name == "":
		return aaa.Proof{}, aaa.Reject(aaa.MalformedProof, "ttls: the peer does not say inside who it is")
	case count(s.password, s.chap, s.mschap, s.mschap2) != 1:
		return aaa.Proof{}, aaa.Reject(aaa.MalformedProof, "ttls: there must be one proof of who the peer is")
	case s.password != nil: // filled up with zeros (RFC 5281 section 11.2.5)
		return aaa.Proof{Method: aaa.PAP, Password: aaa.NewSecret(string(bytes.TrimRight(s.password, "\x00")))}, nil
	case len(s.chap) == chapAVP:
		return derived(tunnel, aaa.Proof{Method: aaa.CHAP, Identifier: s.chap[0], Challenge: s.chapChallenge, Response: s.chap[1:]}, challengeLength)
	case len(s.mschap) == mschapAVP:
		return derived(tunnel, aaa.Proof{Method: aaa.MSCHAPv1, Identifier: s.mschap[0], Challenge: s.mschapChallenge, Response: valueOf(s.mschap)}, challengeLengthV1)
	case len(s.mschap2) == mschapAVP:
		return derived(tunnel, aaa.Proof{Method: aaa.MSCHAPv2, Identifier: s.mschap2[0], Challenge: s.mschapChallenge, Response: valueOf(s.mschap2)}, challengeLength)
	}
	return aaa.Proof{}, aaa.Reject(aaa.MalformedProof, "ttls: a response has a wrong length")
}

func count(proofs ...[]byte) (n int) {
	for _, p := range proofs {
		if p != nil {
			n++
		}
	}
	return n
}

// valueOf is the value of a response as PPP has it: the flags are behind, not in front.
func valueOf(avp []byte) []byte { return append(slices.Clone(avp[2:]), avp[1]) }

// derived checks that a response answers the challenge of this tunnel.
func derived(tunnel *tunnel, p aaa.Proof, length int) (aaa.Proof, *aaa.Rejection) {
	want, err := tunnel.export(labelChallenge, nil, length+1)
	if err != nil {
		no := aaa.Reject(aaa.MalformedProof, "ttls: the device's TLS has no extended master secret (RFC 7627), so there is no challenge; it can use pap: %v", err)
		no.Err = err
		return p, no
	}
	if !bytes.Equal(p.Challenge, want[:length]) || p.Identifier != want[length] {
		return p, aaa.Reject(aaa.MalformedProof, "ttls: the peer answers another challenge than that of this tunnel")
	}
	return p, nil
}
