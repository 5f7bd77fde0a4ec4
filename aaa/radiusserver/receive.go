package radiusserver

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa/radius/udp"
	"lnsgate/aaa/radius/wire"
)

// datagram is what came, and the way back.
type datagram struct {
	listener int
	role     role
	octets   []byte
	from     netip.AddrPort
	control  []byte // as the kernel told it; nil: none
	out      sender
}

// sender sends answers. A socket is one.
type sender interface {
	Send(octets, control []byte, to netip.AddrPort)
}

// exchange is a request that is being answered.
type exchange struct {
	client  *client
	service *service
	key     *wire.Key
	packet  *radius.Packet
	signed  bool
	length  int // of the request, octets
	from    netip.AddrPort
	back    []byte // for the control message of the answer
	out     sender
	entry   *entry // nil: TLS, where nothing comes twice
	came    time.Time
	talk    *conversation // that it answers in; nil: none
	done    func()        // called when it will never be answered; nil: nothing waits for that
}

// end says that the exchange is over, and that there is no answer.
func (x *exchange) end() {
	if x.done != nil {
		x.done()
	}
}

// take does with one datagram what the package says, step by step.
func (s *Server) take(ctx context.Context, d datagram, now time.Time) {
	service := s.service.Load()
	c := service.clients.find(d.from.Addr())
	if c == nil || c.key == nil {
		s.total[Stranger].Add(1)
		s.tellStranger(c, "udp", d.from)
		return
	}
	verified, dropped := s.admit(c, d.role, d.octets, d.from.Addr())
	if dropped != 0 {
		s.drop(c, dropped, d.from)
		return
	}
	q := question{d.listener, d.from, verified.Octets[1], verified.Code()}
	entry, reply, fate := s.answers.begin(q, c.Name, [wire.AuthenticatorLength]byte(verified.Octets[4:]), now, func() bool { return s.enter(c, d.role) })
	switch fate {
	case isPending:
		s.count(c, Pending)
	case isBusy:
		s.drop(c, Busy, d.from)
	case isAnswered:
		s.count(c, Repeated)
		d.out.Send(reply, udp.BackFrom(d.control), d.from)
	case isNew:
		x := &exchange{
			client: c, service: service, key: c.key, packet: c.key.Parse(verified), signed: verified.Signed, length: len(verified.Octets),
			from: d.from, back: udp.BackFrom(d.control), out: d.out, entry: entry, came: now,
		}
		s.crew.run(&s.working, func() {
			defer s.leave(c, d.role)
			s.answer(ctx, x, d.role)
		})
	}
}

// answer answers a request that was admitted.
func (s *Server) answer(ctx context.Context, x *exchange, role role) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	switch {
	case x.packet.Code == radius.CodeStatusServer:
		s.status(x, role)
	case role == forRecords:
		s.record(ctx, x)
	default:
		s.access(ctx, x)
	}
}

// admit checks a datagram as far as its octets tell. An outcome other than zero says why it is dropped.
func (s *Server) admit(c *client, role role, octets []byte, from netip.Addr) (wire.Verified, Outcome) {
	if len(octets) < wire.HeaderLength {
		return wire.Verified{}, Malformed
	}
	code := radius.Code(octets[0])
	if code != radius.CodeStatusServer && code != [...]radius.Code{radius.CodeAccessRequest, radius.CodeAccountingRequest}[role] {
		return wire.Verified{}, WrongCode
	}
	v, dropped := verify(c.key, octets)
	switch {
	case dropped != 0:
		return v, dropped
	case code == radius.CodeAccessRequest:
		return v, s.admitAccess(c, v, from)
	case code == radius.CodeStatusServer && !v.Signed:
		return v, Unsigned
	}
	return v, 0
}

// verify checks lengths and authenticators. An outcome other than zero says what is wrong.
func verify(key *wire.Key, octets []byte) (wire.Verified, Outcome) {
	v, err := key.VerifyRequest(octets)
	switch {
	case errors.Is(err, wire.ErrAuthenticator), errors.Is(err, wire.ErrMessageAuthenticator):
		return v, Forged
	case err != nil:
		return v, Malformed
	}
	return v, 0
}

// admitAccess checks whether an Access-Request proves enough of who sent it.
func (s *Server) admitAccess(c *client, v wire.Verified, from netip.Addr) Outcome {
	switch {
	case v.Signed:
		if !v.EAP && c.MessageAuthenticator == Auto && s.pins.add(from) {
			s.working.Go(s.savePins)
		}
		return 0
	case v.EAP, c.MessageAuthenticator == Require, c.MessageAuthenticator == Auto && s.pins.signs(from):
		return Unsigned
	case v.ProxyState && !c.UnsignedProxies:
		return UnsignedProxy
	case !hasProof(v.Octets):
		return Unproven
	}
	return 0
}

func (s *Server) savePins() {
	if err := s.pins.save(); err != nil {
		s.config.Log.Error("RADIUS server: which NASes sign could not be written down, and is forgotten when the server ends; "+
			"see to the file and its folder", "file", s.config.StateFile, "cause", err)
	}
}

// drop counts a datagram that gets no answer, and tells of it now and then.
func (s *Server) drop(c *client, o Outcome, from netip.AddrPort) {
	s.count(c, o)
	s.tellDropped(c, o, from)
}

// finish sends a reply and keeps it for when the same request comes again. A nil one is not sent: the next try counts.
func (s *Server) finish(x *exchange, reply []byte, o Outcome) {
	current := true
	switch {
	case x.entry == nil:
	case reply == nil:
		current = s.answers.drop(x.entry)
	default:
		current = s.answers.end(x.entry, reply, time.Now())
	}
	switch {
	case !current:
		o = Superseded
	case reply == nil && !o.Dropped(): // it does not fit
		o = Unanswered
	}
	s.count(x.client, o)
	if !current || reply == nil {
		x.end()
		return
	}
	x.out.Send(reply, x.back, x.from)
}

// abandon drops a request that was admitted.
func (s *Server) abandon(x *exchange, o Outcome) {
	defer x.end()
	if x.entry != nil {
		s.answers.drop(x.entry)
	}
	s.drop(x.client, o, x.from)
}

// status answers a Status-Server (RFC 5997 section 3): an Access-Accept or an Accounting-Response that says nothing.
func (s *Server) status(x *exchange, role role) {
	code := radius.CodeAccessAccept
	if role == forRecords {
		code = radius.CodeAccountingResponse
	}
	reply := x.packet.Response(code)
	reply.Add(wire.TypeMessageAuth, make(radius.Attribute, wire.AuthenticatorLength))
	s.finish(x, s.sealed(x, reply), Status)
}

// sealed puts what went through proxies back (RFC 2865 section 5.33), and signs. Nil: it does not fit.
func (s *Server) sealed(x *exchange, reply *radius.Packet) []byte {
	for _, state := range wire.All(x.packet, wire.TypeProxyState) {
		reply.Add(wire.TypeProxyState, state)
	}
	octets, err := x.key.AppendReply(nil, reply)
	if err != nil {
		s.config.Log.Error("RADIUS server: a reply does not fit in a packet; grant the user less", "nas", x.client.Name,
			"user", text(x.packet, wire.TypeUserName), "reply", reply.Code.String(), "cause", err)
		return nil
	}
	return octets
}
