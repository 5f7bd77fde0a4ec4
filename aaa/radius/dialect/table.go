package dialect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"layeh.com/radius"

	"lnsgate/aaa/radius/wire"
)

// attribute is one row of the table.
type attribute struct {
	name string
	show func([]byte) string
	read func(o *offer, value []byte) error // the error is the problem in words
	live func(value []byte) bool            // it can be changed while a session lives; nil: never
}

// key is where an attribute stands in the table.
type key struct {
	vendor wire.Vendor // 0: the standard
	kind   byte
}

// family is the attributes of one vendor.
type family map[byte]attribute

// table is all attributes that we know.
var table = index(map[wire.Vendor]family{
	0: standard, wire.Mikrotik: mikrotik, wire.Ascend: ascend, wire.WISPr: wispr, wire.Cisco: cisco, wire.Huawei: huawei,
	wire.Microsoft: microsoft,
})

func index(families map[wire.Vendor]family) map[key]attribute {
	all := make(map[key]attribute)
	for vendor, f := range families {
		for kind, a := range f {
			all[key{vendor, kind}] = a
		}
	}
	return all
}

const typeVendorSpecific = 26

// readAll reads every attribute of the packet that is in the table.
func readAll(o *offer, p *radius.Packet) error {
	for _, a := range p.Attributes {
		if a.Type == typeVendorSpecific || a.Type < 0 || a.Type > 255 {
			continue
		}
		if err := readOne(o, key{0, byte(a.Type)}, a.Attribute); err != nil {
			return err
		}
	}
	for a := range wire.VendorAttributes(p) {
		if err := readOne(o, key{a.Vendor, a.Type}, a.Value); err != nil {
			return err
		}
	}
	return nil
}

func readOne(o *offer, at key, value []byte) error {
	a, known := table[at]
	if !known {
		return nil
	}
	if err := a.read(o, value); err != nil {
		return &Fault{Attribute: a.name, Value: a.show(value), Problem: err.Error()}
	}
	return nil
}

// changing marks an attribute as one that a living session can take.
func changing(a attribute) attribute {
	a.live = func([]byte) bool { return true }
	return a
}

// text is an attribute that holds a text. An empty one says nothing.
func text(name string, read func(o *offer, s string) error) attribute {
	return attribute{
		name: name,
		show: func(b []byte) string { return strconv.Quote(string(b)) },
		read: func(o *offer, b []byte) error {
			if len(b) == 0 {
				return nil
			}
			return read(o, string(b))
		},
	}
}

// octets is an attribute that means nothing to us. An empty one says nothing.
func octets(name string, read func(o *offer, b []byte)) attribute {
	return attribute{
		name: name,
		show: func(b []byte) string { return fmt.Sprintf("0x%x", b) },
		read: func(o *offer, b []byte) error {
			if len(b) > 0 {
				read(o, append([]byte(nil), b...))
			}
			return nil
		},
	}
}

// number is an attribute of four octets.
func number(name string, read func(o *offer, n uint32) error) attribute {
	return attribute{
		name: name,
		show: func(b []byte) string {
			if len(b) != 4 {
				return fmt.Sprintf("0x%x", b)
			}
			return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b)), 10)
		},
		read: func(o *offer, b []byte) error {
			if len(b) != 4 {
				return fmt.Errorf("it has %d octets, not 4", len(b))
			}
			return read(o, binary.BigEndian.Uint32(b))
		},
	}
}

// address is an IPv4 address, or with 16 octets an IPv6 address.
func address(name string, size int, read func(o *offer, a netip.Addr) error) attribute {
	return attribute{
		name: name,
		show: func(b []byte) string {
			if a, ok := netip.AddrFromSlice(b); ok {
				return a.String()
			}
			return fmt.Sprintf("0x%x", b)
		},
		read: func(o *offer, b []byte) error {
			a, _ := netip.AddrFromSlice(b)
			if len(b) != size {
				return fmt.Errorf("it has %d octets, not %d", len(b), size)
			}
			return read(o, a)
		},
	}
}

func address4(name string, read func(o *offer, a netip.Addr) error) attribute {
	return address(name, 4, read)
}

func address6(name string, read func(o *offer, a netip.Addr) error) attribute {
	return address(name, 16, read)
}

// prefix is an IPv6 prefix (RFC 3162 section 2.3): a reserved octet, the length, and as many octets as the server
// cares to send. Bits behind the length do not count.
func prefix(name string, read func(o *offer, p netip.Prefix)) attribute {
	return attribute{
		name: name,
		show: func(b []byte) string {
			if p, err := wire.ParsePrefix(b); err == nil {
				return p.String()
			}
			return fmt.Sprintf("0x%x", b)
		},
		read: func(o *offer, b []byte) error {
			p, err := wire.ParsePrefix(b)
			if err == nil {
				read(o, p)
			}
			return err
		},
	}
}
