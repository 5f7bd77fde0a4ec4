package datapath

// Reason says why a packet was not carried. Its word is the key in DataPath.Drops and the label of a metric, so it does
// not change once published.
type Reason uint8

const (
	// HeaderMalformed: the L2TP data header could not be read (RFC 2661 section 3.1).
	HeaderMalformed Reason = iota
	// FrameMalformed: the PPP header could not be read.
	FrameMalformed
	// PeerMismatch: a known session, but the datagram came from another address or port than its peer's.
	PeerMismatch
	// OutOfSequence: Ns was old or seen before (RFC 2661 section 5.4).
	OutOfSequence
	// PacketMalformed: the IP header contradicts itself or the octets that came.
	PacketMalformed
	// SourceNotLeased: the source address is neither the session's own nor behind its routes.
	SourceNotLeased
	// InterfaceWrite: the virtual template's device refused the packet.
	InterfaceWrite
	// InterfaceRead: the device delivered something that could not be used.
	InterfaceRead
	// NotIPv4: the host sent a packet that is neither IPv4 nor IPv6 into the virtual template.
	NotIPv4
	// DestinationUnknown: no session has the destination address.
	DestinationUnknown
	// TooBig: longer than the peer receives, and must not be fragmented; the sender is told.
	TooBig
	// Redirect: an ICMP Redirect that this host sends when one peer speaks to another through the same virtual template.
	// On a point-to-point link there is no better way to be told about (RFC 792).
	Redirect
	// Filtered: the session's filter denies the packet.
	Filtered
	// OverRateUp: the session's bound on what comes from the peer is reached.
	OverRateUp
	// OverRateDown: the session's bound on what goes to the peer is reached.
	OverRateDown
	// PeerSend: the socket refused the datagram, or had no room for it.
	PeerSend

	// LinkScope: an IPv6 packet from or to an address that means something on one link only, and nothing that the engine
	// answers (RFC 4291 section 2.5.6 and 2.7).
	LinkScope

	// Reasons is how many reasons there are.
	Reasons
)

var reasonWords = [Reasons]string{
	HeaderMalformed:    "l2tp_header_malformed",
	FrameMalformed:     "ppp_header_malformed",
	PeerMismatch:       "wrong_peer",
	OutOfSequence:      "old_sequence_number",
	PacketMalformed:    "ip_header_malformed",
	SourceNotLeased:    "source_not_leased",
	InterfaceWrite:     "interface_write",
	InterfaceRead:      "interface_read",
	NotIPv4:            "not_ipv4",
	DestinationUnknown: "unknown_destination",
	TooBig:             "too_big",
	Redirect:           "icmp_redirect",
	Filtered:           "filter",
	OverRateUp:         "rate_up",
	OverRateDown:       "rate_down",
	PeerSend:           "peer_send",
	LinkScope:          "ipv6_link_scope",
}

// String is the reason as one word in snake case.
func (r Reason) String() string {
	if r < Reasons {
		return reasonWords[r]
	}
	return "unknown_reason"
}
