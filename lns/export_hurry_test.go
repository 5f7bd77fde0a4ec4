package lns

// Hurries reports whether the mail of a tunnel goes before that of others.
func (s *Server) Hurries(id uint16) bool {
	for _, t := range s.tunnels.all() {
		if uint16(t.id) == id {
			t.mail.mu.Lock()
			defer t.mail.mu.Unlock()
			return t.mail.urgent
		}
	}
	return false
}

// Occupy keeps everybody busy who runs tunnels, until it is over.
func (s *Server) Occupy() (over func()) {
	gate := make(chan struct{})
	for range s.readers.limit {
		s.readers.run(func() { <-gate })
	}
	return func() { close(gate) }
}
