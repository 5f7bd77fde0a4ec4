package lns

import "net/netip"

// TunnelAt returns our id of the newest tunnel of a peer that calls its own end 1.
func (s *Server) TunnelAt(remote netip.AddrPort) uint16 {
	if t := s.tunnels.findPeer(peerKey{remote, 1}); t != nil {
		return uint16(t.id)
	}
	return 0
}
