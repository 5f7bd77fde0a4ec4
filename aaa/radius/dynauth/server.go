package dynauth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/udp"
	"lnsgate/aaa/radius/wire"
)

// Server answers Disconnect and CoA. It is safe for concurrent use.
type Server struct {
	config  Config
	peers   atomic.Pointer[[]peer]
	us      atomic.Pointer[identity]
	sockets udp.Sockets
	slots   chan struct{} // one for each request that is being carried out

	working sync.WaitGroup
	mu      sync.Mutex // guards the rest
	answers answers
	stats   Stats
	told    [outcomeCount]bool // the log knows of the first
}

// Listen makes a server and opens its sockets. Run serves them; Close gives them back.
func Listen(c Config) (*Server, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("dynamic authorization: %w", err)
	}
	c = c.withDefaults()
	s := &Server{
		config: c, slots: make(chan struct{}, c.AtOnce),
		answers: answers{most: mostAnswers},
	}
	s.setClients(c.Clients)
	s.SetIdentity(c.Identifiers, c.Addresses)
	var err error
	if s.sockets, err = udp.OpenAll(c.Listen); err != nil {
		return nil, fmt.Errorf("dynamic authorization: %w", err)
	}
	return s, nil
}

// SetClients replaces the clients, for the requests that come from now on. When one of them is no good, it says so and
// changes nothing.
func (s *Server) SetClients(clients []Client) error {
	if err := validateClients(clients); err != nil {
		return fmt.Errorf("dynamic authorization: %w", err)
	}
	s.setClients(clients)
	return nil
}

func (s *Server) setClients(clients []Client) {
	list := peersOf(clients)
	s.peers.Store(&list)
}

// SetIdentity replaces what this node is called, as Config has it, for the requests that come from now on.
func (s *Server) SetIdentity(identifiers []string, addresses []netip.Addr) {
	s.us.Store(&identity{identifiers, addresses})
}

// Addresses are those that the server listens on, in the order of the configuration.
func (s *Server) Addresses() []netip.AddrPort { return s.sockets.Addresses() }

// Stats returns the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

func (s *Server) count(o Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats[o]++
}

// Run serves until the context ends, waits until what has begun is done and answered, and closes the sockets. Call it
// once.
func (s *Server) Run(ctx context.Context) error {
	err := s.sockets.Serve(ctx, func(ctx context.Context, d udp.Datagram) {
		back := udp.BackFrom(d.Control)
		s.take(ctx, d.Octets, d.From, time.Now(), func(reply []byte) { s.sockets[d.Socket].Send(reply, back, d.From) })
	})
	s.working.Wait()
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("dynamic authorization: %w", err)
	}
	return nil
}

// Close closes the sockets. Run does so by itself.
func (s *Server) Close() error { return s.sockets.Close() }

// take does with one datagram what the package says, step by step. respond may be called later, from another goroutine.
func (s *Server) take(ctx context.Context, datagram []byte, from netip.AddrPort, now time.Time, respond func([]byte)) {
	client := peerOf(*s.peers.Load(), from.Addr())
	if client == nil {
		s.drop(Stranger, from)
		return
	}
	request, signed, dropped := admit(client, datagram, now, s.config.Window)
	if request == nil {
		s.drop(dropped, from)
		return
	}
	q, until := questionOf(request, from, now, s.config.Window)
	answer, outcome := s.begin(q, now, until)
	switch outcome {
	case Busy:
		return
	case Repeated:
		if answer != nil {
			respond(answer)
		}
		return
	}
	s.working.Go(func() {
		defer func() { <-s.slots }()
		answer := s.answer(ctx, client, request, signed, from)
		s.mu.Lock()
		s.answers.end(q, answer)
		s.mu.Unlock()
		if answer != nil {
			respond(answer)
		}
	})
}

// begin finds out whether a request is to be carried out, and if so takes a slot for it. It counts the others. Of one that is
// dropped for want of a slot nothing is kept: it may come again.
func (s *Server) begin(q question, now, until time.Time) (answer []byte, outcome Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, known := s.answers.find(q, now)
	if known {
		s.stats[Repeated]++
		return answer, Repeated
	}
	select {
	case s.slots <- struct{}{}:
		s.answers.begin(q, until)
		return nil, Done
	default:
		s.stats[Busy]++
		return nil, Busy
	}
}

