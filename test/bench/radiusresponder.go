package main

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"hash"
	"net"
)

// messageAuthenticator is the attribute of RFC 2869 section 5.14.
const messageAuthenticator = 80

// responder is a server of nothing but correct replies: a loop that answers each datagram with an Access-Accept.
type responder struct {
	conn *net.UDPConn
	key  []byte
	done chan struct{}
}

func newResponder(secret string) (*responder, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	r := &responder{conn: conn, key: []byte(secret), done: make(chan struct{})}
	go r.answer()
	return r, nil
}

func (r *responder) close() {
	r.conn.Close()
	<-r.done
}

func (r *responder) address() string { return r.conn.LocalAddr().String() }

// answer is the loop. A reply is its header and a Message-Authenticator.
func (r *responder) answer() {
	defer close(r.done)
	in, sign := make([]byte, 4096), newSigner(r.key)
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(in)
		if err != nil {
			return
		}
		if n < radiusHeader {
			continue
		}
		if _, err := r.conn.WriteToUDPAddrPort(sign.accept(in[:n]), from); err != nil {
			return
		}
	}
}

// length of the reply of a responder.
const acceptLength = radiusHeader + 18

func acceptHeader(id byte) (p [acceptLength]byte) {
	p[0], p[1] = accessAccept, id
	binary.BigEndian.PutUint16(p[2:], acceptLength)
	p[radiusHeader], p[radiusHeader+1] = messageAuthenticator, 18
	return p
}

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
