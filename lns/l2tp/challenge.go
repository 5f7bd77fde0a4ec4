package l2tp

import (
	"crypto/md5"
	"crypto/subtle"
)

// ChallengeResponse proves knowledge of the tunnel's secret (RFC 2661 section 4.4.3, 5.1.1): MD5 over the type of the
// message that carries the response (TypeSCCRP or TypeSCCCN) as one octet, the secret, and the challenge.
func ChallengeResponse(carrier MessageType, secret, challenge []byte) [md5.Size]byte {
	b := make([]byte, 0, 1+len(secret)+len(challenge))
	b = append(b, byte(carrier))
	b = append(b, secret...)
	b = append(b, challenge...)
	return md5.Sum(b)
}

// VerifyChallengeResponse reports, in constant time, whether response answers challenge.
func VerifyChallengeResponse(carrier MessageType, secret, challenge, response []byte) bool {
	want := ChallengeResponse(carrier, secret, challenge)
	return subtle.ConstantTimeCompare(want[:], response) == 1
}
