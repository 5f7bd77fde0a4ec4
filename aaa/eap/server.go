package eap

import (
	"cmp"
	"context"
	"crypto/tls"
	"sync/atomic"

	"lnsgate/aaa"
	"lnsgate/aaa/eap/packet"
)

// Backend is what Challenges of this server name as their back end. No back end of a chain is called so.
const Backend = "(eap)"

// Server leads EAP conversations. It is safe for concurrent use. Close ends it.
type Server struct {
	config atomic.Pointer[Config]
	talks  conversations
}

var _ aaa.Authenticator = (*Server)(nil)

// New makes a server. The error joins one *aaa.Fault for each thing that is wrong with the configuration.
func New(c Config) (*Server, error) {
	s := &Server{talks: conversations{open: make(map[[16]byte]*conversation)}}
	if err := s.Reload(c); err != nil {
		return nil, err
	}
	return s, nil
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

// Authenticate answers a request: one that is not EAP, or does not end here, as AAA does. The error is always a
// *aaa.Rejection or a *aaa.Challenge.
func (s *Server) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	c := s.config.Load()
	talking := len(r.Proof.State) > 0
	switch {
	case r.Proof.Method != aaa.EAP, talking && r.Backend != Backend, !talking && !c.Ends(r):
		return c.AAA.Authenticate(ctx, r)
	case talking:
		return s.goOn(ctx, c, r)
	}
	return s.begin(c, r)
}

// begin takes the identity of a peer.
func (s *Server) begin(c *Config, r *aaa.Request) (aaa.Decision, error) {
	p, err := packet.Parse(r.Proof.EAP)
	switch {
	case err != nil || p.Code != packet.Response || p.Type != packet.Identity:
		return refused(r, aaa.Reject(aaa.MalformedProof, "an EAP conversation begins with the identity of the peer, this one does not"))
	case len(p.Data) > 0 && string(p.Data) != r.Name: // who gives no name goes by the number that it calls from (RFC 3579 section 2.1)
		return refused(r, aaa.Reject(aaa.MalformedProof, "the NAS says that the peer is called %q, the peer that it is %q", r.Name, p.Data))
	case len(c.Methods) == 0:
		return refused(r, aaa.Reject(aaa.Misconfigured, "no EAP method is configured"))
	}
	talk := &conversation{name: r.Name, only: c}
	talk.mu.Lock()
	defer talk.mu.Unlock()
	if no := s.talks.add(talk); no != nil {
		return refused(r, no)
	}
	talk.begin(p, r.Proof.EAP)
	s.talks.settle(talk, talk.over, false)
	return talk.answer()
}

// goOn takes the peer's next word.
func (s *Server) goOn(ctx context.Context, c *Config, r *aaa.Request) (aaa.Decision, error) {
	talk := s.talks.find(r.Proof.State, r.Name)
	if talk == nil {
		return refused(r, aaa.Reject(aaa.MalformedProof, "the EAP conversation that it answers in is over, or is another's"))
	}
	talk.mu.Lock()
	defer talk.mu.Unlock()
	over := talk.over
	talk.hear(s.turn(ctx, c, r, talk), r.Proof.EAP)
	if !over {
		s.talks.settle(talk, talk.over, talk.err == nil)
	}
	return talk.answer()
}

func (s *Server) turn(ctx context.Context, c *Config, r *aaa.Request, talk *conversation) *turn {
	size := talk.only.FragmentSize
	if r.MTU > 0 {
		size = min(size, max(r.MTU, leastFragment))
	}
	return &turn{
		ctx: ctx, aaa: c.AAA, request: r, room: size - packet.HeaderSize - 1,
		proven: func() *aaa.Rejection { return s.talks.prove(talk) },
		open:   func(config *tls.Config) (*tunnel, *aaa.Rejection) { return s.talks.start(talk, config) },
		warn: func(message string, err error) {
			if r.NAS != nil { // our own links do not use the keys
				c.Log.Warn(message, "user", r.Name, "nas", r.NAS.Name, "cause", err)
			}
		},
	}
}

// refused is the no to what is not part of a conversation.
func refused(r *aaa.Request, no *aaa.Rejection) (aaa.Decision, error) {
	no = brokeOff(no)
	no.Packet = failure(r.Proof.EAP)
	return aaa.Decision{}, no
}

// failure is the end after a Response, or after what should have been one.
func failure(last []byte) []byte {
	var id uint8
	if len(last) > 1 {
		id = last[1]
	}
	return packet.End(packet.Failure, id)
}

// Authorize answers whether an account is still there, as AAA does. A request with the Inner of a decision is about who proved
// to be that inside of EAP.
func (s *Server) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	next := s.config.Load().AAA
	if r.Inner == "" && r.Backend != Backend {
		return next.Authorize(ctx, r)
	}
	own := *r
	if r.Inner != "" {
		own = *inside(r, r.Inner)
		own.Backend = r.Backend
	}
	if own.Backend == Backend { // as it was asked when the peer logged in
		own.Backend, own.Proof = "", aaa.Proof{}
	}
	d, err := next.Authorize(ctx, &own)
	if err == nil && r.Inner != "" {
		d.Inner, d.UserName = r.Inner, cmp.Or(d.UserName, r.Inner)
	}
	return d, err
}

// Close ends all conversations, and returns when none of their goroutines is left. Whoever comes later is refused.
func (s *Server) Close() { s.talks.close() }

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
func (s *Server) Stats() Stats { return s.talks.figures() }
