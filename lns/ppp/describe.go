package ppp

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Describe puts a control packet into words: what it is, and what it says. It reads what there is of one that was cut off.
func Describe(protocol Protocol, packet []byte) (what, detail string) {
	if len(packet) < HeaderSize {
		return protocol.String(), "unreadable"
	}
	p := Packet{Code: Code(packet[0]), Identifier: packet[1], Data: packet[HeaderSize:]}
	if n := int(packet[2])<<8 | int(packet[3]); n >= HeaderSize && n < len(packet) {
		p.Data = packet[HeaderSize:n]
	}
	return protocol.String() + " " + CodeName(protocol, p.Code), p.Detail(protocol)
}

// Detail puts the content of a control packet into words. Secrets stay out: no password, no response. What a peer sent is made safe
// to print.
func (p Packet) Detail(protocol Protocol) string {
	switch protocol {
	case PAP:
		return papDetail(p)
	case CHAP:
		return chapDetail(p)
	case EAP:
		return eapDetail(p)
	}
	switch p.Code {
	case ConfigureRequest, ConfigureAck, ConfigureNak, ConfigureReject:
		return optionsDetail(protocol, p.Data)
	case TerminateRequest:
		return quoted(p.Data)
	case ProtocolReject:
		if len(p.Data) >= 2 {
			return Protocol(uint16(p.Data[0])<<8 | uint16(p.Data[1])).String()
		}
	case Identification:
		if len(p.Data) > 4 {
			return quoted(p.Data[4:])
		}
	}
	return ""
}

func papDetail(p Packet) string {
	if p.Code == PAPAuthenticateRequest {
		r, err := ParsePAPRequest(p.Data)
		if err != nil {
			return "unreadable"
		}
		return "name " + Printable(r.Name) + ", password ****"
	}
	message, err := ParsePAPMessage(p.Data)
	if err != nil {
		return "unreadable"
	}
	return quoted(message)
}

func chapDetail(p Packet) string {
	if p.Code != CHAPChallenge && p.Code != CHAPResponse {
		return quoted(p.Data)
	}
	v, err := ParseCHAPValue(p.Data)
	if err != nil {
		return "unreadable"
	}
	return fmt.Sprintf("name %s, %d octets", Printable(v.Name), len(v.Value))
}

func optionsDetail(protocol Protocol, list Options) string {
	var words []string
	for o := range list.All() {
		words = append(words, optionWords(protocol, o))
	}
	if len(words) == 0 {
		return "no options"
	}
	return strings.Join(words, ", ")
}

func optionWords(protocol Protocol, o Option) string {
	switch protocol {
	case LCP:
		return lcpOptionWords(o)
	case IPCP:
		return ipcpOptionWords(o)
	case IPv6CP:
		if id, ok := o.InterfaceID(); ok && o.Type == IPv6CPInterfaceID {
			return fmt.Sprintf("interface %x", id)
		}
	case CCP:
		if o.Type == ccpMPPE && len(o.Value) == 4 {
			return "MPPE"
		}
	}
	return fmt.Sprintf("option %d", o.Type)
}

// ccpMPPE is the option of Microsoft's compression and encryption (RFC 3078 section 2).
const ccpMPPE = 18

func lcpOptionWords(o Option) string {
	switch o.Type {
	case LCPMRU:
		if mru, ok := o.MRU(); ok {
			return fmt.Sprintf("MRU %d", mru)
		}
	case LCPAuthentication:
		if p, algorithm, ok := o.Authentication(); ok {
			return "authentication " + authenticationName(p, algorithm)
		}
	case LCPMagic:
		if m, ok := o.Magic(); ok {
			return fmt.Sprintf("magic %08x", m)
		}
	case LCPACCM:
		return "async map"
	case LCPPFC:
		return "short protocol"
	case LCPACFC:
		return "short header"
	case LCPCallback:
		return "callback"
	case LCPMRRU:
		return "multilink"
	case LCPEndpointDiscriminator:
		return "endpoint"
	}
	return fmt.Sprintf("option %d", o.Type)
}

func authenticationName(p Protocol, algorithm uint8) string {
	switch {
	case p != CHAP:
		return p.String()
	case algorithm == AlgorithmMD5:
		return "CHAP-MD5"
	case algorithm == AlgorithmMSCHAPv2:
		return "MS-CHAPv2"
	case algorithm == AlgorithmMSCHAP:
		return "MS-CHAPv1"
	}
	return fmt.Sprintf("CHAP with algorithm %d", algorithm)
}

func ipcpOptionWords(o Option) string {
	names := map[uint8]string{
		IPCPAddress: "address", IPCPDNS1: "first DNS", IPCPDNS2: "second DNS",
		IPCPNBNS1: "first NBNS", IPCPNBNS2: "second NBNS",
	}
	name, known := names[o.Type]
	a, ok := o.Address()
	switch {
	case !known || !ok:
		return fmt.Sprintf("option %d", o.Type)
	case a.IsUnspecified():
		return name + " (any)"
	default:
		return name + " " + a.String()
	}
}

// quoted is a peer's text between quotation marks, or nothing.
func quoted(b []byte) string {
	if s := Printable(b); s != "" {
		return `"` + s + `"`
	}
	return ""
}

// maxText bounds what a peer can make us print.
const maxText = 200

// Printable makes a peer's octets safe for a terminal: what is no printable character becomes a dot.
func Printable(b []byte) string {
	var s strings.Builder
	b = bytes.TrimRight(b, "\x00")
	for len(b) > 0 && s.Len() < maxText {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '.'
		}
		s.WriteRune(r)
		b = b[n:]
	}
	return s.String()
}

var eapTypes = map[uint8]string{
	EAPIdentity: "identity", EAPNotification: "notification", EAPNak: "Nak", EAPMD5Challenge: "MD5", 5: "one-time password", 6: "token card",
	13: "EAP-TLS", 17: "LEAP", 18: "EAP-SIM", 21: "EAP-TTLS", 23: "EAP-AKA", 25: "PEAP", 26: "MS-CHAPv2", 43: "EAP-FAST", 50: "EAP-AKA'",
	52: "EAP-PWD", 55: "TEAP",
}

func eapTypeName(t uint8) string {
	if name, known := eapTypes[t]; known {
		return name
	}
	return fmt.Sprintf("type %d", t)
}

func eapDetail(p Packet) string {
	if len(p.Data) == 0 || (p.Code != EAPRequest && p.Code != EAPResponse) {
		return ""
	}
	name, data := eapTypeName(p.Data[0]), p.Data[1:]
	switch {
	case p.Data[0] == EAPIdentity && len(data) > 0:
		return name + " " + Printable(data)
	case p.Data[0] == EAPNak && p.Code == EAPResponse:
		var wants []string
		for _, t := range data[:min(len(data), 8)] {
			wants = append(wants, eapTypeName(t))
		}
		return "wants " + strings.Join(wants, " or ")
	default:
		return fmt.Sprintf("%s, %d octets", name, len(data))
	}
}
