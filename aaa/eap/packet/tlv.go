package packet

import "encoding/binary"

// TLVs of PEAP (MS-PEAP section 2.2.8): two bits, fourteen bits of type, a length, and the value.
const (
	tlvHeader    = 4
	tlvMandatory = 0x8000
	tlvTypes     = 0x3fff
	tlvResult    = 3
)

// Outcomes in a result TLV (MS-PEAP section 2.2.8.1.2).
const (
	ResultSuccess = 1
	ResultFailure = 2
)

// AppendResult writes a result TLV.
func AppendResult(b []byte, result uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, tlvMandatory|tlvResult)
	b = binary.BigEndian.AppendUint16(b, 2)
	return binary.BigEndian.AppendUint16(b, result)
}

// ParseResult finds the result among TLVs. Zero: there is none.
func ParseResult(b []byte) (result uint16, err error) {
	for len(b) > 0 {
		if len(b) < tlvHeader {
			return 0, ErrMalformed
		}
		kind, length := binary.BigEndian.Uint16(b)&tlvTypes, int(binary.BigEndian.Uint16(b[2:]))
		if b = b[tlvHeader:]; length > len(b) {
			return 0, ErrMalformed
		}
		if kind == tlvResult {
			if length != 2 || result != 0 {
				return 0, ErrMalformed
			}
			result = binary.BigEndian.Uint16(b)
		}
		b = b[length:]
	}
	return result, nil
}
