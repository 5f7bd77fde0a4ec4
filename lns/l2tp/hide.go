package l2tp

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
)

// hiddenLengthLen is the length of the original length in front of a hidden value.
const hiddenLengthLen = 2

var (
	errNoSecret = errors.New("hidden AVP, but no tunnel secret is configured here")
	errNoVector = errors.New("hidden AVP without a Random Vector AVP before it")
	errUnhide   = errors.New("hidden AVP does not decipher: the tunnel secrets differ or the AVP is broken")
)

// mask yields the MD5 blocks that hide a value (RFC 2661 section 4.3): the first over attribute, secret and random
// vector, each next over the secret and the 16 hidden octets before.
type mask struct {
	secret []byte
	block  [md5.Size]byte
	input  []byte
}

func newMask(a Attribute, secret, vector []byte) *mask {
	m := &mask{secret: secret, input: make([]byte, 0, 2+len(secret)+max(len(vector), md5.Size))}
	m.input = binary.BigEndian.AppendUint16(m.input, uint16(a))
	m.input = append(m.input, secret...)
	m.input = append(m.input, vector...)
	m.block = md5.Sum(m.input)
	return m
}

func (m *mask) next(hidden []byte) {
	m.input = append(m.input[:0], m.secret...)
	m.input = append(m.input, hidden...)
	m.block = md5.Sum(m.input)
}

// appendHidden appends the hidden form of a value.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Length of Original Value    |   Original Attribute Value ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	   ...                          |             Padding ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
func appendHidden(b []byte, a Attribute, secret, vector, value []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	m := newMask(a, secret, vector)
	for p := b[start:]; ; {
		n := min(len(p), md5.Size)
		for i := range p[:n] {
			p[i] ^= m.block[i]
		}
		if n == len(p) {
			return b
		}
		m.next(p[:n])
		p = p[n:]
	}
}

// unhide gives the original value in fresh memory. A nil vector means that no Random Vector AVP came before.
func unhide(a Attribute, secret, vector, hidden []byte) ([]byte, error) {
	if len(secret) == 0 {
		return nil, errNoSecret
	}
	if vector == nil {
		return nil, errNoVector
	}
	if len(hidden) < hiddenLengthLen {
		return nil, errUnhide
	}
	clear := make([]byte, len(hidden))
	m := newMask(a, secret, vector)
	for at := 0; at < len(hidden); {
		n := min(len(hidden)-at, md5.Size)
		for i := range n {
			clear[at+i] = hidden[at+i] ^ m.block[i]
		}
		if at += n; at < len(hidden) {
			m.next(hidden[at-n : at])
		}
	}
	n := int(binary.BigEndian.Uint16(clear))
	if n > len(clear)-hiddenLengthLen {
		return nil, errUnhide
	}
	return clear[hiddenLengthLen:][:n], nil
}
