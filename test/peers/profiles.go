package peers

import "time"

var (
	zero4 = []byte{0, 0, 0, 0}
	// IPCP options (RFC 1332, RFC 1877).
	anyAddress = Option{3, zero4}
	vanJacob   = Opt(2, 0x00, 0x2d, 0x0f, 0x01)
	// LCP options (RFC 1661 section 6).
	asyncMap   = Option{2, zero4}
	magic      = Opt(5, 0x39, 0x5a, 0x11, 0x7c)
	pfc, acfc  = Opt(7), Opt(8)
	identifier = Opt(1, 0x02, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55) // IPV6CP (RFC 5072 section 4.1)
)

func mru(n uint16) Option { return Opt(1, byte(n>>8), byte(n)) }

// ipcpOf asks for an address and for what the other types name.
func ipcpOf(types ...uint8) Proposal {
	p := Proposal{Protocol: IPCP, Options: []Option{anyAddress}}
	for _, t := range types {
		p.Options = append(p.Options, Option{t, zero4})
	}
	return p
}

var (
	version = Number(2, 0x0100)
	framing = Long(3, 3)
)

// Android is mtpd of Android: the smallest of them all.
func Android() Profile {
	return Profile{
		Name:       "android",
		Start:      []AVP{version, Text(7, "anonymous"), framing, AssignedTunnel, Number(10, 1)},
		Window:     1,
		Resend:     2 * time.Second,
		Tries:      30,
		StepByStep: true,
		Link:       []Option{mru(1400), asyncMap, magic, pfc, acfc},
		Methods:    []Method{MethodMSCHAPv2, MethodCHAP, MethodPAP},
		Network:    []Proposal{ipcpOf(129, 131)},
	}
}

// Apple is macOS, and iOS, which shares the code.
func Apple() Profile {
	return Profile{
		Name:             "macos",
		Start:            []AVP{version, framing, Text(7, "Annas-MacBook.local\x00"), AssignedTunnel, Number(10, 4)},
		Window:           4,
		Resend:           time.Second,
		Tries:            60,
		HelloBurst:       10,
		Link:             []Option{asyncMap, magic, pfc, acfc},
		EmptyAfterReject: true,
		EchoAtOnce:       true,
		Methods:          []Method{MethodMSCHAPv2, MethodCHAP},
		Network: []Proposal{ipcpOf(129, 131), {Protocol: IPV6CP, Options: []Option{identifier}},
			{Protocol: ACSCP, Options: []Option{{1, zero4}, {2, zero4}}}},
	}
}

// Windows is the client of Windows since Vista.
func Windows() Profile {
	return Profile{
		Name: "windows",
		Port: 1701,
		Start: []AVP{version, Long(3, 1), Optional(Long(4, 0)), Optional(Number(6, 0x0a00)), Text(7, "DESKTOP-4PQ7"),
			Optional(Text(8, "Microsoft")), AssignedTunnel, Number(10, 8)},
		Window:     8,
		Call:       []AVP{Long(18, 2)},
		Answer:     []AVP{Optional(Number(29, 4))},
		Resend:     time.Second,
		Tries:      7,
		Link:       []Option{mru(1400), magic, pfc, acfc, Opt(13, 6)},
		LinkAfter:  2 * time.Second,
		OneCounter: true,
		Identify:   []string{"MSRASV5.20", "MSRAS-0-DESKTOP-4PQ7", "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\xff"},
		Methods:    []Method{MethodMSCHAPv2, MethodCHAP},
		Network: []Proposal{{Protocol: IPV6CP, Options: []Option{identifier}},
			{Protocol: CCP, Options: []Option{Opt(18, 0x01, 0, 0, 0)}}, ipcpOf(129, 130, 131, 132)},
	}
}

// XL2TPD is xl2tpd with pppd, as NetworkManager and many routers start it.
func XL2TPD() Profile {
	return Profile{
		Name: "xl2tpd",
		Port: 1701,
		Start: []AVP{version, framing, Long(4, 0), Optional(Number(6, 0x0690)), Text(7, "debian"), Optional(Text(8, "xelerance.com")),
			AssignedTunnel, Number(10, 4)},
		Window:  4,
		Call:    []AVP{Long(18, 0)},
		Resend:  time.Second,
		Tries:   5,
		Link:    []Option{mru(1410), asyncMap, magic, pfc, acfc},
		Methods: []Method{MethodCHAP, MethodMSCHAPv2, MethodPAP},
		Network: []Proposal{{Protocol: CCP, Options: []Option{Opt(26, 0x78, 0), Opt(24, 0x78, 0), Opt(21, 0x2f)}},
			{Protocol: IPCP, Options: []Option{vanJacob, anyAddress, {129, zero4}, {131, zero4}}},
			{Protocol: IPV6CP, Options: []Option{identifier}}},
	}
}

