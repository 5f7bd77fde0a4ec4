package datapath

// Reason says why a packet was not carried. Its words are the keys of DataPath.Drops and the label of a metric, so they
// do not change once published.
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
	// NotIPv4: the host sent a packet that is not IPv4 into the virtual template.
	NotIPv4
	// DestinationUnknown: no session has the destination address.
	DestinationUnknown
	// TooBig: longer than the peer receives, and must not be fragmented; the sender is told.
	TooBig
	// OverRateUp: the session's bound on what comes from the peer is reached.
	OverRateUp
	// OverRateDown: the session's bound on what goes to the peer is reached.
	OverRateDown
	// PeerSend: the socket refused the datagram.
	PeerSend

	// Reasons is how many reasons there are.
	Reasons
)

var reasonWords = [Reasons]string{
	HeaderMalformed:    "l2tp header malformed",
	FrameMalformed:     "ppp header malformed",
	PeerMismatch:       "not from the peer's address and port",
	OutOfSequence:      "old or repeated sequence number",
	PacketMalformed:    "ip header malformed",
	SourceNotLeased:    "source address not leased",
	InterfaceWrite:     "interface refused the packet",
	InterfaceRead:      "interface read failed",
	NotIPv4:            "not ipv4",
	DestinationUnknown: "destination address unknown",
	TooBig:             "too big for the peer",
	OverRateUp:         "over the rate from the peer",
	OverRateDown:       "over the rate to the peer",
	PeerSend:           "socket refused the datagram",
}

// String is the reason in fixed words.
func (r Reason) String() string {
	if r < Reasons {
		return reasonWords[r]
	}
	return "unknown reason"
}
