package transport

import (
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket is one bound UDP socket. One reader reads it; anybody may send on it.
type socket struct {
	conn           *net.UDPConn
	raw            syscall.RawConn
	log            *slog.Logger
	address        netip.AddrPort
	v6             bool
	anyAddress     bool // bound to no particular address: replies must say where they leave from
	firstOfAddress bool
	gro            bool
	segmenting     segmenting
	secureMark     atomic.Uint32 // of datagrams that came through IPsec; 0: nobody asks
	counters       counters
}

func newSocket(conn *net.UDPConn, log *slog.Logger) (*socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	address := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	address = netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
	return &socket{
		conn: conn, raw: raw, address: address,
		log:        log.With("listen", address.String()),
		v6:         address.Addr().Is6(),
		anyAddress: address.Addr().IsUnspecified(),
		segmenting: newSegmenting(),
	}, nil
}

// fits says whether the socket can send to the address.
func (s *socket) fits(remote netip.Addr) bool { return remote.IsValid() && remote.Is6() == s.v6 }

// tune sets the options that do not decide whether the bind succeeds.
func (s *socket) tune(cfg Config) error {
	if err := s.askForLocalAddress(); err != nil {
		return fmt.Errorf("UDP %s: the kernel does not tell which address a peer speaks to: %w", s.address, err)
	}
	if err := s.enableGRO(cfg.GRO); err != nil {
		return err
	}
	return s.enableGSO(cfg.GSO)
}

func (s *socket) askForLocalAddress() error {
	if s.v6 {
		return s.setOption(unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	// Without this the kernel sets DF and remembers path MTUs that anybody can forge an ICMP message about. What fits
	// into the tunnel is agreed by PPP (MRU); a narrow link on the way may fragment. IPv6 routers do not fragment, so
	// there the kernel's path MTU is needed.
	if err := s.setOption(unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT); err != nil {
		s.log.Info("this kernel cannot leave fragmenting to the network; path MTU discovery stays on", "error", err)
	}
	return s.setOption(unix.SOL_IP, unix.IP_PKTINFO, 1)
}

func (s *socket) enableGRO(position Switch) error {
	if position == Off {
		return nil
	}
	err := s.setOption(unix.SOL_UDP, unix.UDP_GRO, 1)
	if err != nil && position == On {
		return fmt.Errorf("UDP %s: GRO is on in the configuration, but this kernel has no UDP_GRO: %w", s.address, err)
	}
	s.gro = err == nil
	return nil
}

func (s *socket) enableGSO(position Switch) error {
	if position == Off {
		return nil
	}
	_, err := s.option(unix.SOL_UDP, unix.UDP_SEGMENT)
	if err != nil && position == On {
		return fmt.Errorf("UDP %s: GSO is on in the configuration, but this kernel has no UDP_SEGMENT: %w", s.address, err)
	}
	s.segmenting.on.Store(err == nil)
	return nil
}

func (s *socket) setOption(level, name, value int) error { return setOption(s.raw, level, name, value) }

func setOption(raw syscall.RawConn, level, name, value int) error {
	var err error
	if failed := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, name, value) }); failed != nil {
		return failed
	}
	return err
}

func (s *socket) option(level, name int) (value int, err error) {
	if failed := s.raw.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), level, name) }); failed != nil {
		return 0, failed
	}
	return value, err
}

// segmenting says to which peers runs of datagrams go out in one piece (UDP_SEGMENT).
//
// The kernel refuses a run for reasons that concern one peer: its segments would need fragmenting (EMSGSIZE, EINVAL from
// older kernels), or an IPsec policy covers it (EIO). Others concern the device or the kernel (EIO, EINVAL; 6.6.44
// refuses all). So a refusal is first remembered for the peer. Refusals in a row that a peer's path MTU cannot explain,
// without a success between them, switch the socket for an hour: a path MTU can be forged by whoever can send ICMPv6.
type segmenting struct {
	on       atomic.Bool
	refusals atomic.Uint32 // in a row
	// again is when it is to be tried again, in nanoseconds since started; it counts only while refusals hold it off.
	again   atomic.Int64
	started time.Time
	seed    maphash.Seed
	// peers remembers refusals, one peer in a slot: the upper 48 bits of the hash of its address, and the size from
	// which on segments are refused. Forgetting one costs a refused system call.
	peers [256]atomic.Uint64
}

const (
	refusalsUntilOff = 8
	offFor           = time.Hour
	noLimit          = 1 << 16
	// smallestMTU is a segment size that every path takes: IPv6 paths have an MTU of 1280 octets at least (RFC 8200
	// section 5), less the headers of IPv6 and UDP, and some room.
	smallestMTU = 1200
)

func newSegmenting() segmenting { return segmenting{seed: maphash.MakeSeed(), started: time.Now()} }

// limit is the segment size from which on datagrams to the peer go one by one; zero for all of them.
func (g *segmenting) limit(peer netip.Addr) int {
	if !g.on.Load() && !g.retry(time.Since(g.started)) {
		return 0
	}
	h := maphash.Comparable(g.seed, peer)
	if slot := g.peers[h%uint64(len(g.peers))].Load(); slot>>16 == h>>16 {
		return int(slot & 0xffff)
	}
	return noLimit
}

// retry switches the socket on again when it has been off for long enough. What was learnt about peers is forgotten.
func (g *segmenting) retry(now time.Duration) bool {
	again := g.again.Load()
	if again == 0 || int64(now) < again || !g.again.CompareAndSwap(again, 0) {
		return false
	}
	for i := range g.peers {
		g.peers[i].Store(0)
	}
	g.refusals.Store(0)
	g.on.Store(true)
	return true
}

// refused remembers that segments of this size did not go to the peer in one piece, although they went one by one. It
// says true when that was the last straw.
func (g *segmenting) refused(peer netip.Addr, size int, why unix.Errno) (off bool) {
	limit := size
	if why == unix.EIO {
		limit = 0
	}
	h := maphash.Comparable(g.seed, peer)
	g.peers[h%uint64(len(g.peers))].Store(h&^0xffff | uint64(limit)&0xffff)
	if why == unix.EMSGSIZE || why == unix.EINVAL && size > smallestMTU {
		return false
	}
	if g.refusals.Add(1) < refusalsUntilOff || !g.on.CompareAndSwap(true, false) {
		return false
	}
	g.again.Store(int64(time.Since(g.started) + offFor))
	return true
}

func (g *segmenting) worked() {
	if g.refusals.Load() != 0 {
		g.refusals.Store(0)
	}
}
