package l2tp

import "encoding/binary"

// VendorBroadbandForum is the vendor id under which RFC 5515 numbers its AVPs.
const VendorBroadbandForum = 3561

// AccessLine is what a LAC tells about the subscriber's line (RFC 5515 section 5). Its AVPs carry vendor id 3561, and
// some of their numbers equal those of RFC 2661, so both must be compared.
type AccessLine struct {
	CircuitID                  string // Agent-Circuit-Id
	RemoteID                   string // Agent-Remote-Id
	UpstreamBPS, DownstreamBPS uint64 // actual data rates; 0: not told
}

// Attribute numbers under VendorBroadbandForum (RFC 5515 section 5).
const (
	lineCircuitID  Attribute = 1
	lineRemoteID   Attribute = 2
	lineUpstream   Attribute = 129
	lineDownstream Attribute = 130
	lineLast       Attribute = 145 // 131 ... 145: further figures about the line
)

// lineAttribute reports whether RFC 5515 defines the number.
func lineAttribute(a Attribute) bool {
	return a == lineCircuitID || a == lineRemoteID || a >= lineUpstream && a <= lineLast
}

// setVendor takes an AVP of RFC 5515; all of them are optional, so a broken one is skipped. Rates come as 4 octets or,
// in RFC 5515's own format, as 8.
func (m *ICRQ) setVendor(a avp) {
	line := m.Line
	if line == nil {
		line = new(AccessLine)
	}
	switch a.attribute {
	case lineCircuitID:
		line.CircuitID = text(a.value)
	case lineRemoteID:
		line.RemoteID = text(a.value)
	case lineUpstream:
		line.UpstreamBPS = rate(a.value)
	case lineDownstream:
		line.DownstreamBPS = rate(a.value)
	}
	if *line != (AccessLine{}) {
		m.Line = line
	}
}

func rate(v []byte) uint64 {
	switch len(v) {
	case 4:
		return uint64(u32(v))
	case 8:
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func (l AccessLine) write(e *encoder) {
	if l.CircuitID != "" {
		e.vendorAVP(VendorBroadbandForum, lineCircuitID, []byte(l.CircuitID))
	}
	if l.RemoteID != "" {
		e.vendorAVP(VendorBroadbandForum, lineRemoteID, []byte(l.RemoteID))
	}
	if l.UpstreamBPS != 0 {
		e.vendorAVP(VendorBroadbandForum, lineUpstream, binary.BigEndian.AppendUint64(nil, l.UpstreamBPS))
	}
	if l.DownstreamBPS != 0 {
		e.vendorAVP(VendorBroadbandForum, lineDownstream, binary.BigEndian.AppendUint64(nil, l.DownstreamBPS))
	}
}
