package wire

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/subtle"
	"hash"
	"sync"

	"layeh.com/radius"
)

var zeroes [AuthenticatorLength]byte

// Key is a shared secret with what is needed to sign and to check. It is safe for concurrent use. It prints as stars.
type Key struct {
	secret []byte
	pool   sync.Pool // of *hashes
}

// hashes are the two digests of RADIUS, to be used again, for making them costs more than running them.
type hashes struct {
	plain, keyed hash.Hash
	in, sum      [md5.Size]byte // here, as what goes to an interface is moved to the heap
}

// NewKey makes a key of a secret, which is taken as it is.
func NewKey(secret string) *Key {
	k := &Key{secret: []byte(secret)}
	k.pool.New = func() any { return &hashes{plain: md5.New(), keyed: hmac.New(md5.New, k.secret)} }
	return k
}

// String returns stars.
func (k *Key) String() string { return "********" }

// GoString returns stars, for %#v.
func (k *Key) GoString() string { return k.String() }

// Secret returns the octets that attributes are hidden with. The caller must not change or print them.
func (k *Key) Secret() []byte { return k.secret }

// AppendRequest appends the packet as a client sends it. An Access-Request or Status-Server gets a Message-Authenticator
// in front of all attributes and keeps the authenticator of the packet (RFC 2865 section 3). Any other request gets the
// authenticator that its octets make (RFC 2866 section 3, RFC 5176 section 2.3), and a Message-Authenticator only if the
// packet holds one, whatever its value. What does not fit is ErrTooLong; an attribute of a type outside of 0 to 255 is
// left out.
func (k *Key) AppendRequest(dst []byte, p *radius.Packet) ([]byte, error) {
	start := len(dst)
	if randomAuthenticator(p.Code) {
		dst, err := appendPacket(dst, p, p.Authenticator[:], true)
		if err == nil {
			k.sign(dst[start:], p.Authenticator[:])
		}
		return dst, err
	}
	_, signed := p.Lookup(typeMessageAuthenticator)
	dst, err := appendPacket(dst, p, zeroes[:], signed)
	if err != nil {
		return dst, err
	}
	if signed {
		k.sign(dst[start:], zeroes[:])
	}
	k.seal(dst[start:], zeroes[:])
	return dst, nil
}

// AppendReply appends the packet as a server sends it. The authenticator of the packet is that of the request, as
// radius.Packet.Response leaves it; the Response Authenticator takes its place. A Message-Authenticator stands first in
// every answer to an Access-Request, and in others if the packet holds one, whatever its value.
func (k *Key) AppendReply(dst []byte, p *radius.Packet) ([]byte, error) {
	start := len(dst)
	_, signed := p.Lookup(typeMessageAuthenticator)
	switch p.Code {
	case radius.CodeAccessAccept, radius.CodeAccessReject, radius.CodeAccessChallenge, CodeProtocolError:
		signed = true
	}
	dst, err := appendPacket(dst, p, p.Authenticator[:], signed)
	if err != nil {
		return dst, err
	}
	if signed {
		k.sign(dst[start:], p.Authenticator[:])
	}
	k.seal(dst[start:], p.Authenticator[:])
	return dst, nil
}

// VerifyReply checks a datagram that should answer the request with that authenticator (RFC 2865 section 3): lengths,
// Response Authenticator, and Message-Authenticator if there is one, wherever it stands. Whether there must be one, and
// whether the code fits, is for the caller to judge.
func (k *Key) VerifyReply(datagram []byte, request [AuthenticatorLength]byte) (Verified, error) {
	v, at, err := scan(datagram)
	if err != nil {
		return Verified{}, err
	}
	if !k.sealed(v.Octets, request[:]) {
		return Verified{}, ErrAuthenticator
	}
	if at != 0 && !k.signed(v.Octets, at, request[:]) {
		return Verified{}, ErrMessageAuthenticator
	}
	v.Signed = at != 0
	return v, nil
}

// VerifyRequest checks a datagram that should be a request: lengths, Request Authenticator where the code has one that is
// made of the octets, and Message-Authenticator if there is one. An Access-Request and a Status-Server prove nothing
// without a Message-Authenticator; Verified.Signed says whether they have one.
func (k *Key) VerifyRequest(datagram []byte) (Verified, error) {
	v, at, err := scan(datagram)
	if err != nil {
		return Verified{}, err
	}
	authenticator := zeroes[:]
	if randomAuthenticator(v.Code()) {
		authenticator = v.Octets[4:HeaderLength]
	} else if !k.sealed(v.Octets, zeroes[:]) {
		return Verified{}, ErrAuthenticator
	}
	if at != 0 && !k.signed(v.Octets, at, authenticator) {
		return Verified{}, ErrMessageAuthenticator
	}
	v.Signed = at != 0
	return v, nil
}

// randomAuthenticator says whether a request of that code has an authenticator that is drawn and not computed.
func randomAuthenticator(c radius.Code) bool {
	return c == radius.CodeAccessRequest || c == radius.CodeStatusServer
}

// sign puts the right value into the Message-Authenticator that appendPacket left in front (RFC 3579 section 3.2).
func (k *Key) sign(packet, authenticator []byte) {
	h := k.pool.Get().(*hashes)
	h.keyed.Reset()
	h.keyed.Write(packet[:4])
	copy(h.in[:], authenticator)
	h.keyed.Write(h.in[:])
	h.keyed.Write(packet[HeaderLength:])
	copy(packet[HeaderLength+2:], h.keyed.Sum(h.sum[:0]))
	k.pool.Put(h)
}

// signed says whether the Message-Authenticator at that offset is right.
func (k *Key) signed(packet []byte, at int, authenticator []byte) bool {
	h := k.pool.Get().(*hashes)
	defer k.pool.Put(h)
	h.keyed.Reset()
	h.keyed.Write(packet[:4])
	copy(h.in[:], authenticator)
	h.keyed.Write(h.in[:])
	h.keyed.Write(packet[HeaderLength:at])
	h.keyed.Write(zeroes[:])
	h.keyed.Write(packet[at+AuthenticatorLength:])
	return subtle.ConstantTimeCompare(h.keyed.Sum(h.sum[:0]), packet[at:at+AuthenticatorLength]) == 1
}

// seal puts the authenticator that the octets make into the packet.
func (k *Key) seal(packet, authenticator []byte) {
	h := k.pool.Get().(*hashes)
	copy(packet[4:HeaderLength], h.digest(packet, authenticator, k.secret))
	k.pool.Put(h)
}

// sealed says whether the authenticator of the packet is the one that its octets make.
func (k *Key) sealed(packet, authenticator []byte) bool {
	h := k.pool.Get().(*hashes)
	defer k.pool.Put(h)
	return subtle.ConstantTimeCompare(h.digest(packet, authenticator, k.secret), packet[4:HeaderLength]) == 1
}

// digest is that of RFC 2865 section 3: MD5 over code, identifier, length, authenticator, attributes, secret.
func (h *hashes) digest(packet, authenticator, secret []byte) []byte {
	h.plain.Reset()
	h.plain.Write(packet[:4])
	copy(h.in[:], authenticator)
	h.plain.Write(h.in[:])
	h.plain.Write(packet[HeaderLength:])
	h.plain.Write(secret)
	return h.plain.Sum(h.sum[:0])
}
