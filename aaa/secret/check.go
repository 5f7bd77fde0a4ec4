package secret

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"layeh.com/radius/rfc2759"

	"lnsgate/aaa"
)

// Check says whether a proof matches. The name is the one the peer typed, whole; MS-CHAPv2 hashes it without a DOMAIN\
// prefix. The reply is for the peer: for MS-CHAPv2 the authenticator response "S=<40 HEX>", else "".
//
// The error is a *aaa.Rejection: WrongPassword, MalformedProof (a length is wrong) or NoCredentialForMethod (the stored
// form cannot check this method). For one method every outcome but MalformedProof costs the same.
func (c Credential) Check(name string, p aaa.Proof) (reply string, err error) {
	if fault := malformed(p); fault != "" {
		return "", aaa.Reject(aaa.MalformedProof, "%s %s", p.Method, fault)
	}
	var match bool
	switch p.Method {
	case aaa.PAP:
		match = c.checkPAP(p)
	case aaa.CHAP:
		match = c.checkCHAP(p)
	case aaa.MSCHAPv1:
		match = c.checkMSCHAPv1(p)
	case aaa.MSCHAPv2:
		match, reply = c.checkMSCHAPv2(name, p)
	default:
		return "", aaa.Reject(aaa.NoCredentialForMethod, "method %s cannot be checked against a password", p.Method)
	}
	if lack := c.lack(p.Method); lack != "" {
		return "", aaa.Reject(aaa.NoCredentialForMethod, "%s", lack)
	}
	if !match {
		return "", &aaa.Rejection{Cause: aaa.WrongPassword}
	}
	return reply, nil
}

// malformed says which length of a proof is wrong, or nothing.
func malformed(p aaa.Proof) string {
	switch {
	case p.Method == aaa.CHAP && len(p.Response) != md5.Size:
		return "response must have 16 octets"
	case p.Method == aaa.CHAP && len(p.Challenge) == 0:
		return "challenge is missing"
	case (p.Method == aaa.MSCHAPv1 || p.Method == aaa.MSCHAPv2) && len(p.Response) != responseLength:
		return "response must have 49 octets"
	case p.Method == aaa.MSCHAPv2 && len(p.Challenge) != challengeLength:
		return "challenge must have 16 octets"
	case p.Method == aaa.MSCHAPv1 && len(p.Challenge) != challengeLengthV1:
		return "challenge must have 8 octets"
	case p.Method == aaa.MSCHAPv1 && p.Response[responseLength-1] != useNTResponse:
		return "response is only one of LAN Manager, which is too weak to be checked; the peer must answer with the NT form"
	}
	return ""
}

// lack says why the stored form cannot check a method, or nothing. It does not depend on the proof.
func (c Credential) lack(m aaa.Method) string {
	switch {
	case m == aaa.CHAP && c.kind == kindNTHash:
		return "CHAP needs the clear password, only the NT hash is stored; use mschapv2 or pap, or store the password"
	case c.kind == kindHashed && m != aaa.PAP:
		return fmt.Sprintf("%s cannot be checked against the %s, which is one-way; use pap, "+
			"or allow %s in the domain and set the password again", m, c, m)
	case m == aaa.PAP && len(c.material().clear.Reveal()) > MaxPAPOctets:
		return "the stored password is longer than the 255 octets PAP can carry"
	}
	return ""
}

// checkPAP compares digests, so that not even the length shows. The clear password and the NT hash are both compared, so
// that both cost the same. A slow hash costs what it costs; its decoy costs the same.
func (c Credential) checkPAP(p aaa.Proof) bool {
	shown := p.Password.Reveal()
	isClear := subtle.ConstantTimeByteEq(uint8(c.kind), uint8(kindClear))
	isHash := subtle.ConstantTimeByteEq(uint8(c.kind), uint8(kindNTHash))

	want, got := sha256.Sum256([]byte(c.material().clear.Reveal())), sha256.Sum256([]byte(shown))
	clearMatch := subtle.ConstantTimeCompare(want[:], got[:])
	shownHash := ntHash(shown)
	hashMatch := subtle.ConstantTimeCompare(c.material().hash[:], shownHash[:])
	match := isClear&clearMatch | isHash&hashMatch
	if slow := c.material().slow; slow != nil {
		match |= subtle.ConstantTimeByteEq(uint8(c.kind), uint8(kindHashed)) & slow.matches(shown)
	}
	return match == 1
}

func (c Credential) checkCHAP(p aaa.Proof) bool {
	want := chapResponse(p.Identifier, c.material().clear.Reveal(), p.Challenge)
	match := subtle.ConstantTimeCompare(want[:], p.Response)
	return match&subtle.ConstantTimeByteEq(uint8(c.kind), uint8(kindClear)) == 1
}

// chapResponse is the Response Value of RFC 1994 section 4.1.
func chapResponse(id uint8, password string, challenge []byte) [md5.Size]byte {
	b := make([]byte, 0, 1+len(password)+len(challenge))
	b = append(b, id)
	b = append(b, password...)
	return md5.Sum(append(b, challenge...))
}

// checkMSCHAPv1 looks at the NT response alone (RFC 2433 section 4). That of LAN Manager gives the password away.
func (c Credential) checkMSCHAPv1(p aaa.Proof) bool {
	hash := c.material().hash
	want := rfc2759.ChallengeResponse(p.Challenge, hash[:])
	shown := p.Response[ntResponseOffset : ntResponseOffset+ntResponseLength]
	return subtle.ConstantTimeCompare(want, shown) == 1 && (c.kind == kindClear || c.kind == kindNTHash)
}

// checkMSCHAPv2 computes the authenticator response even if nobody will get it, so that a match costs no more.
func (c Credential) checkMSCHAPv2(name string, p aaa.Proof) (bool, string) {
	name = HashName(name)
	peerChallenge := p.Response[:challengeLength]
	shown := p.Response[ntResponseOffset : ntResponseOffset+ntResponseLength]

	want := ntResponse(name, p.Challenge, peerChallenge, c.material().hash)
	reply := authenticatorResponse(name, p.Challenge, peerChallenge, shown, c.material().hash)
	match := subtle.ConstantTimeCompare(want, shown) == 1 && (c.kind == kindClear || c.kind == kindNTHash)
	return match, reply
}
