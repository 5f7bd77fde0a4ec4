package radius

import (
	"encoding/binary"
	"net/netip"

	"layeh.com/radius"

	"lnsgate/aaa/radius/wire"
)

// Attributes that requests and records have, by their numbers (RFC 2865, 2866, 2867, 2868, 2869, 3162, 4372).
const (
	typeUserName             radius.Type = 1
	typeUserPassword         radius.Type = 2
	typeCHAPPassword         radius.Type = 3
	typeNASIPAddress         radius.Type = 4
	typeNASPort              radius.Type = 5
	typeServiceType          radius.Type = 6
	typeFramedProtocol       radius.Type = 7
	typeFramedIPAddress      radius.Type = 8
	typeFramedMTU            radius.Type = 12
	typeReplyMessage         radius.Type = 18
	typeState                radius.Type = 24
	typeClass                radius.Type = 25
	typeVendorSpecific       radius.Type = 26
	typeSessionTimeout       radius.Type = 27
	typeCalledStationID      radius.Type = 30
	typeCallingStationID     radius.Type = 31
	typeNASIdentifier        radius.Type = 32
	typeAcctStatusType       radius.Type = 40
	typeAcctInputOctets      radius.Type = 42
	typeAcctOutputOctets     radius.Type = 43
	typeAcctSessionID        radius.Type = 44
	typeAcctAuthentic        radius.Type = 45
	typeAcctSessionTime      radius.Type = 46
	typeAcctInputPackets     radius.Type = 47
	typeAcctOutputPackets    radius.Type = 48
	typeAcctTerminateCause   radius.Type = 49
	typeAcctInputGigawords   radius.Type = 52
	typeAcctOutputGigawords  radius.Type = 53
	typeEventTimestamp       radius.Type = 55
	typeCHAPChallenge        radius.Type = 60
	typeNASPortType          radius.Type = 61
	typeTunnelType           radius.Type = 64
	typeTunnelMediumType     radius.Type = 65
	typeTunnelClientEndpoint radius.Type = 66
	typeTunnelServerEndpoint radius.Type = 67
	typeAcctTunnelConnection radius.Type = 68
	typeConnectInfo          radius.Type = 77
	typeEAPMessage           radius.Type = 79
	typeTunnelAssignmentID   radius.Type = 82
	typeNASPortID            radius.Type = 87
	typeCUI                  radius.Type = 89
	typeTunnelClientAuthID   radius.Type = 90
	typeTunnelServerAuthID   radius.Type = 91
	typeNASIPv6Address       radius.Type = 95
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
