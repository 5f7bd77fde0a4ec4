package l2tp

// AppendMasked appends the AVPs of a control message with zeros in the place of every value that is secret or may be:
// challenges and their responses, what a LAC hands on of an authentication, hidden AVPs, and AVPs that this package does
// not know. What is no AVP is zero too. Lengths and all else stay.
func AppendMasked(b, payload []byte) []byte {
	at := len(b)
	b = append(b, payload...)
	rest := b[at:]
	for {
		a, behind, ok := cutAVP(rest)
		if !ok {
			clear(rest)
			return b
		}
		if a.secret() {
			clear(a.value)
		}
		rest = behind
	}
}

// secret says whether nobody but the two ends should see the value.
func (a avp) secret() bool {
	switch {
	case a.hidden:
		return true
	case a.vendor == VendorBroadbandForum:
		return !lineAttribute(a.attribute)
	case a.vendor != 0:
		return true
	}
	switch a.attribute {
	case attrChallenge, attrChallengeResponse, attrProxyAuthChallenge, attrProxyAuthResponse:
		return true
	}
	_, known := a.attribute.define()
	return !known
}
