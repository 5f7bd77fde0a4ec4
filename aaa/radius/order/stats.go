package order

// Stats are counters since the sender was made.
type Stats struct {
	Sent, Repeated                         uint64 // requests, and transmissions after their first
	Done, Refused, Unanswered, Unspeakable uint64 // what came of them
	Stranger, Malformed, Forged, Late      uint64 // datagrams that were thrown away
	Waiting                                int    // for an answer, now
}
