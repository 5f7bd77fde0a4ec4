package l2tp

import "encoding/binary"

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

func (m *WEN) set(a Attribute, v []byte) bool {
	if a == attrCallErrors {
		v = v[2:]
		for _, count := range m.counts() {
			*count, v = u32(v), v[4:]
		}
	}
	return true
}

func (m *WEN) counts() [6]*uint32 {
	return [...]*uint32{&m.CRCErrors, &m.FramingErrors, &m.HardwareOverruns,
		&m.BufferOverruns, &m.TimeoutErrors, &m.AlignmentErrors}
}

func (m *WEN) missing() string { return "" }
func (m *WEN) done() Message   { return *m }

func (m WEN) write(e *encoder) {
	v := make([]byte, 2, 26)
	for _, count := range m.counts() {
		v = binary.BigEndian.AppendUint32(v, *count)
	}
	e.avp(attrCallErrors, v)
}

func (m *SLI) set(a Attribute, v []byte) bool {
	if a == attrACCM {
		m.SendACCM, m.ReceiveACCM = u32(v[2:]), u32(v[6:])
	}
	return true
}

func (m *SLI) missing() string { return "" }
func (m *SLI) done() Message   { return *m }

func (m SLI) write(e *encoder) {
	v := binary.BigEndian.AppendUint32(make([]byte, 2, 10), m.SendACCM)
	e.avp(attrACCM, binary.BigEndian.AppendUint32(v, m.ReceiveACCM))
}
