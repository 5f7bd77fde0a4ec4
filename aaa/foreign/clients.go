package foreign

import (
	"cmp"
	"context"
	"fmt"

	"lnsgate/aaa"
)

// CrowdedError says that a client of the RADIUS server has as many live sessions as one may have. Who has its secret cannot fill the
// Store with sessions that nobody has. What its NAS tells of sessions that are known is taken all the same.
type CrowdedError struct {
	Client     string
	Live, Most int
}

// Error says it to the administrator.
func (e *CrowdedError) Error() string {
	return fmt.Sprintf("NAS %q has %d live sessions here, and may have %d: if it is so large raise radius_server.max_client_sessions, "+
		"if it has lost them have it send Accounting-On, or end them with lnsgate kick", e.Client, e.Live, e.Most)
}

// recount learns from the Store how many sessions live. What becomes of them here is counted until it is asked again; of what other
// nodes hear in that time nothing is known.
func (s *Sessions) recount(ctx context.Context) error {
	live, err := s.config.Store.Live(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = live
	return nil
}

// hasRoom says whether one more session of a client may live.
func (s *Sessions) hasRoom(nas *aaa.NAS) error {
	most := cmp.Or(s.client(nas).MostSessions, mostOfClient)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.live[nas.Client]; n >= most {
		return &CrowdedError{nas.Client, n, most}
	}
	return nil
}

// mostOfClient is more than any NAS is known to hold.
const mostOfClient = 200_000

// lives notes that a session of a client has begun to live.
func (s *Sessions) lives(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[client]++
}

// livesNot notes that one does not any more.
func (s *Sessions) livesNot(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[client]--; s.live[client] <= 0 {
		delete(s.live, client)
	}
}
