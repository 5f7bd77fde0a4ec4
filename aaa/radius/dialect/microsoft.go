package dialect

import (
	"errors"

	"lnsgate/aaa/radius/wire"
)

// microsoft is RFC 2548. The attributes of MS-CHAP are part of authentication and not in the table.
var microsoft = family{
	7:                          number("MS-MPPE-Encryption-Policy", readEncryptionPolicy),
	wire.MSPrimaryDNSServer:    address4("MS-Primary-DNS-Server", server(0, ofStandard, dns)),
	wire.MSSecondaryDNSServer:  address4("MS-Secondary-DNS-Server", server(1, ofStandard, dns)),
	wire.MSPrimaryNBNSServer:   address4("MS-Primary-NBNS-Server", server(0, ofStandard, nbns)),
	wire.MSSecondaryNBNSServer: address4("MS-Secondary-NBNS-Server", server(1, ofStandard, nbns)),
}

var (
	errNoServer  = errors.New("no server can have this address")
	errNoProfile = errors.New("there are no QoS profiles here; write the rate in bits per second, such as 10M")
)

// readEncryptionPolicy refuses where MPPE must be used (RFC 2548 section 2.4.4): the operator would believe in a
// protection that is not there.
func readEncryptionPolicy(_ *offer, n uint32) error {
	const required = 2
	if n == required {
		return errors.New("encryption with MPPE is required, which this server does not have; use IPsec, and allow MPPE instead of requiring it")
	}
	return nil
}
