package secret

import (
	"crypto/subtle"

	"layeh.com/radius/rfc2759"

	"lnsgate/aaa"
)

// Answerer makes the proofs of the peer side from a name and a password. It is owned by one conversation: it remembers
// the MS-CHAPv2 exchange, so that it can tell whether the server knows the password too.
type Answerer struct {
	name          string // without a DOMAIN\ prefix
	password      aaa.Secret
	credential    Credential
	peerChallenge [challengeLength]byte

	expected string // the authenticator response the server owes us, "" before MSCHAPv2
}

// NewAnswerer makes the answers for one login. The name is the one that is sent to the server, whole. The peer
// challenge is 16 random octets, fresh for each login; only MS-CHAPv2 uses them.
func NewAnswerer(name string, password aaa.Secret, peerChallenge [16]byte) *Answerer {
	return &Answerer{
		name: HashName(name), password: password, credential: Clear(password), peerChallenge: peerChallenge,
	}
}

// PAP returns the password.
func (a *Answerer) PAP() aaa.Secret { return a.password }

// CHAP returns the 16-octet response of RFC 1994 section 4.1.
func (a *Answerer) CHAP(id uint8, challenge []byte) []byte {
	response := chapResponse(id, a.password.Reveal(), challenge)
	return response[:]
}

// MSCHAPv2 returns the 49-octet response of RFC 2759 section 4, or nil if the challenge has not 16 octets or the
// password cannot be used (see Credential.Validate). The same challenge always gives the same octets.
func (a *Answerer) MSCHAPv2(challenge []byte) []byte {
	if len(challenge) != challengeLength || a.credential.Validate() != nil {
		return nil
	}
	response := make([]byte, responseLength)
	copy(response, a.peerChallenge[:])
	nt := ntResponse(a.name, challenge, a.peerChallenge[:], a.credential.material().hash)
	copy(response[ntResponseOffset:], nt)
	a.expected = authenticatorResponse(a.name, challenge, a.peerChallenge[:], nt, a.credential.material().hash)
	return response
}

// MSCHAPv1 returns the 49-octet response of RFC 2433 section 4, of which only the NT part is set, or nil if the challenge has
// not 8 octets or the password cannot be used.
func (a *Answerer) MSCHAPv1(challenge []byte) []byte {
	if len(challenge) != challengeLengthV1 || a.credential.Validate() != nil {
		return nil
	}
	response := make([]byte, responseLength)
	copy(response[ntResponseOffset:], rfc2759.ChallengeResponse(challenge, a.credential.material().hash[:]))
	response[responseLength-1] = useNTResponse
	return response
}

// VerifyMSCHAPv2 reports whether the message of a Success packet proves that the server knows the password: it starts
// with the authenticator response to our last answer (RFC 2759 section 5). What follows proves nothing and is not looked
// at: some servers leave out the space in front of their text.
func (a *Answerer) VerifyMSCHAPv2(successMessage string) bool {
	n := len(a.expected)
	if n == 0 || len(successMessage) < n {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(a.expected), []byte(successMessage[:n])) == 1
}
