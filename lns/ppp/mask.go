package ppp

// AppendMasked appends a control packet of a protocol with zeros in the place of everything that is secret or may be: passwords,
// challenges and their responses, all of EAP besides the type, the identity and the wishes of a Nak, what one side rejects of the other,
// echoed data, and what belongs to protocols that this product does not know. Lengths and all else stay.
func AppendMasked(b []byte, p Protocol, packet []byte) []byte {
	at := len(b)
	b = append(b, packet...)
	own := b[at:]
	if len(own) < HeaderSize {
		clear(own)
		return b
	}
	data := own[HeaderSize:]
	if n := int(own[2])<<8 | int(own[3]); n >= HeaderSize && n <= len(own) {
		clear(own[n:]) // padding
		data = own[HeaderSize:n]
	}
	maskData(p, Code(own[0]), data)
	return b
}

func maskData(p Protocol, c Code, data []byte) {
	switch {
	case p == PAP:
		maskPAP(c, data)
	case p == CHAP:
		maskCHAP(c, data)
	case p == EAP:
		maskEAP(c, data)
	case p == LCP:
		maskLink(c, data)
	case p >= FirstControl && p < LCP&0xf000 && p != ECP:
		if c == 0 || c > CodeReject {
			clear(data)
			return
		}
		maskLink(c, data)
	default:
		clear(data)
	}
}

func maskPAP(c Code, data []byte) {
	if c == PAPAuthenticateAck || c == PAPAuthenticateNak {
		return
	}
	if c == PAPAuthenticateRequest && len(data) > 0 && int(data[0])+1 < len(data) {
		if _, err := ParsePAPRequest(data); err == nil {
			data = data[int(data[0])+2:] // behind the name, and the length of the password
		}
	}
	clear(data)
}

func maskCHAP(c Code, data []byte) {
	switch c {
	case CHAPChallenge, CHAPResponse:
		if v, err := ParseCHAPValue(data); err == nil {
			clear(v.Value)
			return
		}
		clear(data)
	case CHAPSuccess, CHAPFailure:
		maskField(data, 'S')
		maskField(data, 'C')
	default:
		clear(data)
	}
}

// maskField puts stars in the place of the hexadecimal digits of a field of MS-CHAP: "S=..." is made of the password,
// "C=..." is a challenge (RFC 2759 sections 5 and 6).
func maskField(data []byte, name byte) {
	for i := range data {
		start := i == 0 || data[i-1] == ' '
		if !start || data[i] != name || i+1 >= len(data) || data[i+1] != '=' {
			continue
		}
		for k := i + 2; k < len(data) && data[k] != ' '; k++ {
			data[k] = '*'
		}
	}
}

func maskEAP(c Code, data []byte) {
	if len(data) == 0 {
		return
	}
	kept := 1
	switch {
	case data[0] == EAPIdentity, c == EAPResponse && data[0] == EAPNak:
		kept = len(data)
	case c != EAPRequest && c != EAPResponse:
		kept = 0
	}
	clear(data[kept:])
}

func maskLink(c Code, data []byte) {
	kept := len(data)
	switch c {
	case ConfigureRequest, ConfigureAck, ConfigureNak, ConfigureReject, TerminateRequest, TerminateAck, Identification, TimeRemaining:
	case CodeReject:
		kept = HeaderSize
	case ProtocolReject:
		kept = 2
	default:
		kept = 0
	}
	clear(data[min(kept, len(data)):])
}
