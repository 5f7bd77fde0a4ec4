package radiusserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// TLSStats are figures of the connections.
type TLSStats struct {
	Open    int    // now, with those whose handshake is under way
	Opened  uint64 // whose handshake is done
	Refused uint64 // closed at once: from nobody who may connect, or too many
	Failed  uint64 // in their handshake: mostly certificates
	Cut     uint64 // for what came, or because nothing came or went
}

// streams are the TLS connections.
type streams struct {
	limits    TLSLimits
	listeners []net.Listener
	config    atomic.Pointer[tls.Config]
	told      atomic.Int64 // when the log was told of a handshake that failed, in Unix seconds

	mu      sync.Mutex // guards the rest
	sources map[netip.Addr]int
	ready   map[*stream]bool // whose handshake is done
	count   TLSStats
}

func newStreams(limits TLSLimits) *streams {
	return &streams{limits: limits, sources: make(map[netip.Addr]int), ready: make(map[*stream]bool)}
}

// validateTLS says what is missing. Without authorities any certificate of the system's would do.
func validateTLS(c *tls.Config) error {
	switch {
	case c == nil || len(c.Certificates) == 0 && c.GetCertificate == nil:
		return errors.New("it listens for TLS, and has no certificate")
	case c.ClientCAs == nil:
		return errors.New("it listens for TLS, and nobody is named who may sign the certificates of clients")
	}
	return nil
}

// strict is a configuration that lets nobody in without a certificate (RFC 6614 section 2.3). Sessions are not resumed: connections
// last, and a certificate that is no good any more must not live on in a ticket.
func strict(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.ClientAuth, c.SessionTicketsDisabled = tls.RequireAndVerifyClientCert, true
	c.GetConfigForClient = nil
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	return c
}

// SetTLS replaces the certificate and the authorities, as in Config.TLSConfig, for the connections that come from now on.
func (s *Server) SetTLS(c *tls.Config) error {
	if err := validateTLS(c); err != nil {
		return fmt.Errorf("RADIUS server: %w", err)
	}
	s.streams.config.Store(strict(c))
	return nil
}

// listen opens the sockets.
func (all *streams) listen(addresses []netip.AddrPort) error {
	for _, at := range addresses {
		network := "tcp4"
		if at.Addr().Is6() && !at.Addr().Is4In6() {
			network = "tcp6"
		}
		l, err := net.Listen(network, at.String())
		if err != nil {
			return err
		}
		all.listeners = append(all.listeners, l)
	}
	return nil
}

// close closes the sockets, and no connections.
func (all *streams) close() error {
	var faults []error
	for _, l := range all.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// shortOf is how long nothing is accepted after that failed, such as for want of file descriptors.
const shortOf = 100 * time.Millisecond

// serveStreams takes connections until the context ends or a socket is broken, and returns when none is served any more.
func (s *Server) serveStreams(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var serving sync.WaitGroup
	faults := make([]error, len(s.streams.listeners))
	for i, l := range s.streams.listeners {
		serving.Go(func() {
			faults[i] = s.acceptAll(ctx, l, &serving)
			stop()
		})
	}
	<-ctx.Done()
	fault := s.streams.close() // wakes who accepts
	serving.Wait()
	return errors.Join(append(faults, fault)...)
}

// acceptAll takes connections until the context ends.
func (s *Server) acceptAll(ctx context.Context, l net.Listener, serving *sync.WaitGroup) error {
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close() //nolint:errcheck // nobody used it
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			s.config.Log.Error("RADIUS server: no connection can be taken for a moment", "cause", err)
			select {
			case <-time.After(shortOf):
			case <-ctx.Done():
			}
			continue
		}
		from := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
		from = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
		c := s.service.Load().clients.find(from.Addr())
		known := c != nil && c.stream != nil
		if !known || !s.streams.enter(from.Addr()) {
			s.streams.add(func(n *TLSStats) { n.Refused++ })
			if !known {
				s.tellStranger(c, "tls", from)
			}
			conn.Close() //nolint:errcheck // nobody used it
			continue
		}
		serving.Go(func() {
			defer s.streams.leave(from.Addr())
			s.serve(ctx, conn, from)
		})
	}
}

// enter counts a connection from there, if there is room for one more.
func (all *streams) enter(source netip.Addr) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.count.Open >= all.limits.Connections || all.sources[source] >= all.limits.PerSource {
		return false
	}
	all.count.Open++
	all.sources[source]++
	return true
}

func (all *streams) leave(source netip.Addr) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.count.Open--
	if all.sources[source]--; all.sources[source] == 0 {
		delete(all.sources, source)
	}
}

// begin notes a connection whose handshake is done.
func (all *streams) begin(c *stream) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.ready[c] = true
	all.count.Opened++
}

func (all *streams) end(c *stream) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.ready, c)
}

// keep cuts the connections of those who may not connect any more.
func (all *streams) keep(table *clientTable) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for c := range all.ready {
		if c.clientIn(table) == nil {
			c.cut(errUnwelcome)
		}
	}
}

func (all *streams) add(f func(*TLSStats)) {
	all.mu.Lock()
	defer all.mu.Unlock()
	f(&all.count)
}

func (all *streams) stats() TLSStats {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.count
}
