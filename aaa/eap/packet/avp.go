package packet

import "encoding/binary"

// Flags of an AVP.
const (
	avpVendor    = 0x80
	avpMandatory = 0x40
)

// VendorMicrosoft owns the AVPs of MS-CHAP.
const VendorMicrosoft = 311

// AVP is an attribute in a TTLS tunnel (RFC 5281 section 10.1). Those without a vendor are those of RADIUS up to 255.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           AVP Code                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V M r r r r r r|                  AVP Length                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Vendor-ID (with V)                    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Data ...     (up to a multiple of four octets)
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type AVP struct {
	Code      uint32
	Vendor    uint32 // 0 = none
	Mandatory bool   // who does not know it must refuse
	Data      []byte
}

// Append writes it, with the padding.
func (a AVP) Append(b []byte) []byte {
	flags, size := byte(0), 8+len(a.Data)
	if a.Mandatory {
		flags |= avpMandatory
	}
	if a.Vendor != 0 {
		flags |= avpVendor
		size += 4
	}
	b = binary.BigEndian.AppendUint32(b, a.Code)
	b = append(b, flags, byte(size>>16), byte(size>>8), byte(size))
	if a.Vendor != 0 {
		b = binary.BigEndian.AppendUint32(b, a.Vendor)
	}
	b = append(b, a.Data...)
	return append(b, make([]byte, padding(size))...)
}

// padding is how many octets are missing to a multiple of four.
func padding(size int) int { return -size & 3 }

// ParseAVPs reads all that follow each other. The last one may be without its padding. Data is part of b.
func ParseAVPs(b []byte) ([]AVP, error) {
	var list []AVP
	for len(b) > 0 {
		if len(b) < 8 {
			return nil, ErrMalformed
		}
		word := binary.BigEndian.Uint32(b[4:])
		a := AVP{Code: binary.BigEndian.Uint32(b), Mandatory: byte(word>>24)&avpMandatory != 0}
		header, size := 8, int(word&0xffffff)
		if byte(word>>24)&avpVendor != 0 {
			header = 12
		}
		if size < header || size > len(b) {
			return nil, ErrMalformed
		}
		if header == 12 {
			a.Vendor = binary.BigEndian.Uint32(b[8:])
		}
		a.Data = b[header:size:size]
		list = append(list, a)
		b = b[min(size+padding(size), len(b)):]
	}
	return list, nil
}
