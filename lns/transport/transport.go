package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"lnsgate/lns/datapath"
)

// Switch says whether a kernel feature is used.
type Switch uint8

// The positions of a Switch.
const (
	// Auto uses the feature where the kernel has it.
	Auto Switch = iota
	// On makes New fail where the kernel lacks it.
	On
	// Off never uses it.
	Off
)

// String is the word of the configuration: auto, on or off.
func (s Switch) String() string {
	switch s {
	case Auto:
		return "auto"
	case On:
		return "on"
	case Off:
		return "off"
	default:
		return fmt.Sprintf("Switch(%d)", uint8(s))
	}
}

// Limits and defaults of a Config.
const (
	// MaxSockets is how many sockets a Transport can have: datapath.Path counts them in one octet.
	MaxSockets = 256
	// DefaultReceiveBuffer is the size of a socket's receive buffer, in octets. It has room for some 3,800 datagrams that a
	// network card has put into a page of memory each, which is 10 ms of as many as a processor can take.
	DefaultReceiveBuffer = 8 << 20
	// DefaultSendBuffer is the size of a socket's send buffer, in octets. What waits in the queue of a link counts against
	// it, and all peers of the socket share it: so it is as large as the queue that Linux gives a link (fq_codel, 32 MB).
	// Then a congested link drops its own packets before the socket has to drop other peers'. It is a bound, and takes no
	// memory while links are free.
	DefaultSendBuffer = 32 << 20

	maxDefaultSockets = 8
)

// Config says where to listen and how.
type Config struct {
	// Listen lists addresses and ports, IPv4 and IPv6; 0.0.0.0 and [::] may both be in it. Port 0 picks a free port. With none
	// there is nothing to read, and Run returns at once.
	Listen []netip.AddrPort
	// SocketsPerAddress is the number of sockets, and so of readers, for each address. The kernel spreads peers over
	// them by address and port. Zero means one per processor, at most 8.
	SocketsPerAddress int
	// BySession spreads the sessions of a peer over the sockets too, as package spread tells. It excludes GRO: what is
	// received in one piece may be of several sessions.
	BySession bool
	// GSO sends runs of equal-size datagrams to one peer in one piece (UDP_SEGMENT).
	GSO Switch
	// GRO receives such runs in one piece (UDP_GRO).
	GRO Switch
	// ReceiveBuffer and SendBuffer are the kernel's buffers for each socket, in octets. Zero means the default.
	ReceiveBuffer, SendBuffer int
	// Admission is the budget for strangers.
	Admission AdmissionConfig
	// Log receives what an administrator should know about the sockets; nil means nobody.
	Log *slog.Logger
}

// Receiver takes the datagrams of one reader, on the reader's goroutine.
type Receiver interface {
	// Datagram takes one datagram. Its octets are valid until Keep or Flush returns.
	Datagram(from datapath.Path, b []byte)
	// Keep marks the end of a batch behind which there is more already.
	Keep()
	// Flush marks the end of a batch behind which there may be nothing.
	Flush()
}

// Transport is a set of listening sockets. It is safe for concurrent use.
type Transport struct {
	sockets   []*socket
	admission *Admission
	outgoing  sync.Pool // of *outgoing
}

var _ datapath.Sender = (*Transport)(nil)

// New binds all sockets. The error names every address that could not be bound, and why.
func New(cfg Config) (*Transport, error) {
	if cfg.SocketsPerAddress == 0 {
		cfg.SocketsPerAddress = min(runtime.GOMAXPROCS(0), maxDefaultSockets)
	}
	cfg.BySession = cfg.BySession && cfg.SocketsPerAddress > 1
	if cfg.BySession && cfg.GRO == Auto {
		cfg.GRO = Off
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if err := check(cfg); err != nil {
		return nil, err
	}
	t := &Transport{admission: NewAdmission(cfg.Admission)}
	t.outgoing.New = func() any { return newOutgoing() }
	var faults []error
	for _, address := range cfg.Listen {
		if err := t.listen(address, cfg); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		t.Close()
		return nil, errors.Join(faults...)
	}
	asked := cfg.buffers()
	got := asked
	for _, s := range t.sockets {
		got = got.least(s.growBuffers(asked))
		if err := s.tune(cfg); err != nil {
			t.Close()
			return nil, err
		}
	}
	asked.report(cfg.Log, got)
	return t, nil
}

func check(cfg Config) error {
	if cfg.SocketsPerAddress < 0 {
		return fmt.Errorf("%d sockets per address: at least 1 is needed", cfg.SocketsPerAddress)
	}
	if cfg.BySession && cfg.GRO == On {
		return errors.New("spread by session and GRO on exclude each other: what the kernel joins may be of several sessions")
	}
	if cfg.ReceiveBuffer < 0 || cfg.SendBuffer < 0 {
		return fmt.Errorf("buffers of %d and %d octets: they cannot be negative", cfg.ReceiveBuffer, cfg.SendBuffer)
	}
	if n := len(cfg.Listen) * cfg.SocketsPerAddress; n > MaxSockets {
		return fmt.Errorf("%d addresses with %d sockets each make %d sockets, more than %d",
			len(cfg.Listen), cfg.SocketsPerAddress, n, MaxSockets)
	}
	return nil
}

// Run reads all sockets until the context is done or the transport is closed, and then returns nil; or until a socket
// breaks, and then says which and why. It calls receiver once for each reader, numbered as Path.Socket, before it
// starts them. Sending goes on working after Run has returned, until Close.
func (t *Transport) Run(ctx context.Context, receiver func(reader int) Receiver) error {
	receivers := make([]Receiver, len(t.sockets))
	for i, s := range t.sockets {
		receivers[i] = receiver(i)
		if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
			return nil // closed already
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		for _, s := range t.sockets {
			_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // fails only when closed, which wakes the reader too
		}
	})
	var readers sync.WaitGroup
	var broken onceError
	for i, s := range t.sockets {
		readers.Go(func() {
			if err := newReader(s, uint8(i)).run(ctx, receivers[i]); err != nil {
				broken.set(fmt.Errorf("reading UDP %s: %w", s.address, err))
				cancel(err)
			}
		})
	}
	readers.Wait()
	if !stop() {
		<-woken // a later Run must not find its deadline overwritten
	}
	return broken.err
}

// onceError keeps the first error it is given.
type onceError struct {
	once sync.Once
	err  error
}

func (e *onceError) set(err error) { e.once.Do(func() { e.err = err }) }

// Addrs tells what each address of Config.Listen is bound to, in the same order, with the port that was picked for
// port 0.
func (t *Transport) Addrs() []netip.AddrPort {
	var all []netip.AddrPort
	for _, s := range t.sockets {
		if s.firstOfAddress {
			all = append(all, s.address)
		}
	}
	return all
}

// PathTo is a path towards a peer that has not spoken yet: over the first socket of its address family, leaving from
// the address that the routing table chooses. The error says that no socket is of that family.
func (t *Transport) PathTo(remote netip.AddrPort) (datapath.Path, error) {
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	for i, s := range t.sockets {
		if s.fits(remote.Addr()) {
			return datapath.Path{Remote: remote, Socket: uint8(i)}, nil
		}
	}
	return datapath.Path{}, fmt.Errorf("no socket can reach %s: %w", remote, ErrPath)
}

// Admission is the budget for strangers that Config.Admission describes.
func (t *Transport) Admission() *Admission { return t.admission }

// Close closes all sockets at once; Run returns, and sends fail with net.ErrClosed. Closing again does nothing.
func (t *Transport) Close() error {
	var faults []error
	for _, s := range t.sockets {
		if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
