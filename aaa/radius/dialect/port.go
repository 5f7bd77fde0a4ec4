package dialect

import "fmt"

// Port is the NAS-Port of a session: no two live sessions of a node have the same (RFC 2865 section 5.5).
func Port(tunnel, session uint16) uint32 { return uint32(tunnel)<<16 | uint32(session) }

// OfPort takes a NAS-Port apart.
func OfPort(port uint32) (tunnel, session uint16) { return uint16(port >> 16), uint16(port) }

// PortID is the NAS-Port-Id of a session in words: tunnel and call, our number first, then that of the far end. The ends
// themselves are in the attributes of the tunnel. It never has more than 32 octets, which is what FreeRADIUS's MySQL
// schema has room for: a longer one would be refused there, and the record with it.
func PortID(localTunnel, remoteTunnel, localSession, remoteSession uint16) string {
	return fmt.Sprintf("tun %d/%d call %d/%d", localTunnel, remoteTunnel, localSession, remoteSession)
}

// OfPortID takes our numbers out of a NAS-Port-Id.
func OfPortID(text string) (tunnel, session uint16, ok bool) {
	var remoteTunnel, remoteSession uint16
	n, err := fmt.Sscanf(text, "tun %d/%d call %d/%d", &tunnel, &remoteTunnel, &session, &remoteSession)
	if err != nil || n != 4 || PortID(tunnel, remoteTunnel, session, remoteSession) != text {
		return 0, 0, false
	}
	return tunnel, session, true
}
