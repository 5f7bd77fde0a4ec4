package order

// Stats are counters since the sender was made.
type Stats struct {
	Sent, Repeated            uint64 // requests, and transmissions after their first
	Done, Refused, Unanswered uint64 // what came of orders; refused is also what was never sent
	Stranger                  uint64 // datagrams that were thrown away: from nobody who was asked
	Malformed                 uint64 // likewise: lengths, or a code that answers something else
	Forged                    uint64 // likewise: not made with the secret
	Late                      uint64 // likewise: nobody waits for it
	Waiting                   int    // requests that wait for an answer now
}

// Stats returns the counters.
func (s *Sender) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}
