package lns

import "net/netip"

// MaxMail is how many datagrams may wait for one tunnel.
const MaxMail = maxMail

// TunnelAt returns our id of the newest tunnel of a peer that calls its own end 1.
func (s *Server) TunnelAt(remote netip.AddrPort) uint16 {
	if t := s.tunnels.findPeer(peerKey{remote, 1}); t != nil {
		return uint16(t.id)
	}
	return 0
}

// LongestMailbox is how many letters wait for the tunnel that has most.
func (s *Server) LongestMailbox() (longest int) {
	for _, t := range s.tunnels.all() {
		t.mail.mu.Lock()
		longest = max(longest, len(t.mail.letters))
		t.mail.mu.Unlock()
	}
	return longest
}
