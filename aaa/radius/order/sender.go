package order

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa/foreign"
	"lnsgate/aaa/radius/wire"
)

// Sender tells NASes. It is safe for concurrent use.
type Sender struct {
	config  Config
	turns   chan struct{} // one for each request that waits for an answer
	ending  chan struct{}
	running sync.WaitGroup // the readers
	told    atomic.Bool    // the log knows of the first answer with a wrong secret

	mu      sync.Mutex // guards the rest
	peers   map[netip.AddrPort]*peer
	room    int // peers until some are forgotten
	sockets [families]net.PacketConn
	closed  bool
	stats   Stats
}

var _ foreign.Sender = (*Sender)(nil)

// New makes a sender. It opens its sockets when it needs them; Close gives them back.
func New(c Config) *Sender {
	c = c.withDefaults()
	return &Sender{
		config: c, turns: make(chan struct{}, c.AtOnce), ending: make(chan struct{}),
		peers: make(map[netip.AddrPort]*peer), room: leastRoom,
	}
}

// Close ends what waits for an answer, and closes the sockets.
func (s *Sender) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.ending)
		for _, conn := range s.sockets {
			if conn != nil {
				conn.Close() //nolint:errcheck // nothing is lost
			}
		}
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// Send tells the NAS of a session what the order says, and waits for its answer: until it comes, all tries are spent, or the
// context ends. What cannot be said to the NAS is done and not OK at once. When it is worth another try, after no answer, is not
// said: aaa/foreign knows.
func (s *Sender) Send(ctx context.Context, o foreign.Order) foreign.Answer {
	answer := s.send(ctx, &o)
	switch {
	case !answer.Done:
		s.count(&s.stats.Unanswered)
	case answer.OK:
		s.count(&s.stats.Done)
	default:
		s.count(&s.stats.Refused)
	}
	return answer
}

func (s *Sender) send(ctx context.Context, o *foreign.Order) foreign.Answer {
	nas, to, problem := s.destination(o)
	if problem != "" {
		return foreign.Answer{Done: true, Text: problem}
	}
	p, err := s.enter(ctx, to) // first, so that who waits for a NAS that is down has no turn that others could have
	if err != nil {
		return foreign.Answer{Text: "not sent: " + err.Error()}
	}
	defer s.leave(p)
	defer func() { <-p.turns }()
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return foreign.Answer{Text: "not sent: too many other requests wait for an answer"}
	}
	for n := fully; ; n++ {
		request, err := requestOf(o, &nas, n, time.Now())
		switch {
		case err != nil:
			return foreign.Answer{Done: true, Text: "not sent: " + err.Error()}
		case request == nil:
			return foreign.Answer{Done: true, OK: true, Text: "nothing of it concerns the NAS"}
		}
		reply, problem := s.ask(ctx, p, to, &nas, request)
		if reply == nil {
			return foreign.Answer{Text: problem}
		}
		if cause := causeOf(reply); n == fully && (cause == unsupportedAttribute || cause == invalidValue) {
			continue // perhaps it was a name too many
		}
		return answerOf(reply)
	}
}

// destination says where an order goes, or why nowhere.
func (s *Sender) destination(o *foreign.Order) (NAS, netip.AddrPort, string) {
	if o.Session.NAS == nil {
		return NAS{}, netip.AddrPort{}, "the session is not one of another NAS"
	}
	if o.Kind != foreign.Disconnect && o.Kind != foreign.Change {
		return NAS{}, netip.AddrPort{}, "there is nothing to be done: " + o.Kind.String()
	}
	nas, there := s.config.NAS(o.Session.NAS.Client)
	to := nas.Address
	if !to.IsValid() {
		to = o.Session.NAS.Address
	}
	switch {
	case !there:
		return nas, netip.AddrPort{}, fmt.Sprintf("there is no client %q any more", o.Session.NAS.Client)
	case nas.Port <= 0 || nas.Port > 65535:
		return nas, netip.AddrPort{}, fmt.Sprintf("client %q is never told anything: it has no port for such requests", nas.Name)
	case !to.IsValid():
		return nas, netip.AddrPort{}, "it is not known where the NAS is"
	case nas.Within.IsValid() && !nas.Within.Contains(to.Unmap().WithZone("")):
		return nas, netip.AddrPort{}, fmt.Sprintf("%s is not in the network %s of client %q: if it is behind a proxy there, make the proxy a client of its own",
			to, nas.Within, nas.Name)
	case o.Session.NAS.Session == "":
		return nas, netip.AddrPort{}, "the NAS did not say yet what it calls the session"
	}
	return nas, netip.AddrPortFrom(to.Unmap(), uint16(nas.Port)), ""
}

// ask sends one request until it is answered. Without a reply the text says why.
func (s *Sender) ask(ctx context.Context, p *peer, to netip.AddrPort, nas *NAS, request *radius.Packet) (*radius.Packet, string) {
	conn, err := s.socket(familyOf(to.Addr()))
	if err != nil {
		return nil, "not sent: " + err.Error()
	}
	id := s.begin(p)
	defer s.end(p, id)
	request.Identifier = id
	c := &call{key: wire.NewKey(nas.Secret.Reveal()), code: request.Code, reply: make(chan *radius.Packet, 1)}
	octets, err := c.key.AppendRequest(nil, request)
	if err != nil {
		return nil, "not sent: " + err.Error()
	}
	c.authenticator = [wire.AuthenticatorLength]byte(octets[4:wire.HeaderLength])
	s.await(p, id, c)
	s.count(&s.stats.Sent)
	return s.repeat(ctx, conn, to, octets, c.reply)
}

// repeat sends the same octets by the schedule of RFC 5080 section 2.2.1.
func (s *Sender) repeat(ctx context.Context, conn net.PacketConn, to netip.AddrPort, octets []byte, reply <-chan *radius.Packet) (*radius.Packet, string) {
	retry, began := s.config.Retry.OrDefault(), time.Now()
	gap, fault := retry.First(random()), ""
	timer := time.NewTimer(gap)
	defer timer.Stop()
	for sent := 1; ; sent++ {
		if _, err := conn.WriteTo(octets, net.UDPAddrFromAddrPort(to)); err != nil {
			fault = " (" + err.Error() + ")"
		}
		if end := retry.Duration - time.Since(began); retry.Duration > 0 && end < gap {
			timer.Reset(max(end, 0)) // the last one
		}
		select {
		case p := <-reply:
			return p, ""
		case <-s.ending:
			return nil, "given up: " + errClosed.Error()
		case <-ctx.Done():
			return nil, fmt.Sprintf("no answer from %s yet: given up after %d tries%s", to, sent, fault)
		case <-timer.C:
		}
		if retry.Exhausted(sent) || retry.Duration > 0 && time.Since(began) >= retry.Duration {
			return nil, fmt.Sprintf("no answer from %s: %d tries in %s%s", to, sent, time.Since(began).Round(time.Second), fault)
		}
		gap = retry.Following(gap, random())
		timer.Reset(gap)
		s.count(&s.stats.Repeated)
	}
}

func random() float64 { return 2*rand.Float64() - 1 }
