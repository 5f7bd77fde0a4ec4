package radiusserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa/radius/wire"
)

// atOneStream is how many requests of one connection are answered at the same time: it has no more identifiers.
const atOneStream = 256

// stream is one TLS connection. One goroutine reads, one writes, and one answers each request, so that a slow answer holds up no
// other.
type stream struct {
	server *Server
	conn   net.Conn // of TLS
	from   netip.AddrPort
	names  []string // of the certificate

	cut   context.CancelCauseFunc // closes the connection
	turns chan struct{}           // one for each request whose reply is not written yet
	out   chan []byte             // replies that are to be written, each with a turn
}

func newStream(s *Server, conn net.Conn, from netip.AddrPort, cut context.CancelCauseFunc) *stream {
	return &stream{server: s, conn: conn, from: from, cut: cut, turns: make(chan struct{}, atOneStream), out: make(chan []byte, atOneStream)}
}

// serve serves one connection until it ends.
func (s *Server) serve(ctx context.Context, raw net.Conn, from netip.AddrPort) {
	own, cut := context.WithCancelCause(ctx)
	conn := tls.Server(raw, s.streams.config.Load())
	c := newStream(s, conn, from, cut)
	closed := make(chan struct{})
	context.AfterFunc(own, func() {
		if errors.Is(context.Cause(own), errUnread) {
			raw.Close() //nolint:errcheck // such a client would not take the farewell of TLS either
		}
		conn.Close() //nolint:errcheck // wakes who reads and who writes
		close(closed)
	})
	defer func() {
		cut(nil)
		<-closed
	}()
	if err := c.shakeHands(own, conn); err != nil {
		s.failed(from, err)
		return
	}
	s.streams.begin(c)
	defer s.streams.end(c)
	var writer sync.WaitGroup
	writer.Go(func() { c.write(own) })
	cut(c.read(ctx, own))
	writer.Wait()
	if err := context.Cause(own); !errors.Is(err, context.Canceled) {
		s.streams.add(func(n *TLSStats) { n.Cut++ })
		s.config.Log.Warn("RADIUS server: a connection is closed", "peer", from.String(), "cause", err)
	}
}

// failed notes a handshake that failed. A client that cannot connect tries again and again; the log hears of it once a minute.
func (s *Server) failed(from netip.AddrPort, err error) {
	s.streams.add(func(n *TLSStats) { n.Failed++ })
	now, told := time.Now().Unix(), s.streams.told.Load()
	if now-told >= 60 && s.streams.told.CompareAndSwap(told, now) {
		s.config.Log.Warn("RADIUS server: a client could not connect by TLS; see to its certificate, and to who signed it", "peer", from.String(), "cause", err)
	}
}

// Why a connection is closed from here.
var (
	errUnwelcome = errors.New("the client may not connect any more")
	errIdle      = errors.New("nothing came for too long")
	errUnread    = errors.New("the client does not take its replies")
)

var errNotItsName = errors.New("its certificate has none of the names that the client must have")

// shakeHands finds out who is there.
func (c *stream) shakeHands(ctx context.Context, conn *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, c.server.streams.limits.Handshake)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	c.names = namesOf(conn.ConnectionState().PeerCertificates[0])
	if c.clientIn(c.server.service.Load().clients) == nil {
		return fmt.Errorf("%w; it has %q", errNotItsName, c.names)
	}
	return nil
}

// namesOf are the names that a certificate is for (RFC 6614 section 2.3).
func namesOf(certificate *x509.Certificate) []string {
	names := append([]string(nil), certificate.DNSNames...)
	for _, ip := range certificate.IPAddresses {
		names = append(names, ip.String())
	}
	if certificate.Subject.CommonName != "" {
		names = append(names, certificate.Subject.CommonName)
	}
	return names
}

// clientIn finds out who the client is. Nil: nobody that may connect.
func (c *stream) clientIn(table *clientTable) *client {
	found := table.find(c.from.Addr())
	if found == nil || found.stream == nil {
		return nil
	}
	if len(found.CertificateNames) > 0 && !slices.ContainsFunc(found.CertificateNames, func(name string) bool {
		return slices.ContainsFunc(c.names, func(own string) bool { return strings.EqualFold(own, name) })
	}) {
		return nil
	}
	return found
}

// read takes packets until there are no more, or the connection is no good: the error says why. Requests are answered as long as
// the server lives, also when the connection does not. Nil: the client has closed it, or somebody cut it.
func (c *stream) read(ctx, own context.Context) error {
	in := bufio.NewReaderSize(c.conn, 2*wire.MaxLength)
	for {
		select {
		case c.turns <- struct{}{}:
		case <-own.Done():
			return nil
		}
		octets, err := c.next(in)
		switch {
		case errors.Is(err, io.EOF), own.Err() != nil:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errIdle
		case err != nil:
			return err
		}
		if err := c.take(ctx, octets, time.Now()); err != nil {
			return err
		}
	}
}

