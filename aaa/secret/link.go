package secret

import (
	"layeh.com/radius/rfc2759"
	"layeh.com/radius/rfc3079"

	"lnsgate/aaa"
)

// LinkKeys are what a proof that Check found right makes for the encryption of the link: MS-CHAPv1 and v2 make some, PAP and
// CHAP none. A credential without an NT hash has none either.
func (c Credential) LinkKeys(p aaa.Proof) aaa.Keys {
	if c.kind != kindClear && c.kind != kindNTHash || malformed(p) != "" {
		return aaa.Keys{}
	}
	hash := c.material().hash
	hashHash := rfc2759.NTPasswordHash(hash[:])
	switch p.Method {
	case aaa.MSCHAPv1:
		return aaa.Keys{NT: aaa.NewSecret(string(hashHash))}
	case aaa.MSCHAPv2:
		master := rfc3079.GetMasterKey(hashHash, p.Response[ntResponseOffset:ntResponseOffset+ntResponseLength])
		return aaa.Keys{Send: startKey(master, true), Receive: startKey(master, false)}
	}
	return aaa.Keys{}
}

// startKey is GetAsymmetricStartKey of RFC 3079 section 3.4, as the server has it.
func startKey(master []byte, send bool) aaa.Secret {
	key, err := rfc3079.GetAsymmetricStartKey(master, rfc3079.KeyLength128Bit, send)
	if err != nil { // a master key has 16 octets
		return aaa.Secret{}
	}
	return aaa.NewSecret(string(key))
}
