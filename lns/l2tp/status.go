package l2tp

// WEN reports errors of the caller's line (RFC 2661 section 6.13). All are counts since the call was connected.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Reserved              |        CRC Errors (H)         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         CRC Errors (L)        |  ... five more counts of 32 bits
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type WEN struct {
	CRCErrors, FramingErrors, HardwareOverruns, BufferOverruns, TimeoutErrors, AlignmentErrors uint32
}

// Type is TypeWEN.
func (WEN) Type() MessageType { return TypeWEN }

// SLI tells the LAC which control characters PPP agreed to escape (RFC 2661 section 6.14).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Reserved             |    Send ACCM (H)              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Send ACCM   (L)      |    Receive ACCM (H)           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Receive ACCM  (L)    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type SLI struct {
	SendACCM, ReceiveACCM uint32
}

// Type is TypeSLI.
func (SLI) Type() MessageType { return TypeSLI }
