package radiusserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/udp"
)

// Server answers NASes. It is safe for concurrent use.
type Server struct {
	config  Config
	service atomic.Pointer[service]
	sockets udp.Sockets // for authentication, and then for records
	streams *streams
	slots   slots // one for each request that is being answered

	answers       *answers
	delays        *delays
	pins          *pins
	conversations *conversations
	sessions      *sessions
	logins        *logins
	restarts      *restarts

	working   sync.WaitGroup
	crew      *crew // nil before Run
	total     counts
	strangers occasion
}

// service is what a reload replaces.
type service struct {
	clients  *clientTable
	aaa, eap aaa.Authenticator
}

// role is what a socket is for.
type role int

const (
	forAccess role = iota
	forRecords
)

// Listen makes a server and opens its sockets. Run serves them; Close gives them back.
func Listen(c Config) (*Server, error) {
	s, err := newServer(c)
	if err != nil {
		return nil, fmt.Errorf("RADIUS server: %w", err)
	}
	if s.sockets, err = udp.OpenAll(slices.Concat(c.Listen, c.Accounting)); err != nil {
		return nil, fmt.Errorf("RADIUS server: %w", err)
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
		config: c, slots: newSlots(c.AtOnce),
		answers: newAnswers(c.Answers, c.Remember), delays: newDelays(), pins: pins,
		conversations: newConversations(), sessions: newSessions(), logins: newLogins(), restarts: newRestarts(), streams: newStreams(c.TLSLimits),
	}
	if c.TLSConfig != nil {
		s.streams.config.Store(strict(c.TLSConfig))
	}
	s.service.Store(&service{newClientTable(c.Clients, nil, shareOf(c.AtOnce)), c.AAA, c.EAP})
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
	table := newClientTable(clients, s.service.Load().clients, shareOf(s.config.AtOnce))
	s.service.Store(&service{table, authenticator, eap})
	s.streams.keep(table)
	return nil
}

// Addresses are those that the server listens on: for authentication, for records, and then for TLS, each in the order of the
// configuration.
func (s *Server) Addresses() []netip.AddrPort {
	list := s.sockets.Addresses()
	for _, l := range s.streams.listeners {
		list = append(list, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return list
}

// Run serves until the context ends, gives up what is being answered, and closes the sockets. Call it once.
func (s *Server) Run(ctx context.Context) error {
	var readers, others sync.WaitGroup
	var faults [2]error
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.crew = newCrew(ctx.Done())
	others.Go(func() { s.delays.run(ctx) })
	for i, serve := range []func(context.Context) error{s.serveDatagrams, s.serveStreams} {
		readers.Go(func() {
			faults[i] = serve(ctx)
			stop()
		})
	}
	readers.Wait()
	s.working.Wait()
	others.Wait()
	if err := errors.Join(faults[0], faults[1], s.Close()); err != nil {
		return fmt.Errorf("RADIUS server: %w", err)
	}
	return nil
}

// Close closes the sockets. Run does so by itself.
func (s *Server) Close() error { return errors.Join(s.sockets.Close(), s.streams.close()) }

// serveDatagrams takes datagrams until the context ends.
func (s *Server) serveDatagrams(ctx context.Context) error {
	return s.sockets.Serve(ctx, func(ctx context.Context, d udp.Datagram) {
		role := forAccess
		if d.Socket >= len(s.config.Listen) {
			role = forRecords
		}
		s.take(ctx, datagram{
			listener: d.Socket, role: role, octets: d.Octets, from: d.From, control: d.Control, out: s.sockets[d.Socket],
		}, time.Now())
	})
}
