package ppp

import "fmt"

// Protocol is the number in front of every PPP packet; it says to whom the
// packet belongs (RFC 1661 section 2, the IANA register of PPP numbers).
type Protocol uint16

// The protocols that this product speaks or has to name in a log.
const (
	IPv4       Protocol = 0x0021 // user packet
	VJC        Protocol = 0x002d // Van Jacobson compressed TCP
	VJU        Protocol = 0x002f // Van Jacobson uncompressed TCP
	Bridging   Protocol = 0x0031 // bridged frame
	Multilink  Protocol = 0x003d // fragment of a multilink bundle
	IPv6       Protocol = 0x0057 // user packet
	Compressed Protocol = 0x00fd // compressed or MPPE encrypted datagram
	MPLS       Protocol = 0x0281 // unicast MPLS
	IPCP       Protocol = 0x8021 // RFC 1332
	BCP        Protocol = 0x8031 // bridging control, RFC 3518
	IPXCP      Protocol = 0x802b // RFC 1552
	ECP        Protocol = 0x8053 // encryption control, RFC 1968
	IPv6CP     Protocol = 0x8057 // RFC 5072
	CCP        Protocol = 0x80fd // compression control, RFC 1962
	ACSCP      Protocol = 0x8235 // Apple client server control
	MPLSCP     Protocol = 0x8281 // RFC 3032
	LCP        Protocol = 0xc021 // RFC 1661
	PAP        Protocol = 0xc023 // RFC 1334
	LQR        Protocol = 0xc025 // link quality report, RFC 1989
	CBCP       Protocol = 0xc029 // Microsoft callback control
	CHAP       Protocol = 0xc223 // RFC 1994
	EAP        Protocol = 0xc227 // RFC 3748
)

// FirstControl is where the numbers of user packets end: from it on packets belong to control protocols (RFC 1661 section 2).
const FirstControl Protocol = 0x8000

// String is the name the RFC uses, or the number in hexadecimal.
func (p Protocol) String() string {
	switch p {
	case IPv4:
		return "IPv4"
	case VJC:
		return "VJ compressed TCP"
	case VJU:
		return "VJ uncompressed TCP"
	case Bridging:
		return "bridging"
	case Multilink:
		return "multilink"
	case IPv6:
		return "IPv6"
	case Compressed:
		return "compressed datagram"
	case MPLS:
		return "MPLS"
	case IPCP:
		return "IPCP"
	case BCP:
		return "BCP"
	case IPXCP:
		return "IPXCP"
	case ECP:
		return "ECP"
	case IPv6CP:
		return "IPv6CP"
	case CCP:
		return "CCP"
	case ACSCP:
		return "ACSCP"
	case MPLSCP:
		return "MPLSCP"
	case LCP:
		return "LCP"
	case PAP:
		return "PAP"
	case LQR:
		return "LQR"
	case CBCP:
		return "CBCP"
	case CHAP:
		return "CHAP"
	case EAP:
		return "EAP"
	}
	return fmt.Sprintf("protocol 0x%04x", uint16(p))
}

// Valid says whether the number obeys RFC 1661 section 2: the low octet is odd
// and the high octet is even, so that one octet tells where the field ends.
func (p Protocol) Valid() bool { return p&0x0101 == 0x0001 }
