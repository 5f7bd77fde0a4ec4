package main

import (
	"crypto/hmac"
	"crypto/md5"
	"hash"
)

// messageAuthenticator is the attribute of RFC 2869 section 5.14.
const messageAuthenticator = 80

// signer makes replies without allocating anything, and without the packages that are measured.
type signer struct {
	secret       []byte
	plain, keyed hash.Hash
	out          [acceptLength]byte
	sum          [md5.Size]byte
}

func newSigner(secret []byte) *signer {
	return &signer{secret: secret, plain: md5.New(), keyed: hmac.New(md5.New, secret)}
}

// accept is a signed Access-Accept for a request (RFC 2865 section 3, RFC 2869 section 5.14). It is valid until the next.
func (s *signer) accept(request []byte) []byte {
	s.out = acceptHeader(request[1])
	authenticator := s.out[authenticatorAt:radiusHeader]
	copy(authenticator, request[authenticatorAt:radiusHeader])
	s.keyed.Reset()
	s.keyed.Write(s.out[:])
	copy(s.out[radiusHeader+2:], s.keyed.Sum(s.sum[:0]))
	s.plain.Reset()
	s.plain.Write(s.out[:])
	s.plain.Write(s.secret)
	copy(authenticator, s.plain.Sum(s.sum[:0]))
	return s.out[:]
}
