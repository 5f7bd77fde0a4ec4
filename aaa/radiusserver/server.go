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
		conversations: newConversations(), sessions: newSessions(),
	}
	s.service.Store(&service{newClientTable(c.Clients, nil), c.AAA, c.EAP})
	return s, nil
}

// Reload replaces the clients and who is asked, for the requests that come from now on; eap is as in Config. When a client is
// no good, it says so and changes nothing.
func (s *Server) Reload(clients []Client, authenticator, eap aaa.Authenticator) error {
	if err := validateClients(clients); err != nil {
		return fmt.Errorf("RADIUS server: %w", err)
	}
	if eap == nil {
		eap = authenticator
	}
	s.service.Store(&service{newClientTable(clients, s.service.Load().clients), authenticator, eap})
	return nil
}

// Addresses are those that the server listens on: for authentication, then for records, each in the order of the
// configuration.
func (s *Server) Addresses() []netip.AddrPort {
	list := make([]netip.AddrPort, len(s.listeners))
	for i, l := range s.listeners {
		list[i] = l.LocalAddr().(*net.UDPAddr).AddrPort()
	}
	return list
}

// Run serves until the context ends, gives up what is being answered, and closes the sockets. Call it once.
func (s *Server) Run(ctx context.Context) error {
	var readers, others sync.WaitGroup
	faults := make([]error, len(s.listeners))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	others.Go(func() { s.delays.run(ctx) })
	for i, l := range s.listeners {
		readers.Go(func() {
			faults[i] = s.read(ctx, l)
			stop() // one that is broken ends all: better seen than half a service
		})
	}
	<-ctx.Done()
	for _, l := range s.listeners {
		_ = l.SetReadDeadline(time.Unix(1, 0)) // wakes the readers, and fails only when it is closed
	}
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
	return errors.Join(faults...)
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
