package radius

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/binary"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/wire"
)

// Sizes of MS-CHAP-MPPE-Keys (RFC 2548 section 2.4.1): a key for LAN Manager, one for NT, and zeroes up to 32.
const (
	lmKeyLength = 8
	ntKeyLength = 16
	keysLength  = 32
)

// Values of MS-MPPE-Encryption-Policy and -Types (RFC 2548 section 2.4.4 and 2.4.5).
const (
	encryptionRequired = 2
	only128Bits        = 4
)

// keysOf are the keys of the link that an Accept brings. A NAS that asked us encrypts with them; our own tunnels do not. Keys
// that cannot be read are a fault, not none: the NAS and the peer would not understand each other.
func keysOf(reply client.Reply) (aaa.Keys, *aaa.Rejection) {
	var keys aaa.Keys
	p := reply.Packet
	damaged := func(attribute string) (aaa.Keys, *aaa.Rejection) {
		return aaa.Keys{}, aaa.Reject(aaa.Misconfigured, "RADIUS server %s sends a %s that cannot be read; see whether both ends have the same secret", reply.Who(), attribute).For(aaa.RADIUSGrant)
	}
	if hidden, there := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAPMPPEKeys); there {
		if len(hidden) != keysLength {
			return damaged("MS-CHAP-MPPE-Keys")
		}
		keys.NT = aaa.NewSecret(string(revealed(p, hidden)[lmKeyLength : lmKeyLength+ntKeyLength]))
	}
	for _, half := range []struct {
		kind byte
		name string
		key  *aaa.Secret
	}{{wire.MSMPPESendKey, "MS-MPPE-Send-Key", &keys.Send}, {wire.MSMPPERecvKey, "MS-MPPE-Recv-Key", &keys.Receive}} {
		hidden, there := wire.LookupVendor(p, wire.Microsoft, half.kind)
		if !there {
			continue
		}
		clear, _, err := radius.TunnelPassword(hidden, p.Secret, p.Authenticator[:])
		if err != nil || len(clear) == 0 {
			return damaged(half.name)
		}
		*half.key = aaa.NewSecret(string(clear))
	}
	if keys.Send.IsZero() != keys.Receive.IsZero() {
		return damaged("pair of MS-MPPE keys, of which one is missing,")
	}
	keys.Required = numberOf(p, wire.MSMPPEEncryptionPolicy) == encryptionRequired
	keys.Strong = numberOf(p, wire.MSMPPEEncryptionTypes) == only128Bits
	return keys, nil
}

// revealed undoes the hiding of RFC 2865 section 5.2 and keeps all octets: those of a key may be zero.
func revealed(p *radius.Packet, hidden []byte) []byte {
	clear, before := make([]byte, len(hidden)), p.Authenticator[:]
	for i := 0; i < len(hidden); i += md5.Size {
		block := hidden[i : i+md5.Size]
		sum := md5.Sum(append(append([]byte(nil), p.Secret...), before...))
		subtle.XORBytes(clear[i:], block, sum[:])
		before = block
	}
	return clear
}

// numberOf is an attribute of Microsoft that holds a number; 0: there is none.
func numberOf(p *radius.Packet, kind byte) uint32 {
	value, _ := wire.LookupVendor(p, wire.Microsoft, kind)
	if len(value) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(value)
}

// withoutPolicy is the packet without MS-MPPE-Encryption-Policy: what our own links cannot do, that of another NAS may.
func withoutPolicy(p *radius.Packet) *radius.Packet {
	rest := *p
	rest.Attributes = nil
	for _, a := range p.Attributes {
		one := radius.Packet{Attributes: radius.Attributes{a}}
		if _, there := wire.LookupVendor(&one, wire.Microsoft, wire.MSMPPEEncryptionPolicy); !there {
			rest.Attributes = append(rest.Attributes, a)
			continue
		}
		for inner := range wire.VendorAttributes(&one) {
			if inner.Type != wire.MSMPPEEncryptionPolicy {
				_ = wire.AddVendor(&rest, inner.Vendor, inner.Type, inner.Value) // it was in an attribute before, so it fits
			}
		}
	}
	return &rest
}
