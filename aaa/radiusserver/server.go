package radiusserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/udp"
	"lnsgate/aaa/radius/wire"
)

// Server answers NASes. It is safe for concurrent use.
type Server struct {
	config    Config
	service   atomic.Pointer[service]
	listeners []*listener
	streams   *streams
	slots     [2]chan struct{} // one for each request that is being answered, by role

	answers       *answers
	delays        *delays
	pins          *pins
	conversations *conversations
	sessions      *sessions

	working sync.WaitGroup
	total   counts
	told    [outcomeCount]atomic.Bool // the log knows of the first
}

// service is what a reload replaces.
type service struct {
	clients  *clientTable
	aaa, eap aaa.Authenticator
}

// role is what a listener is for.
type role int

const (
	forAccess role = iota
	forRecords
)

// listener is one socket with its role.
type listener struct {
	udp.Socket
	index int
	role  role
}

// Listen makes a server and opens its sockets. Run serves them; Close gives them back.
func Listen(c Config) (*Server, error) {
	s, err := newServer(c)
	if err != nil {
		return nil, fmt.Errorf("RADIUS server: %w", err)
	}
	for at, addresses := range [][]netip.AddrPort{forAccess: c.Listen, forRecords: c.Accounting} {
		for _, address := range addresses {
			socket, err := udp.Open(address)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("RADIUS server: %w", err), s.Close())
			}
			s.listeners = append(s.listeners, &listener{socket, len(s.listeners), role(at)})
		}
	}
	if err := s.streams.listen(c.TLS); err != nil {
		return nil, errors.Join(fmt.Errorf("RADIUS server: %w", err), s.Close())
	}
	return s, nil
}

// newServer makes a server without sockets.
func newServer(c Config) (*Server, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	pins, err := newPins(c.StateFile)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: c, slots: [2]chan struct{}{make(chan struct{}, c.AtOnce), make(chan struct{}, c.AtOnce)},
		answers: newAnswers(c.Answers, c.Remember), delays: newDelays(), pins: pins,
		conversations: newConversations(), sessions: newSessions(), streams: newStreams(c.TLSLimits),
	}
	if c.TLSConfig != nil {
		s.streams.config.Store(strict(c.TLSConfig))
	}
	s.service.Store(&service{newClientTable(c.Clients, nil), c.AAA, c.EAP})
	return s, nil
}

// Reload replaces the clients and who is asked, for the requests that come from now on; eap is as in Config. When a client is
// no good, it says so and changes nothing. Connections of clients that may connect as before stay open.
func (s *Server) Reload(clients []Client, authenticator, eap aaa.Authenticator) error {
	if err := validateClients(clients); err != nil {
		return fmt.Errorf("RADIUS server: %w", err)
	}
	if eap == nil {
		eap = authenticator
	}
	table := newClientTable(clients, s.service.Load().clients)
	s.service.Store(&service{table, authenticator, eap})
	s.streams.keep(table)
	return nil
}

// Addresses are those that the server listens on: for authentication, for records, and then for TLS, each in the order of the
// configuration.
func (s *Server) Addresses() []netip.AddrPort {
	var list []netip.AddrPort
	for _, l := range s.listeners {
		list = append(list, l.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	for _, l := range s.streams.listeners {
		list = append(list, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return list
}

// Run serves until the context ends, gives up what is being answered, and closes the sockets. Call it once.
func (s *Server) Run(ctx context.Context) error {
	var readers, others sync.WaitGroup
	faults := make([]error, len(s.listeners)+len(s.streams.listeners))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	others.Go(func() { s.delays.run(ctx) })
	for i, l := range s.listeners {
		readers.Go(func() {
			faults[i] = s.read(ctx, l)
			stop() // one that is broken ends all: better seen than half a service
		})
	}
	for i, l := range s.streams.listeners {
		readers.Go(func() {
			faults[len(s.listeners)+i] = s.acceptAll(ctx, l, &readers)
			stop()
		})
	}
	<-ctx.Done()
	for _, l := range s.listeners {
		_ = l.SetReadDeadline(time.Unix(1, 0)) // wakes the readers, and fails only when it is closed
	}
	s.streams.close() //nolint:errcheck // they are closed again below
	readers.Wait()
	s.working.Wait()
	others.Wait()
	return errors.Join(append(faults, s.Close())...)
}

// Close closes the sockets. Run does so by itself.
func (s *Server) Close() error {
	var faults []error
	for _, l := range s.listeners {
		if err := l.UDPConn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(append(faults, s.streams.close())...)
}

// read takes datagrams until the context ends.
func (s *Server) read(ctx context.Context, l *listener) error {
	buffer, control := make([]byte, wire.MaxLength+1), make([]byte, udp.RoomForControl)
	for {
		n, m, _, from, err := l.ReadMsgUDPAddrPort(buffer, control)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("RADIUS server: %w", err)
		}
		s.take(ctx, datagram{listener: l.index, role: l.role, octets: buffer[:n], from: from, control: control[:m], out: l}, time.Now())
	}
}
