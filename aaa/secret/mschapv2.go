package secret

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"unicode/utf16"

	"layeh.com/radius/rfc2759"
)

// Sizes of RFC 2759, and of RFC 2433 where they differ.
const (
	challengeLength   = 16
	challengeLengthV1 = 8
	responseLength    = 49 // peer challenge, 8 reserved octets, NT response, flags (section 4); v1 has a LAN Manager response in front
	ntResponseLength  = 24
	ntResponseOffset  = 24
	useNTResponse     = 1 // flags of v1
)

// The two constants of RFC 2759 section 8.7.
const (
	signingMagic = "Magic server to client signing constant"
	paddingMagic = "Pad to make it do more than one iteration"
)

// HashName returns the part of a typed name that goes into the MS-CHAPv2 challenge hash: without a DOMAIN\ prefix, with
// an @domain suffix (RFC 2759 section 8.2, and what Windows does).
func HashName(typed string) string { return typed[strings.LastIndexByte(typed, '\\')+1:] }

// ntHash is NtPasswordHash of RFC 2759 section 8.3.
func ntHash(password string) (hash [16]byte) {
	units := utf16.Encode([]rune(password))
	octets := make([]byte, 0, 2*len(units))
	for _, u := range units {
		octets = append(octets, byte(u), byte(u>>8))
	}
	copy(hash[:], rfc2759.NTPasswordHash(octets))
	return hash
}

// ntResponse is GenerateNTResponse of RFC 2759 section 8.1, from the hash instead of the password.
func ntResponse(name string, challenge, peerChallenge []byte, hash [16]byte) []byte {
	return rfc2759.ChallengeResponse(rfc2759.ChallengeHash(peerChallenge, challenge, []byte(name)), hash[:])
}

// authenticatorResponse is GenerateAuthenticatorResponse of RFC 2759 section 8.7, from the hash instead of the
// password: "S=" and 40 upper-case hexadecimal digits.
func authenticatorResponse(name string, challenge, peerChallenge, response []byte, hash [16]byte) string {
	hashHash := rfc2759.NTPasswordHash(hash[:])
	digest := sha1.Sum(bytes.Join([][]byte{hashHash, response, []byte(signingMagic)}, nil))
	short := rfc2759.ChallengeHash(peerChallenge, challenge, []byte(name))
	digest = sha1.Sum(bytes.Join([][]byte{digest[:], short, []byte(paddingMagic)}, nil))
	return "S=" + strings.ToUpper(hex.EncodeToString(digest[:]))
}
