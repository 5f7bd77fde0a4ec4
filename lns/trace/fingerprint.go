package trace

import "strings"

// Signs are what a peer shows of its maker without meaning to.
type Signs struct {
	Vendor, HostName string
	Firmware         uint16
	Window           uint16 // the Receive Window Size that it gave; 0: none
	Bearer           bool   // it sent Bearer Capabilities
	Port             uint16 // that it dials from

	LCPOptions     []uint8 // types of its first LCP Configure-Request, in order; nil: not heard
	MRU            uint16  // that it asked for; 0: none
	Identification []string
}

// Fingerprint names what the peer looks like, as far as its signs tell; empty when they do not.
func Fingerprint(s Signs) string {
	for _, id := range s.Identification {
		if strings.HasPrefix(id, "MSRAS") {
			return "Windows"
		}
	}
	return ""
}
