package radiusserver

import (
	"encoding/hex"
	"fmt"

	"layeh.com/radius"
	"layeh.com/radius/vendors/microsoft"

	"lnsgate/aaa/radius/wire"
)

// mppe shows what a reply says of MPPE, decrypted.
func mppe(p *radius.Packet) string {
	nt, _ := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAPMPPEKeys)
	success, _ := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAP2Success)
	return fmt.Sprintf("%s success %q send %x receive %x nt %s policy %d types %d", p.Code, success, microsoft.MSMPPESendKey_Get(p, p), microsoft.MSMPPERecvKey_Get(p, p),
		hex.EncodeToString(nt), microsoft.MSMPPEEncryptionPolicy_Get(p), microsoft.MSMPPEEncryptionTypes_Get(p))
}
