package radius

import (
	"encoding/binary"
	"net/netip"

	"layeh.com/radius"

	"lnsgate/aaa/radius/wire"
)

// Values that never differ.
const (
	serviceFramed   = 2
	serviceOnlyAsk  = 8 // Authenticate Only
	protocolPPP     = 1
	portVirtual     = 5
	portWiFi        = 19
	tunnelL2TP      = 3
	mediumIPv4      = 1
	mediumIPv6      = 2
	longestValue    = wire.MaxValue
	longestPassword = 128 // RFC 2865 section 5.2
)

// writer adds attributes to a packet. What is empty is left out: RFC 2865 section 5 has no empty texts.
type writer struct{ p *radius.Packet }

func (w writer) octets(t radius.Type, b []byte) {
	if len(b) > 0 {
		w.p.Add(t, append(radius.Attribute(nil), b[:min(len(b), longestValue)]...))
	}
}

func (w writer) text(t radius.Type, s string) { w.octets(t, []byte(s)) }

func (w writer) number(t radius.Type, n uint32) {
	w.p.Add(t, binary.BigEndian.AppendUint32(nil, n))
}

// address adds an address under the number of its family.
func (w writer) address(four, six radius.Type, a netip.Addr) {
	switch a = a.Unmap(); {
	case a.Is4():
		w.octets(four, a.AsSlice())
	case a.Is6():
		w.octets(six, a.WithZone("").AsSlice())
	}
}

// tunnelText adds a text that may have a tag (RFC 2868 section 3.3). One that begins like a tag gets a tag of zero.
func (w writer) tunnelText(t radius.Type, s string) {
	if s != "" && s[0] <= 0x1f {
		s = "\x00" + s
	}
	w.text(t, s)
}
