package lns

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/recorder"
	"lnsgate/lns/trace"
	"lnsgate/lns/transport"
	"lnsgate/pool"
)

// Deps are the rooms that the engine works with.
type Deps struct {
	Node      string // the name of this node; it begins the names of its sessions
	Sender    datapath.Sender
	DataPath  datapath.DataPath
	AAA       aaa.Authenticator
	Pools     pool.Allocator
	Admission Admission          // nil: strangers are not held to a budget
	Bans      Bans               // nil: nobody is shut out
	Host      Host               // nil: the network of the host needs no word about single sessions
	Router    Router             // nil: nor about the networks behind peers
	Accounter aaa.Accounter      // nil: no accounting
	Attempts  aaa.AttemptLog     // nil: what came of logins is only logged
	Registry  aaa.Registry       // nil: no limits on sessions of an account or domain
	Recorder  *recorder.Recorder // nil: nobody is told how logins went
	Log       *slog.Logger
	Rand      io.Reader // safe for concurrent use; nil: crypto/rand
}

// Admission says whether a stranger may cost us a tunnel now. It is safe for concurrent use.
type Admission interface {
	Allow(peer netip.AddrPort, id uint16, now time.Time) (ok bool, refusal transport.Refusal)
}

// Bans say which sources are shut out. They are safe for concurrent use, and asked for every message that is for no tunnel.
type Bans interface {
	Banned(source netip.Addr, now time.Time) bool
}

// Host makes the address of an open session reachable from the networks of this host: routes and proxy ARP where they are needed.
// It is safe for concurrent use.
type Host interface {
	Attach(template string, address netip.Addr) error
	Detach(template string, address netip.Addr) error
}

// Router leads the networks behind peers into the interface of a virtual template. It is safe for concurrent use.
type Router interface {
	AddRoutes(template string, routes []aaa.Route) error
	RemoveRoutes(template string, routes []aaa.Route) error
}

// Server is the L2TP network server. Its methods are safe for concurrent use.
type Server struct {
	deps   Deps
	config atomic.Pointer[bindings]

	tunnels   table
	halfOpen  waiting[*tunnel] // tunnels whose peer has not shown that it receives what we send
	secured   atomic.Bool      // some group wants, or has wanted, IPsec
	sketches  sketches         // of those beyond what may be half-open tunnels
	lingering waiting[*tunnel] // closed tunnels that still acknowledge what their peer may repeat
	sessions  atomic.Int64
	counters  counters

	forgetful sync.Map // netip.AddrPort -> *tunnel: peers that leave their tunnel id out

	boot       int64         // when this process started: part of the names of its sessions
	serial     atomic.Uint64 // of sessions
	epoch      atomic.Uint64 // goes up when accounts or domains have changed
	claims     claims        // the networks behind peers
	reconnects reconnects    // of each account, lately
	idlest     idlest
	pending    waiting[*call] // sessions that have not logged in yet
	chatter    chatter
	rotation   rotation
	readers    crew // of the tunnels' mail
	// newcomers opens tunnels one after the other, away from the goroutines that read the sockets: what is answered quickly, such as a
	// HELLO of those who are in, is not to wait behind thousands who come at once.
	newcomers doorway
	work      work
	closing   atomic.Bool
	life      context.Context // ends with the server: checks and leases under way are given up
	die       context.CancelFunc
}

// New makes a server. Errors are the faults of the configuration.
func New(config *Config, deps Deps) (*Server, error) {
	if deps.Rand == nil {
		deps.Rand = rand.Reader
	}
	s := &Server{deps: deps, boot: time.Now().UnixMilli()}
	s.tunnels.promised = s.sketches.holds
	s.life, s.die = context.WithCancel(context.Background())
	if err := s.setConfig(config); err != nil {
		return nil, err
	}
	s.readers.limit = mostReaders()
	s.newcomers.open(1, mostNewcomers)
	s.work.limit(config.Limits.Authentications, config.Limits.WaitingAuthentications)
	return s, nil
}

// Close ends every session and tunnel: peers are told with StopCCN, and those that do not acknowledge it before the context ends
// are forgotten. When it returns nothing of the server runs and every lease has been given back.
func (s *Server) Close(ctx context.Context) {
	s.closing.Store(true)
	for _, t := range s.tunnels.close() {
		t.mail.post(closeTunnel{
			verdict: trace.Verdict{Cause: trace.Shutdown},
			result:  l2tp.ResultCode{Result: l2tp.StopCCNShutdown},
		}, false)
	}
	done := make(chan struct{})
	go func() {
		s.tunnels.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		for _, t := range s.tunnels.all() {
			t.mail.post(abandon{}, false)
		}
		<-done
	}
	s.die()
	if !s.work.wait(lastWait) {
		s.deps.Log.Error("a login, lease or record is still being asked for, and its back end does not give up: not waiting for it")
	}
	s.work.crew.close()
	s.work.dues.close()
	s.work.checks.crew.close()
	s.readers.close()
	s.newcomers.crew.close()
}

// mostNewcomers is how many SCCRQs may wait: a second's work. Who is beyond them says it again.
const mostNewcomers = 1 << 14

// mostReaders is how many tunnels act at once. They do not wait for each other, so that more of them would be done no sooner, and
// those who read the sockets would have their turn later.
func mostReaders() int { return max(8, 4*runtime.GOMAXPROCS(0)) }

// lastWait is how long back ends may take to give up, and leases to be given back, after the last tunnel.
const lastWait = 10 * time.Second
