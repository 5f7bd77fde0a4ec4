package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// Engine is what the server asks of the LNS. All methods are safe for concurrent use, and what they return belongs to
// the caller.
type Engine interface {
	Tunnels() []lns.TunnelInfo
	// EachSession shows what sessions are chosen and sorted by to a quick function; SessionInfos tells all about those that are chosen.
	EachSession(context.Context, func(*lns.SessionHead))
	SessionInfos(context.Context, []lns.SessionRef) []lns.SessionInfo
	// Kick ends the session named "TUNNEL/SESSION", or all sessions of the user with that name, and tells how many.
	Kick(ctx context.Context, who, reason string) (int, error)
	Counters() map[string]uint64
}

// Pools is what the server asks of the address allocator.
type Pools interface {
	Usage(context.Context) ([]pool.Usage, error)
}

// Config is what a [Server] needs. Engine is required.
type Config struct {
	Engine Engine
	Pools  Pools // nil: no pools are shown
	// Domains tells the domains now in force, and which of them serves names typed without a domain. Nil: none shown.
	Domains   func() (domains []aaa.Domain, fallback string)
	RADIUS    func() []RADIUSServer // nil: none shown
	NASes     func() []NAS          // nil: none shown
	Elsewhere Elsewhere             // the sessions of other NASes; nil: there are none
	// Reload reads the configuration again and returns once it is in force, or why it is refused. An *InForceError says
	// that it is in force, and what did not follow. Nil: not offered.
	Reload func(context.Context) (Reloaded, error)

	Attempts Attempts                                 // recorded attempts to log in; nil: none are recorded
	Watch    func(context.Context) <-chan trace.Event // what happens from now on, until the context ends; nil: not offered
	Mounts   []Mount                                  // of other rooms: metrics, capture, the page

	Directory Directory                                               // what is stored and can be changed; nil: nothing is
	Listed    func() []Account                                        // the accounts of the configuration file, by name; nil: there are none
	Addresses AddressBook                                             // of the pools; nil: they are not shown
	Health    func(context.Context) []Check                           // nil: all is well as long as it answers
	TestLogin func(context.Context, LoginTest) (LoginForecast, error) // nil: not offered

	Bans      Bans                              // nil: nobody can be banned
	Operators *Operators                        // who may ask over TCP by a token; nil: nobody
	Who       func(*http.Request) (Actor, bool) // whose log-in of the web page a request carries; nil: nobody's

	Version string           // of the program
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: none
}

// Server answers the operator's requests. Of its own it holds the last changes that operators made.
type Server struct {
	cfg      Config
	started  time.Time
	handler  http.Handler
	patience patience
	changes  auditRing
	checkup  checkup
	streams  chan struct{} // a place for each reader of events
	doors    doors         // of the network
	trials   budgets[string]
	trying   chan struct{} // a place for each password of a subscriber that is being tried
}

// patience is how long a client may take to send its request, and the server to answer it; and how long a stream of events is
// silent, and may wait for its reader.
type patience struct{ read, write, beat, slow time.Duration }

// stopGrace is how long requests under way may take to finish once the server is told to stop.
const stopGrace = 2 * time.Second

// New makes a server. Serve runs it.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, started: cfg.Now(), streams: make(chan struct{}, maxStreams), checkup: checkup{turn: make(chan struct{}, 1)},
		trying:   make(chan struct{}, trialsAtOnce),
		patience: patience{read: 10 * time.Second, write: time.Minute, beat: heartbeat, slow: slowReader}}
	s.handler = s.routes()
	return s
}

// Handler answers requests without a listener. Who asks has to stand in the context of the request, see [WithActor].
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers requests on the listener until ctx ends, and closes the listener. It has 64 connections open at most, and
// closes those whose requests do not come within seconds. The error is nil when ctx ended it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := s.newServer(ctx)
	return s.until(ctx, server, func() error { return server.Serve(limit(listener, maxConnections)) })
}

// ServeTLS does the same over TCP with TLS, with 128 connections on all addresses and 16 from one source at most. Addresses that [Operators]
// does not let in are hung up on.
func (s *Server) ServeTLS(ctx context.Context, listener net.Listener, config *tls.Config) error {
	server := s.newServer(ctx)
	server.TLSConfig = config
	server.IdleTimeout = remoteIdle
	server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: maxConcurrent}
	fenced := &fenced{listener, s.cfg.Operators, &s.doors}
	return s.until(ctx, server, func() error { return server.ServeTLS(fenced, "", "") })
}

// What one connection over the network may do, which a stranger may open too: be silent for so long between requests, and have so many
// under way.
const (
	remoteIdle    = 20 * time.Second
	maxConcurrent = 32
)

func (s *Server) newServer(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           s.handler,
		BaseContext:       func(net.Listener) context.Context { return context.WithValue(context.Background(), stopKey{}, ctx) },
		ConnContext:       connected,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       s.patience.read,
		WriteTimeout:      s.patience.write,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
}

// until runs the server until ctx ends, and lets requests that are under way finish for a moment.
func (s *Server) until(ctx context.Context, server *http.Server, serve func() error) error {
	stopped := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer done()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	})
	err := serve()
	if !cancel() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
