package l2tp

// VendorBroadbandForum is the vendor id under which RFC 5515 numbers its AVPs.
const VendorBroadbandForum = 3561

// AccessLine is what a LAC tells about the subscriber's line (RFC 5515 section 5). Its AVPs carry vendor id 3561, and
// some of their numbers equal those of RFC 2661, so both must be compared.
type AccessLine struct {
	CircuitID                  string // Agent-Circuit-Id
	RemoteID                   string // Agent-Remote-Id
	UpstreamBPS, DownstreamBPS uint32 // actual data rates; 0: not told
}
