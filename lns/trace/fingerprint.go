package trace

import (
	"slices"
	"strings"
)

// Signs are what a peer shows of its maker without meaning to.
type Signs struct {
	Vendor, HostName string
	Firmware         uint16
	Window           uint16 // the Receive Window Size that we honour
	Bearer           bool   // it sent Bearer Capabilities
	Port             uint16 // that it dials from

	LCPOptions     []uint8 // types of its first LCP Configure-Request, in order; nil: not heard
	MRU            uint16  // that it asked for; 0: none
	Identification []string
}

// makers are told by the Vendor Name of their SCCRQ (RFC 2661 section 4.4.3). The first that is found in it counts.
var makers = []struct{ vendor, looks string }{
	{"mikrotik", "MikroTik RouterOS"},
	{"xelerance", "xl2tpd"},
	{"adtran", "l2tpd"},
	{"cisco", "Cisco"},
	{"huawei", "Huawei"},
	{"juniper", "Juniper"},
	{"l2tpns", "l2tpns"},
	{"lnsgate", "lnsgate dial"},
	{"katalix", "OpenL2TP or kl2tpd"},
	{"mpd", "mpd5"},
}

// versions of Windows, by the Firmware Revision of their SCCRQ: the number of the kernel.
var versions = map[uint16]string{
	0x0500: "Windows 2000", 0x0501: "Windows XP", 0x0502: "Windows Server 2003", 0x0600: "Windows Vista", 0x0601: "Windows 7",
	0x0602: "Windows 8", 0x0603: "Windows 8.1", 0x0a00: "Windows 10 or 11",
}

// Types of LCP options that clients differ in (RFC 1661 section 6, RFC 1570).
const (
	optionACCM     = 2
	optionMagic    = 5
	optionPFC      = 7
	optionACFC     = 8
	optionCallback = 13
)

// pppd asks for these, as Apple's descendant of it does, unless it is told otherwise.
var pppdOptions = []uint8{optionACCM, optionMagic, optionPFC, optionACFC}

// ephemeral is where the ports begin that systems give to clients which do not ask for one.
const ephemeral = 32768

// Fingerprint names what the peer looks like, as far as its signs tell; empty when they do not. It is a guess for people to
// read: nothing may depend on it.
func Fingerprint(s Signs) string {
	vendor := strings.ToLower(s.Vendor)
	for _, m := range makers {
		if strings.Contains(vendor, m.vendor) {
			return m.looks
		}
	}
	pppd := slices.Equal(s.LCPOptions, pppdOptions)
	switch {
	case strings.Contains(vendor, "microsoft"), identified(s, "MSRAS"), slices.Contains(s.LCPOptions, optionCallback):
		return windows(s.Firmware)
	case vendor != "":
		return ""
	case s.HostName == "lnsgate-dial":
		return "lnsgate dial"
	case s.HostName == "anonymous" && s.Window == 1:
		return "Android"
	case strings.EqualFold(s.HostName, "mikrotik"):
		return "MikroTik RouterOS"
	case pppd && s.Port >= ephemeral:
		return "macOS or iOS"
	case pppd:
		return "strongSwan/pppd"
	}
	return ""
}

func identified(s Signs, prefix string) bool {
	return slices.ContainsFunc(s.Identification, func(id string) bool { return strings.HasPrefix(id, prefix) })
}

// windows names the version; those of today do not always say their number.
func windows(firmware uint16) string {
	if name, known := versions[firmware]; known {
		return name
	}
	return "Windows 10 or 11"
}
