package aaa

import "fmt"

// Method is the way a peer proves who it is.
type Method uint8

// The methods. MethodNone is the zero value: the peer proved nothing.
const (
	MethodNone Method = iota
	PAP               // RFC 1334: the password itself
	CHAP              // RFC 1994: MD5 over identifier, secret and challenge
	MSCHAPv2          // RFC 2759
	EAP               // RFC 3748
	MSCHAPv1          // RFC 2433; only a NAS that asks by RADIUS still uses it
)

var methodNames = [...]string{MethodNone: "none", PAP: "pap", CHAP: "chap", MSCHAPv2: "mschapv2", EAP: "eap", MSCHAPv1: "mschapv1"}

// String returns the name used in the configuration: pap, chap, mschapv2, eap, mschapv1, or none.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return fmt.Sprintf("method %d", uint8(m))
}

// ParseMethod reads a name as String writes it. "none" is not a method a user can ask for by mistake: it is accepted
// only as MethodNone, and it is the caller who decides whether no authentication is allowed.
func ParseMethod(name string) (Method, error) {
	for m, n := range methodNames {
		if n == name {
			return Method(m), nil
		}
	}
	return MethodNone, fmt.Errorf("unknown authentication method %q: use pap, chap or mschapv2", name)
}
