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

func (m *OCRQ) set(a Attribute, v []byte) bool {
	switch a {
	case attrAssignedSession:
		m.AssignedSession = SessionID(u16(v))
		return m.AssignedSession != 0
	case attrCallSerial:
		m.CallSerial = u32(v)
	case attrMinimumBPS:
		m.MinimumBPS = u32(v)
	case attrMaximumBPS:
		m.MaximumBPS = u32(v)
	case attrBearerType:
		m.BearerType = u32(v)
	case attrFramingType:
		m.FramingType = u32(v)
	case attrCalledNumber:
		m.CalledNumber = text(v)
	case attrSubAddress:
		m.SubAddress = text(v)
	}
	return true
}

func (m *OCRQ) missing() string { return missingSession(m.AssignedSession) }
func (m *OCRQ) done() Message   { return *m }

func (m OCRQ) write(e *encoder) {
	e.u16(attrAssignedSession, uint16(m.AssignedSession))
	e.u32(attrCallSerial, m.CallSerial)
	e.u32(attrMinimumBPS, m.MinimumBPS)
	e.u32(attrMaximumBPS, m.MaximumBPS)
	e.u32(attrBearerType, m.BearerType)
	e.u32(attrFramingType, m.FramingType)
	e.text(attrCalledNumber, m.CalledNumber)
	e.mayText(attrSubAddress, m.SubAddress)
}

func (m *OCRP) set(a Attribute, v []byte) bool {
	switch a {
	case attrAssignedSession:
		m.AssignedSession = SessionID(u16(v))
		return m.AssignedSession != 0
	case attrPhysicalChannel:
		m.PhysicalChannel = u32(v)
	}
	return true
}

func (m *OCRP) missing() string { return missingSession(m.AssignedSession) }
func (m *OCRP) done() Message   { return *m }

func (m OCRP) write(e *encoder) {
	e.u16(attrAssignedSession, uint16(m.AssignedSession))
	e.mayU32(attrPhysicalChannel, m.PhysicalChannel)
}

func (m *OCCN) set(a Attribute, v []byte) bool {
	switch a {
	case attrTxSpeed:
		m.TxSpeed = u32(v)
	case attrRxSpeed:
		m.RxSpeed = u32(v)
	case attrFramingType:
		m.FramingType = u32(v)
	case attrSequencingRequired:
		m.SequencingRequired = true
	}
	return true
}

func (m *OCCN) missing() string { return "" }
func (m *OCCN) done() Message   { return *m }

func (m OCCN) write(e *encoder) {
	e.u32(attrTxSpeed, m.TxSpeed)
	e.u32(attrFramingType, m.FramingType)
	writeLine(e, m.TxSpeed, m.RxSpeed, m.SequencingRequired)
}