// next reads one packet. A length that cannot be leaves no way to find the next packet (RFC 6613 section 2.6.4).
func (c *stream) next(in *bufio.Reader) ([]byte, error) {
	limits := &c.server.streams.limits
	if in.Buffered() == 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(limits.Idle)) // fails only when it is closed
		if _, err := in.Peek(1); err != nil {
			return nil, err
		}
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(limits.Packet))
	head, err := in.Peek(4)
	if err != nil {
		return nil, half(err)
	}
	length := int(binary.BigEndian.Uint16(head[2:]))
	if length < wire.HeaderLength || length > wire.MaxLength {
		return nil, fmt.Errorf("%w: %d octets", wire.ErrLength, length)
	}
	octets := make([]byte, length)
	_, err = io.ReadFull(in, octets)
	return octets, half(err)
}

// half is the end of a connection within a packet.
func half(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// take begins to answer one packet. Whoever it is that may not connect any more, or sends what no client should, is cut off: the
// error says why.
func (c *stream) take(ctx context.Context, octets []byte, now time.Time) error {
	s := c.server
	service := s.service.Load()
	client := c.clientIn(service.clients)
	if client == nil {
		return errUnwelcome
	}
	verified, dropped := verify(client.stream, octets)
	if dropped == 0 && !isRequest(verified.Code()) {
		dropped = WrongCode
	}
	if dropped != 0 {
		s.count(client, dropped)
		return streamFaults[dropped]
	}
	x := &exchange{
		client: client, service: service, key: client.stream, packet: client.stream.Parse(verified), signed: verified.Signed,
		length: len(octets), from: c.from, out: c, came: now, done: func() { <-c.turns },
	}
	s.working.Go(func() { s.answerInTurn(ctx, x) })
	return nil
}

// streamFaults are what closes a connection at once.
var streamFaults = map[Outcome]error{
	Malformed: errors.New("a packet has lengths that do not add up"),
	Forged:    errors.New("a packet was not made with the secret of the client; compare the secrets, over TLS most have " + radSecSecret),
	WrongCode: errors.New("a packet is no request"),
}

func isRequest(code radius.Code) bool {
	switch code {
	case radius.CodeAccessRequest, radius.CodeAccountingRequest, radius.CodeStatusServer, radius.CodeCoARequest, radius.CodeDisconnectRequest:
		return true
	}
	return false
}

// answerInTurn answers a request when there is room. Nobody sends it again, so it waits.
func (s *Server) answerInTurn(ctx context.Context, x *exchange) {
	role := forAccess
	switch x.packet.Code {
	case radius.CodeCoARequest, radius.CodeDisconnectRequest:
		s.decline(x)
		return
	case radius.CodeAccountingRequest:
		if role = forRecords; s.config.Records == nil {
			s.decline(x)
			return
		}
	}
	switch {
	case s.await(ctx, x.client, role, s.config.Timeout):
		defer s.leave(x.client, role)
		s.answer(ctx, x, role)
	case ctx.Err() != nil:
		x.end()
	default:
		s.abandon(x, Busy)
	}
}

// unsupportedExtension is an Error-Cause (RFC 5176 section 3.5).
const unsupportedExtension = 406

// decline says no to a kind of request that is not for this server, so that the client need not wait (RFC 6614 section 2.5).
func (s *Server) decline(x *exchange) {
	reply := x.packet.Response(map[radius.Code]radius.Code{
		radius.CodeAccountingRequest: radius.CodeAccountingResponse,
		radius.CodeCoARequest:        radius.CodeCoANAK,
		radius.CodeDisconnectRequest: radius.CodeDisconnectNAK,
	}[x.packet.Code])
	reply.Add(wire.TypeErrorCause, binary.BigEndian.AppendUint32(nil, unsupportedExtension))
	s.finish(x, s.sealed(x, reply), WrongCode)
}

// Send has a reply written. There is room for it: no more requests are read than there are turns.
func (c *stream) Send(octets, _ []byte, _ netip.AddrPort) {
	select {
	case c.out <- octets:
	default:
		c.cut(errUnread)
	}
}

// write writes replies, those that are there together in one go, until the connection is cut.
func (c *stream) write(own context.Context) {
	var buffer []byte
	for {
		select {
		case reply := <-c.out:
			buffer = append(buffer[:0], reply...)
		case <-own.Done():
			return
		}
		written := 1
		for more := true; more && len(buffer) < 4*wire.MaxLength; {
			select {
			case reply := <-c.out:
				buffer = append(buffer, reply...)
				written++
			default:
				more = false
			}
		}
		_ = c.conn.SetWriteDeadline(time.Now().Add(c.server.streams.limits.Packet)) // fails only when it is closed
		if _, err := c.conn.Write(buffer); err != nil {
			c.cut(fmt.Errorf("%w: %w", errUnread, err))
			return
		}
		for range written {
			<-c.turns
		}
	}
}