// drop counts a datagram that gets no answer, and tells of the first of its kind.
func (s *Server) drop(o Outcome, from netip.AddrPort) {
	s.mu.Lock()
	told := s.told[o]
	s.told[o] = true
	s.stats[o]++
	s.mu.Unlock()
	if advice := advices[o]; advice != "" && !told {
		s.config.Log.Warn("dynamic authorization: a request is dropped, others like it are only counted: "+advice, "peer", from.String())
	}
}

// advices are for the log.
var advices = [outcomeCount]string{
	Stranger:  "its source is none of the clients",
	Malformed: "it is not a Disconnect-Request or CoA-Request, or its lengths do not add up",
	Forged:    "it was not made with the secret of this client; compare the secrets",
	Unsigned:  "it has no Message-Authenticator, which this client must send",
	Stale:     "its Event-Timestamp is too far from the time here; compare the clocks",
}

// admit checks a datagram as far as its octets tell. Without a packet the outcome says why it is dropped.
func admit(client *peer, datagram []byte, now time.Time, window time.Duration) (p *radius.Packet, signed bool, dropped Outcome) {
	if len(datagram) < wire.HeaderLength {
		return nil, false, Malformed
	}
	if code := radius.Code(datagram[0]); code != radius.CodeDisconnectRequest && code != radius.CodeCoARequest {
		return nil, false, Malformed
	}
	verified, err := client.key.VerifyRequest(datagram)
	switch {
	case errors.Is(err, wire.ErrAuthenticator), errors.Is(err, wire.ErrMessageAuthenticator):
		return nil, false, Forged
	case err != nil:
		return nil, false, Malformed
	case client.demanded && !verified.Signed:
		return nil, false, Unsigned
	}
	p = client.key.Parse(verified)
	if at, there := timestamp(p); there && (at.Before(now.Add(-window)) || at.After(now.Add(window))) {
		return nil, false, Stale
	}
	return p, verified.Signed || client.demanded, 0
}

// answer carries a request out and makes the reply.
func (s *Server) answer(ctx context.Context, client *peer, request *radius.Packet, signed bool, from netip.AddrPort) []byte {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Timeout)
	defer cancel()
	order, refusal := orderOf(request, s.us.Load(), dialect.Options{LeastInterim: s.config.LeastInterim})
	count := 0
	if refusal == nil {
		count, refusal = s.carryOut(ctx, order, from.Addr().Unmap().String())
	}
	s.tell(request, from, count, refusal)
	reply, err := client.key.AppendReply(nil, replyTo(request, refusal, signed))
	if err != nil {
		s.config.Log.Error("dynamic authorization: a reply does not fit", "peer", from.String(), "cause", err)
		return nil
	}
	return reply
}

// tell counts and logs what was done.
func (s *Server) tell(request *radius.Packet, from netip.AddrPort, count int, refusal *refusal) {
	if refusal != nil {
		s.count(Refused)
		s.config.Log.Warn("dynamic authorization: refused", "peer", from.String(), "request", request.Code.String(),
			"cause", refusal.cause.String(), "detail", refusal.detail)
		return
	}
	s.count(Done)
	s.config.Log.Info("dynamic authorization: done", "peer", from.String(), "request", request.Code.String(), "sessions", count)
}

// replyTo makes the reply: what was asked for decides the code, and Proxy-State and State go back as they came.
func replyTo(request *radius.Packet, refusal *refusal, signed bool) *radius.Packet {
	codes := map[radius.Code][2]radius.Code{
		radius.CodeDisconnectRequest: {radius.CodeDisconnectACK, radius.CodeDisconnectNAK},
		radius.CodeCoARequest:        {radius.CodeCoAACK, radius.CodeCoANAK},
	}[request.Code]
	reply := request.Response(codes[0])
	if refusal != nil {
		reply.Code = codes[1]
		reply.Add(typeErrorCause, binary.BigEndian.AppendUint32(nil, uint32(refusal.cause)))
	}
	if signed {
		reply.Add(typeMessageAuth, make(radius.Attribute, wire.AuthenticatorLength))
	}
	for _, a := range request.Attributes {
		if a.Type == typeProxyState || a.Type == typeState && request.Code == radius.CodeCoARequest {
			reply.Add(a.Type, a.Attribute)
		}
	}
	return reply
}
