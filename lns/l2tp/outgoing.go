package l2tp

// OCRQ asks the LAC to place a call (RFC 2661 section 6.9).
type OCRQ struct {
	AssignedSession SessionID
	CallSerial      uint32
	MinimumBPS      uint32
	MaximumBPS      uint32
	BearerType      uint32
	FramingType     uint32
	CalledNumber    string
	SubAddress      string
}

// Type is TypeOCRQ.
func (OCRQ) Type() MessageType { return TypeOCRQ }

// OCRP says that the LAC is placing the call (RFC 2661 section 6.10).
type OCRP struct {
	AssignedSession SessionID
	PhysicalChannel uint32
}

// Type is TypeOCRP.
func (OCRP) Type() MessageType { return TypeOCRP }

// OCCN says that the call was answered (RFC 2661 section 6.11).
type OCCN struct {
	TxSpeed            uint32
	RxSpeed            uint32 // 0: as TxSpeed, and then not written
	FramingType        uint32
	SequencingRequired bool
}

// Type is TypeOCCN.
func (OCCN) Type() MessageType { return TypeOCCN }
