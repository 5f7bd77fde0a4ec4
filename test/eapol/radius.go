package eapol

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"errors"
)

// The little of RADIUS that eapol_test speaks (RFC 2865 section 3, RFC 3579 section 3).
const (
	accessRequest   = 1
	accessAccept    = 2
	accessReject    = 3
	accessChallenge = 11

	attributeState                = 24
	attributeEAPMessage           = 79
	attributeMessageAuthenticator = 80

	headerSize = 20
)

// request is an Access-Request.
type request struct {
	id            byte
	authenticator [16]byte
	eap           []byte // a whole packet
}

var errRequest = errors.New("not an Access-Request with an EAP packet")

func parseRequest(b []byte) (request, error) {
	if len(b) < headerSize || b[0] != accessRequest || int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		return request{}, errRequest
	}
	r := request{id: b[1], authenticator: [16]byte(b[4:headerSize])}
	for rest := b[headerSize:]; len(rest) > 0; {
		if len(rest) < 2 || rest[1] < 2 || int(rest[1]) > len(rest) {
			return request{}, errRequest
		}
		if rest[0] == attributeEAPMessage {
			r.eap = append(r.eap, rest[2:rest[1]]...)
		}
		rest = rest[rest[1]:]
	}
	if len(r.eap) < 5 {
		return request{}, errRequest
	}
	return r, nil
}

// reply is the answer to a request that carries an EAP packet, signed as RFC 3579 section 3.2 wants it.
func (r request) reply(code byte, eap, secret []byte) []byte {
	b := append([]byte{code, r.id, 0, 0}, r.authenticator[:]...)
	signature := len(b) + 2
	b = append(append(b, attributeMessageAuthenticator, 18), make([]byte, 16)...)
	if code == accessChallenge {
		b = append(b, attributeState, 3, 1)
	}
	for len(eap) > 0 {
		n := min(len(eap), 253)
		b = append(append(b, attributeEAPMessage, byte(n+2)), eap[:n]...)
		eap = eap[n:]
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	sign := hmac.New(md5.New, secret)
	sign.Write(b)
	copy(b[signature:], sign.Sum(nil))
	authenticator := md5.Sum(append(append([]byte(nil), b...), secret...))
	copy(b[4:], authenticator[:])
	return b
}
