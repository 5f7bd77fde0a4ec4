package wire

import (
	"encoding/binary"
	"iter"

	"layeh.com/radius"
)

// Vendor is a private enterprise number, as it stands in Vendor-Specific (RFC 2865 section 5.26).
type Vendor uint32

// Vendors whose attributes are met in the field.
const (
	Cisco     Vendor = 9
	Microsoft Vendor = 311
	Ascend    Vendor = 529
	Huawei    Vendor = 2011
	Redback   Vendor = 2352
	ADSLForum Vendor = 3561
	ERX       Vendor = 4874 // Juniper
	Nokia     Vendor = 6527 // Alcatel-Lucent
	WISPr     Vendor = 14122
	Mikrotik  Vendor = 14988
)

// VendorAttribute is one attribute of a vendor. Value is a view into the packet.
type VendorAttribute struct {
	Vendor Vendor
	Type   byte
	Value  []byte
}

// longestVendorValue is what is left of an attribute after the vendor, and type and length of its own.
const longestVendorValue = MaxValue - 4 - 2

// AddVendor adds an attribute of a vendor, in a Vendor-Specific of its own. A value of more than 247 octets is
// ErrTooLong.
func AddVendor(p *radius.Packet, vendor Vendor, kind byte, value []byte) error {
	if len(value) > longestVendorValue {
		return ErrTooLong
	}
	b := make([]byte, 0, 4+2+len(value))
	b = binary.BigEndian.AppendUint32(b, uint32(vendor))
	b = append(b, kind, byte(2+len(value)))
	p.Add(typeVendorSpecific, append(b, value...))
	return nil
}

// VendorAttributes goes through all attributes of vendors, in the order of the packet. One Vendor-Specific may hold
// several. What is malformed, or in another form than type, length and value, is left out: nobody but its vendor could
// tell what it means.
func VendorAttributes(p *radius.Packet) iter.Seq[VendorAttribute] {
	return func(yield func(VendorAttribute) bool) {
		for _, a := range p.Attributes {
			if a.Type != typeVendorSpecific || len(a.Attribute) < 4 {
				continue
			}
			vendor := Vendor(binary.BigEndian.Uint32(a.Attribute))
			for rest := []byte(a.Attribute[4:]); attributeSize(rest) != 0; rest = rest[rest[1]:] {
				if !yield(VendorAttribute{vendor, rest[0], rest[2:rest[1]:rest[1]]}) {
					return
				}
			}
		}
	}
}

// LookupVendor returns the value of the first such attribute. It is a view into the packet.
func LookupVendor(p *radius.Packet, vendor Vendor, kind byte) ([]byte, bool) {
	for a := range VendorAttributes(p) {
		if a.Vendor == vendor && a.Type == kind {
			return a.Value, true
		}
	}
	return nil, false
}