// KL2TPD is kl2tpd of go-l2tp with pppd, NetworkManager's other daemon. It reports the link's ACCM as soon as the call is up.
func KL2TPD() Profile {
	p := XL2TPD()
	p.Name, p.Port = "networkmanager", 0
	p.Start = []AVP{version, Text(7, "debian"), framing, AssignedTunnel, Optional(Text(8, "Katalix Systems Ltd")), Number(10, 4)}
	return p
}

// MikroTik is RouterOS from 6.33 on.
func MikroTik() Profile {
	return Profile{
		Name: "mikrotik",
		Port: 1701,
		Start: []AVP{version, framing, Optional(Long(4, 0)), Optional(Number(6, 1)), Text(7, "MikroTik"), Optional(Text(8, "MikroTik")),
			AssignedTunnel, Number(10, 4)},
		Window:  4,
		Resend:  time.Second,
		Tries:   5,
		Link:    []Option{mru(1450), magic, Opt(17, 0x06, 0x40)},
		Methods: []Method{MethodMSCHAPv2, MethodCHAP, MethodPAP},
		Network: []Proposal{{Protocol: CCP, Options: []Option{Opt(18, 0x01, 0, 0, 0x40)}},
			{Protocol: IPCP, After: 30 * time.Millisecond, Options: []Option{anyAddress, {129, zero4}, {131, zero4}}},
			{Protocol: BCP, Options: []Option{Opt(3, 1)}}},
	}
}

// CiscoLAC is IOS in front of a subscriber. It has not negotiated with the subscriber itself.
func CiscoLAC() Profile {
	return Profile{
		Name: "cisco-lac",
		Port: 1701,
		Start: []AVP{version, framing, Optional(Long(4, 3)), Optional(Number(6, 0x1130)), Text(7, "LAC1"),
			Optional(Text(8, "Cisco Systems, Inc.")), AssignedTunnel, Number(10, 512)},
		Window: 512,
		Call: []AVP{Long(18, 1), Optional(Text(22, "4930123")), Vendor(9, Text(100, "Uniq-Sess-ID63")),
			Vendor(3561, Text(1, "dslam1 atm 3/0/1:1.32")), Vendor(3561, Text(2, "line-4711"))},
		Resend:          time.Second,
		Tries:           10,
		Link:            []Option{mru(1492), magic},
		FlagsAndAddress: true,
		Methods:         []Method{MethodCHAP},
		Network:         []Proposal{ipcpOf()},
	}
}

// HuaweiLAC is VRP in front of a subscriber: M bits as it likes, and a host name that the next AVP follows at an odd offset.
func HuaweiLAC() Profile {
	p := CiscoLAC()
	p.Name = "huawei-lac"
	p.Start = []AVP{Optional(version), Optional(framing), Long(4, 3), Number(6, 0x0800), Optional(Text(7, "ME60X")), Text(8, "Huawei"),
		Optional(AssignedTunnel), Optional(Number(10, 8))}
	p.Window = 8
	p.Call = []AVP{Optional(Long(18, 1)), Text(22, "line-4711")}
	p.FlagsAndAddress = false
	return p
}

// MPD5 is mpd of FreeBSD as a LAC: its SCCCN says again what its SCCRQ said.
func MPD5() Profile {
	p := CiscoLAC()
	p.Name = "mpd5"
	p.Start = []AVP{version, Text(7, "freebsd"), framing, Long(4, 3), Text(8, "FreeBSD MPD"), AssignedTunnel, Number(10, 8)}
	p.Connected = []AVP{Text(7, "freebsd"), Text(8, "FreeBSD MPD"), Long(4, 3), Number(10, 8), version, framing, AssignedTunnel}
	p.Window = 8
	p.Call = nil
	return p
}

// DLink is the DIR-300, which forgets the tunnel id of an open tunnel.
func DLink() Profile {
	p := XL2TPD()
	p.Name, p.TunnelZero = "dlink", true
	return p
}

// Juniper is JunOS, which says nothing of its window.
func Juniper() Profile {
	p := CiscoLAC()
	p.Name, p.Window = "juniper", 4
	p.Start = []AVP{version, framing, Text(7, "mx480"), Optional(Text(8, "Juniper Networks, Inc.")), AssignedTunnel}
	p.Call = []AVP{Long(18, 1)}
	return p
}

// All are the profiles that log in by themselves.
func All() []Profile {
	return []Profile{Android(), Apple(), Windows(), XL2TPD(), KL2TPD(), MikroTik(), CiscoLAC(), HuaweiLAC(), MPD5(), DLink(), Juniper()}
}
