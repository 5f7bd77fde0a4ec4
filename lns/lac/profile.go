package lac

import (
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// Profile is how a known kind of client looks on the wire, as far as that is data: what it says of itself and in which
// order, how patient it is, and what it asks for. What it does with answers stays ours.
type Profile struct {
	Name  string // as in dial --as
	About string // for the help, a few words

	HostName, Vendor string // Vendor "" is not sent
	Firmware         uint16 // 0 is not sent
	Window           uint16 // control messages that it takes unacknowledged
	Hellos           int    // HELLOs for no tunnel before its SCCRQ

	// The AVPs of its messages behind the message type, in its order. What we must say and the list leaves out comes last.
	Start, Connected, Call, Answer []Attribute

	// How its control messages are repeated.
	RetransmitFirst, RetransmitCap time.Duration
	MaxTransmissions               int

	Methods   []aaa.Method  // that it agrees to, the best first
	MRU       uint16        // that it asks for; 0: it leaves that out
	NoMagic   bool          // it sends no magic number
	PFC, ACFC bool          // it asks for the short forms
	Options   ppp.Options   // further LCP options that it asks for
	LinkDelay time.Duration // it waits with its own LCP Configure-Request
	Identify  []string      // its LCP Identifications once LCP is open
	Network   []ppp.Frame   // what it opens besides IPCP, right behind the login
}

// Attribute is one AVP of a Profile.
type Attribute struct {
	Kind     uint16
	Optional bool   // its M bit is clear
	Value    []byte // nil: ours
	Tail     string // behind our value
}

// ours are AVPs with our values, M bit set; optional clears it.
func ours(kinds ...uint16) (list []Attribute) {
	for _, k := range kinds {
		list = append(list, Attribute{Kind: k})
	}
	return list
}

// Numbers of AVPs (RFC 2661 section 4.4).
const (
	avpVersion  = 2
	avpFraming  = 3
	avpBearer   = 4
	avpFirmware = 6
	avpHost     = 7
	avpVendor   = 8
	avpTunnel   = 9
	avpWindow   = 10
)

func soft(kind uint16) Attribute { return Attribute{Kind: kind, Optional: true} }

func bearer(value byte) Attribute {
	return Attribute{Kind: avpBearer, Optional: true, Value: []byte{0, 0, 0, value}}
}

// accm is the Async-Control-Character-Map that pppd asks for.
var accm = ppp.Option{Type: ppp.LCPACCM, Value: []byte{0, 0, 0, 0}}.Append(nil)

// request is a Configure-Request with the identifier 1.
func request(p ppp.Protocol, options ...byte) ppp.Frame {
	return ppp.Frame{Protocol: p, Packet: append([]byte{byte(ppp.ConfigureRequest), 1, 0, byte(4 + len(options))}, options...)}
}

var microsoft = []aaa.Method{aaa.MSCHAPv2, aaa.CHAP}

// Profiles are the known ones, by name.
var Profiles = []Profile{
	{
		Name: "windows", About: "Windows since Vista", HostName: "DESKTOP-4PQ7", Vendor: "Microsoft", Firmware: 0x0a00, Window: 8,
		Start: []Attribute{{Kind: avpVersion}, {Kind: avpFraming}, bearer(0), soft(avpFirmware), {Kind: avpHost}, soft(avpVendor),
			{Kind: avpTunnel}, {Kind: avpWindow}},
		Answer:  []Attribute{{Kind: 24}, {Kind: 19}, {Kind: 29, Optional: true, Value: []byte{0, 4}}},
		Methods: microsoft, MRU: 1400, PFC: true, ACFC: true, LinkDelay: 2 * time.Second,
		Options:  ppp.Option{Type: 13, Value: []byte{6}}.Append(nil), // callback
		Identify: []string{"MSRASV5.20", "MSRAS-0-DESKTOP-4PQ7"},
		Network:  []ppp.Frame{request(ppp.CCP, 18, 6, 1, 0, 0, 0)},
	},
	{
		Name: "macos", About: "macOS", HostName: "MacBook.local", Window: 4, Hellos: 10,
		Start:           []Attribute{{Kind: avpVersion}, {Kind: avpFraming}, {Kind: avpHost, Tail: "\x00"}, {Kind: avpTunnel}, {Kind: avpWindow}},
		RetransmitFirst: time.Second, RetransmitCap: 8 * time.Second, MaxTransmissions: 9,
		Methods: microsoft, PFC: true, ACFC: true, Options: accm,
		Network: []ppp.Frame{request(ppp.ACSCP, 1, 6, 0, 0, 0, 0, 2, 6, 0, 0, 0, 0)},
	},
	{
		Name: "ios", About: "iPhone and iPad", HostName: "iPhone", Window: 4, Hellos: 10,
		Start:           []Attribute{{Kind: avpVersion}, {Kind: avpFraming}, {Kind: avpHost, Tail: "\x00"}, {Kind: avpTunnel}, {Kind: avpWindow}},
		RetransmitFirst: time.Second, RetransmitCap: 8 * time.Second, MaxTransmissions: 9,
		Methods: microsoft, PFC: true, ACFC: true, Options: accm,
		Network: []ppp.Frame{request(ppp.ACSCP, 1, 6, 0, 0, 0, 0, 2, 6, 0, 0, 0, 0)},
	},
	{
		Name: "android", About: "Android's mtpd", HostName: "anonymous", Window: 1,
		Start:           ours(avpVersion, avpHost, avpFraming, avpTunnel, avpWindow),
		RetransmitFirst: 2 * time.Second, RetransmitCap: 8 * time.Second,
		Methods: []aaa.Method{aaa.MSCHAPv2, aaa.CHAP, aaa.PAP}, MRU: 1400, PFC: true, ACFC: true, Options: accm,
	},
	{
		Name: "mikrotik", About: "RouterOS", HostName: "MikroTik", Vendor: "MikroTik", Firmware: 1, Window: 4,
		Start: []Attribute{{Kind: avpVersion}, {Kind: avpFraming}, bearer(0), soft(avpFirmware), {Kind: avpHost}, soft(avpVendor),
			{Kind: avpTunnel}, {Kind: avpWindow}},
		Methods: []aaa.Method{aaa.MSCHAPv2, aaa.CHAP, aaa.PAP}, MRU: 1450,
		Options: ppp.Option{Type: 17, Value: []byte{6, 0x40}}.Append(nil), // MRRU
		Network: []ppp.Frame{request(ppp.CCP, 18, 6, 1, 0, 0, 0x40), request(ppp.BCP, 3, 3, 1)},
	},
	{
		Name: "xl2tpd", About: "xl2tpd with pppd", HostName: "debian", Vendor: "xelerance.com", Firmware: 0x0690, Window: 4,
		Start: []Attribute{{Kind: avpVersion}, {Kind: avpFraming}, {Kind: avpBearer, Value: []byte{0, 0, 0, 0}}, soft(avpFirmware),
			{Kind: avpHost}, soft(avpVendor), {Kind: avpTunnel}, {Kind: avpWindow}},
		Methods: []aaa.Method{aaa.CHAP, aaa.MSCHAPv2, aaa.PAP}, MRU: 1410, PFC: true, ACFC: true, Options: accm,
		Network: []ppp.Frame{request(ppp.CCP, 26, 4, 0x78, 0, 24, 4, 0x78, 0, 21, 3, 0x2f)},
	},
	{
		Name: "networkmanager", About: "kl2tpd with pppd", HostName: "debian", Vendor: "Katalix Systems Ltd", Window: 4,
		Start:   []Attribute{{Kind: avpVersion}, {Kind: avpHost}, {Kind: avpFraming}, {Kind: avpTunnel}, soft(avpVendor), {Kind: avpWindow}},
		Methods: []aaa.Method{aaa.CHAP, aaa.MSCHAPv2, aaa.PAP}, MRU: 1400, PFC: true, ACFC: true, Options: accm,
	},
	{
		Name: "cisco-lac", About: "Cisco IOS in front of a subscriber", HostName: "LAC1", Vendor: "Cisco Systems, Inc.", Firmware: 0x1130,
		Window: 512,
		Start: []Attribute{{Kind: avpVersion}, {Kind: avpFraming}, bearer(3), soft(avpFirmware), {Kind: avpHost}, soft(avpVendor),
			{Kind: avpTunnel}, {Kind: avpWindow}},
		Methods: []aaa.Method{aaa.CHAP}, MRU: 1492,
	},
	{
		Name: "huawei-lac", About: "Huawei VRP in front of a subscriber", HostName: "ME60X", Vendor: "Huawei", Firmware: 0x0800, Window: 8,
		Start: []Attribute{soft(avpVersion), soft(avpFraming), {Kind: avpBearer, Value: []byte{0, 0, 0, 3}}, {Kind: avpFirmware}, soft(avpHost), {Kind: avpVendor},
			soft(avpTunnel), soft(avpWindow)},
		Methods: []aaa.Method{aaa.CHAP, aaa.PAP}, MRU: 1492,
	},
	{
		Name: "mpd5", About: "mpd of FreeBSD as a LAC", HostName: "freebsd", Vendor: "FreeBSD MPD", Window: 8,
		Start: []Attribute{{Kind: avpVersion}, {Kind: avpHost}, {Kind: avpFraming}, {Kind: avpBearer, Value: []byte{0, 0, 0, 3}}, {Kind: avpVendor},
			{Kind: avpTunnel}, {Kind: avpWindow}},
		Connected: []Attribute{{Kind: avpHost, Value: []byte("freebsd")}, {Kind: avpVendor, Value: []byte("FreeBSD MPD")},
			{Kind: avpVersion, Value: []byte{1, 0}}, {Kind: avpFraming, Value: []byte{0, 0, 0, 3}}, {Kind: avpWindow, Value: []byte{0, 8}}},
		Methods: []aaa.Method{aaa.CHAP, aaa.PAP}, MRU: 1492,
	},
}

// FindProfile finds a profile by its name; nil when there is none of it.
func FindProfile(name string) *Profile {
	for i := range Profiles {
		if Profiles[i].Name == name {
			return &Profiles[i]
		}
	}
	return nil
}

// wear puts the profile's own into what the configuration leaves open.
func (c *Config) wear(p *Profile) {
	if p == nil {
		return
	}
	if c.HostName == "" {
		c.HostName = p.HostName
	}
	c.Vendor, c.Firmware, c.Window = p.Vendor, p.Firmware, p.Window
	if c.RetransmitFirst == 0 && c.RetransmitCap == 0 && c.MaxTransmissions == 0 {
		c.RetransmitFirst, c.RetransmitCap, c.MaxTransmissions = p.RetransmitFirst, p.RetransmitCap, p.MaxTransmissions
	}
}

// attributes are the AVPs of a message, nil where the profile says nothing of it.
func (p *Profile) attributes(t l2tp.MessageType) []Attribute {
	switch t {
	case l2tp.TypeSCCRQ:
		return p.Start
	case l2tp.TypeSCCCN:
		return p.Connected
	case l2tp.TypeICRQ:
		return p.Call
	case l2tp.TypeICCN:
		return p.Answer
	}
	return nil
}
