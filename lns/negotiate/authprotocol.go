package negotiate

import (
	"fmt"
	"slices"

	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

// AuthProtocol is a way for one side of a link to prove who it is.
type AuthProtocol uint8

// The authentication protocols that LCP can agree on.
const (
	AuthNone AuthProtocol = iota
	AuthPAP
	AuthCHAPMD5
	AuthMSCHAPv2
	AuthEAP
)

var authNames = [...]string{"none", "PAP", "CHAP", "MS-CHAPv2", "EAP"}

// String is the usual name of the protocol.
func (a AuthProtocol) String() string {
	if int(a) < len(authNames) {
		return authNames[a]
	}
	return fmt.Sprintf("authentication %d", uint8(a))
}

// appendOption appends the Authentication-Protocol option that asks for a.
func (a AuthProtocol) appendOption(b []byte) []byte {
	switch a {
	case AuthPAP:
		return ppp.AppendAuthentication(b, ppp.PAP, 0)
	case AuthCHAPMD5:
		return ppp.AppendAuthentication(b, ppp.CHAP, ppp.AlgorithmMD5)
	case AuthMSCHAPv2:
		return ppp.AppendAuthentication(b, ppp.CHAP, ppp.AlgorithmMSCHAPv2)
	case AuthEAP:
		return ppp.AppendAuthentication(b, ppp.EAP, 0)
	}
	return b
}

// authProtocolOf reads an Authentication-Protocol option; AuthNone is one that
// we do not know.
func authProtocolOf(o ppp.Option) AuthProtocol {
	p, algorithm, ok := o.Authentication()
	switch {
	case !ok:
		return AuthNone
	case p == ppp.PAP && len(o.Value) == 2:
		return AuthPAP
	case p == ppp.EAP && len(o.Value) == 2:
		return AuthEAP
	case p == ppp.CHAP && algorithm == ppp.AlgorithmMD5:
		return AuthCHAPMD5
	case p == ppp.CHAP && algorithm == ppp.AlgorithmMSCHAPv2:
		return AuthMSCHAPv2
	}
	return AuthNone
}

var authMethods = [...]aaa.Method{AuthNone: aaa.MethodNone, AuthPAP: aaa.PAP, AuthCHAPMD5: aaa.CHAP, AuthMSCHAPv2: aaa.MSCHAPv2, AuthEAP: aaa.EAP}

// Method is what AAA calls the protocol; MethodNone for one that it has no use for.
func (a AuthProtocol) Method() aaa.Method {
	if int(a) < len(authMethods) {
		return authMethods[a]
	}
	return aaa.MethodNone
}

// AuthProtocolsOf are the protocols of methods, in their order. A method that LCP cannot ask for is left out.
func AuthProtocolsOf(methods []aaa.Method) []AuthProtocol {
	var list []AuthProtocol
	for _, m := range methods {
		if a := slices.Index(authMethods[:], m); a > int(AuthNone) {
			list = append(list, AuthProtocol(a))
		}
	}
	return list
}
