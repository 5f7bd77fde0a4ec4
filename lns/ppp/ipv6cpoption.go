package ppp

// The option types of IPv6CP, RFC 5072 section 4.
const (
	IPv6CPInterfaceID uint8 = 1
	IPv6CPCompression uint8 = 2
)

// InterfaceID reads an Interface-Identifier; all zero asks to be told one.
func (o Option) InterfaceID() (id [8]byte, ok bool) {
	if len(o.Value) != len(id) {
		return id, false
	}
	return [8]byte(o.Value), true
}

// AppendInterfaceID appends an Interface-Identifier option.
func AppendInterfaceID(b []byte, id [8]byte) []byte {
	return append(append(b, IPv6CPInterfaceID, 10), id[:]...)
}
