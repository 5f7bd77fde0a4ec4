package eap

import "fmt"

// Method is a way to prove by EAP who one is.
type Method uint8

// The methods.
const (
	TLS      Method = iota + 1 // RFC 5216, RFC 9190: by a certificate of the peer
	PEAP                       // version 0: MS-CHAPv2 or GTC in a TLS tunnel
	TTLS                       // RFC 5281: any kind of password proof in a TLS tunnel
	MSCHAPv2                   // MS-CHAPv2 without a tunnel
	MD5                        // RFC 3748 section 5.4: CHAP without a tunnel
)

var methodNames = [...]string{TLS: "tls", PEAP: "peap", TTLS: "ttls", MSCHAPv2: "mschapv2", MD5: "md5"}

// String returns the name used in the configuration: tls, peap, ttls, mschapv2 or md5.
func (m Method) String() string {
	if int(m) < len(methodNames) && methodNames[m] != "" {
		return methodNames[m]
	}
	return fmt.Sprintf("EAP method %d", uint8(m))
}

// ParseMethod reads a name as String writes it.
func ParseMethod(name string) (Method, error) {
	for m, n := range methodNames {
		if n == name && n != "" {
			return Method(m), nil
		}
	}
	return 0, fmt.Errorf("unknown EAP method %q: use tls, peap, ttls, mschapv2 or md5", name)
}

// tunneled says whether the method needs a certificate of ours.
func (m Method) tunneled() bool { return m == TLS || m == PEAP || m == TTLS }
