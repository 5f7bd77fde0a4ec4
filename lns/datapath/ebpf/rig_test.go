package ebpf

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/lns/datapath/tun"
	"lnsgate/test/netns"
)

const patience = 10 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rig is both data paths in the kernel's own world: datagrams come in on a wire and leave on it.
//
//	peer (198.51.100.0/24, 203.0.113.0/24 behind it) wan 10.99.0.2 --- wan 10.99.0.1, 192.0.2.1 host vt1
type rig struct {
	t          testing.TB
	host, peer *netns.Namespace
	path       *DataPath
	under      datapath.Ingress
	conn       *net.UDPConn // where what is left to user space arrives
	capture    int          // what enters the host on vt1
	inject     int          // sends packets with a header of our own
	wire       int          // the far end of the wire
	index      int          // of the far end
	gateway    net.HardwareAddr
	far        net.HardwareAddr // the peer's
	inject6    int
	fast       *atomic.Int64
	hurried    bool
	byTheStack bool // all packets of the virtual template pass the host's stack
}

// wireSender is what the transport is in a server.
type wireSender struct{ conn *net.UDPConn }

func (w wireSender) Send(p datapath.Path, datagram []byte) error {
	_, err := w.conn.WriteToUDPAddrPort(datagram, p.Remote)
	return err
}

func (w wireSender) SendBatch(p datapath.Path, datagrams [][]byte) error {
	for i, d := range datagrams {
		if err := w.Send(p, d); err != nil {
			return &datapath.BatchError{From: i, Err: err}
		}
	}
	return nil
}

func newRig(t testing.TB, fast *atomic.Int64) *rig {
	t.Helper()
	return (&rig{fast: fast}).set(t)
}

// set has a rig have all that it needs.
func (r *rig) set(t testing.TB) *rig {
	t.Helper()
	netns.RequireTUN(t)
	r.t, r.host, r.peer = t, netns.NewTest(t), netns.NewTest(t)
	must(t, netns.Veth(r.host, "wan", r.peer, "wan"))
	must(t, r.host.Address("wan", "10.99.0.1/24"))
	must(t, r.host.Address("wan", "192.0.2.1/32"))
	must(t, r.peer.Address("wan", "10.99.0.2/24"))
	must(t, r.host.Route("198.51.100.0/24", "10.99.0.2"))
	must(t, r.host.Route("203.0.113.0/24", "10.99.0.2"))
	_, err := r.host.Run("ip", "route", "add", "blackhole", "default") // the host has nothing to say about what peers send
	must(t, err)
	must(t, r.host.Do(r.openHost))
	t.Cleanup(r.close)
	must(t, r.peer.Do(r.openPeer))
	r.under = r.path.Ingress()
	return r
}

func (r *rig) openHost() error {
	for name, value := range map[string]string{"ipv4/ip_forward": "1", "ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0",
		"ipv6/conf/default/disable_ipv6": "1"} {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	var err error
	if r.conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1701}); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(r.t.Output(), nil))
	if err := r.openPath(log); err != nil {
		return err
	}
	r.inject, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	i, err := net.InterfaceByName("wan")
	r.gateway = i.HardwareAddr
	return err
}

// openPath opens the data path with its virtual template, and what shows what enters the host there.
func (r *rig) openPath(log *slog.Logger) error {
	under, err := tun.New(tun.Config{Interface: "vt1", Sender: wireSender{r.conn}, Log: log})
	if err != nil {
		return err
	}
	must(r.t, r.host.Up("vt1"))
	must(r.t, r.host.Address("vt1", "10.10.0.1/32"))
	must(r.t, r.host.RouteLink("10.10.1.0/24", "vt1"))
	must(r.t, r.host.RouteLink("10.20.0.0/16", "vt1"))
	config := Config{Under: under, Templates: []string{"vt1"}, Port: 1701, Log: log}
	if r.byTheStack {
		config.ByTheStack = config.Templates
	}
	if r.path, err = New(config); err != nil {
		return errors.Join(err, under.Close())
	}
	r.capture, err = packetSocket("vt1", unix.SOCK_DGRAM)
	return err
}

// speakIPv6 has vt1 carry IPv6, and the host say nothing by it of its own.
func (r *rig) speakIPv6() *rig {
	must(r.t, r.host.Do(func() (err error) {
		for _, s := range []struct{ name, value string }{{"addr_gen_mode", "1"}, {"router_solicitations", "0"}, {"disable_ipv6", "0"}} {
			if err := os.WriteFile("/proc/sys/net/ipv6/conf/vt1/"+s.name, []byte(s.value), 0); err != nil {
				return err
			}
		}
		r.inject6, err = unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	}))
	r.t.Cleanup(func() { unix.Close(r.inject6) })
	_, err := r.host.Run("ip", "-6", "route", "add", "2001:db8::/32", "dev", "vt1")
	must(r.t, err)
	return r
}

func (r *rig) openPeer() (err error) {
	i, err := net.InterfaceByName("wan")
	must(r.t, err)
	r.index, r.far = i.Index, i.HardwareAddr
	if _, err := r.host.Run("ip", "neigh", "replace", "10.99.0.2", "lladdr", i.HardwareAddr.String(), "dev", "wan"); err != nil {
		return err
	}
	r.wire, err = packetSocket("wan", unix.SOCK_RAW)
	return err
}

func packetSocket(name string, kind int) (fd int, err error) {
	const everything = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xFF<<8
	if fd, err = unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC, 0); err != nil {
		return fd, err
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return fd, err
	}
	timeout := unix.NsecToTimeval(patience.Nanoseconds())
	return fd, errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20), unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: i.Index}))
}

func (r *rig) close() {
	if r.fast != nil {
		r.fast.Add(int64(r.carried()))
	}
	must(r.t, r.path.Close())
	r.conn.Close()
	for _, fd := range []int{r.capture, r.inject, r.wire} {
		unix.Close(fd)
	}
}

// carried is how many packets the kernel has carried.
func (r *rig) carried() (n uint64) {
	rx, tx := r.ways()
	return rx + tx
}

func (r *rig) ways() (rx, tx uint64) {
	for place := range r.path.tables.places.next {
		f := r.path.tables.at(place)
		rx += atomic.LoadUint64(&f.Up.Packets)
		tx += atomic.LoadUint64(&f.Down.Packets)
	}
	return rx, tx
}

// taken is how many packets from the peer have come to an end in the kernel: carried or dropped.
func (r *rig) taken() uint64 {
	rx, _ := r.ways()
	dropped := r.path.tables.drops()
	return rx + dropped[datapath.OverRateUp.String()] + dropped[datapath.Filtered.String()]
}

// DataPath is one whose Ingress is the wire.
func (r *rig) DataPath() datapath.DataPath { return wired{r.path, r} }
func (r *rig) Interface() string           { return "vt1" }

type wired struct {
	*DataPath
	rig *rig
}

func (w wired) Ingress() datapath.Ingress { return w.rig }

// Receive implements datapath.Ingress: what comes through to user space is judged there.
func (r *rig) Receive(from datapath.Path, datagram []byte) bool {
	r.t.Helper()
	before := r.taken()
	r.send(frame(r.gateway, from, datagram))
	b := make([]byte, 1<<16)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if r.taken() != before {
			return true
		}
		must(r.t, r.conn.SetReadDeadline(time.Now().Add(2*time.Millisecond)))
		n, source, err := r.conn.ReadFromUDPAddrPort(b[:cap(b)/2])
		if err == nil {
			return r.under.Receive(datapath.Path{Remote: source, Local: from.Local}, b[:n])
		}
	}
	r.t.Fatal("a datagram has come through neither way")
	return false
}

// Keep implements datapath.Ingress.
func (r *rig) Keep() { r.under.Keep() }

// Flush implements datapath.Ingress.
func (r *rig) Flush() { r.under.Flush() }

func (r *rig) send(frame []byte) {
	r.t.Helper()
	must(r.t, unix.Sendto(r.wire, frame, 0, &unix.SockaddrLinklayer{Ifindex: r.index, Halen: 6}))
}

// frame is a datagram as it comes over Ethernet.
func frame(to net.HardwareAddr, from datapath.Path, datagram []byte) []byte {
	b := append(append([]byte{}, to...), 2, 0, 0, 0, 0, 9, 8, 0)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(28+len(datagram)))
	b = append(b, 0, 0, 0, 0, 64, 17, 0, 0)
	b = append(b, from.Remote.Addr().AsSlice()...)
	b = append(b, from.Local.AsSlice()...)
	binary.BigEndian.PutUint16(b[24:], datapathtest.Checksum(b[14:34]))
	b = binary.BigEndian.AppendUint16(b, from.Remote.Port())
	b = binary.BigEndian.AppendUint16(b, 1701)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(datagram)))
	b = append(b, 0, 0)
	return append(b, datagram...)
}

func (r *rig) FromPeers() []byte {
	r.t.Helper()
	return r.next(r.capture, func(b []byte) bool {
		return b[0]>>4 == 4 || b[0]>>4 == 6 && b[8] == 0x20 // not what the host itself says on the link
	})
}

// next is the next incoming packet of a socket that is wanted.
func (r *rig) next(fd int, wanted func([]byte) bool) []byte {
	r.t.Helper()
	for {
		b := make([]byte, 1<<16)
		n, from, err := unix.Recvfrom(fd, b, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		must(r.t, err)
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype != unix.PACKET_OUTGOING && n > 0 && wanted(b[:n]) {
			return b[:n]
		}
	}
}

// Hurry implements datapathtest.Hurried.
func (r *rig) Hurry() { r.hurried = true }

func (r *rig) ToPeers(packet []byte) {
	r.t.Helper()
	before := r.decided()
	if packet[0]>>4 == 6 {
		must(r.t, unix.Sendto(r.inject6, packet, 0, &unix.SockaddrInet6{Addr: [16]byte(packet[24:40])}))
	} else {
		must(r.t, unix.Sendto(r.inject, packet, 0, &unix.SockaddrInet4{Addr: [4]byte(packet[16:20])}))
	}
	if !r.hurried {
		r.await("a packet has come to nothing", func() bool { return r.decided() != before })
	}
}

// decided grows with every packet whose fate is settled: the kernel is quicker than user space, and is not to overtake it here.
func (r *rig) decided() (n uint64) {
	for _, dropped := range r.path.Drops() {
		n += dropped
	}
	r.path.mu.Lock()
	open := slices.Collect(maps.Keys(r.path.open))
	r.path.mu.Unlock()
	for _, s := range open {
		n += s.Counters().TxPackets
	}
	return n
}

// await waits until something is so.
func (r *rig) await(what string, is func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !is(); runtime.Gosched() {
		if time.Now().After(end) {
			r.t.Fatal(what)
		}
	}
}

func (r *rig) Sent() (datapath.Path, []byte) {
	r.t.Helper()
	b := r.next(r.wire, func(b []byte) bool { return len(b) > 42 && b[12] == 8 && b[13] == 0 && b[23] == 17 })
	if datapathtest.Checksum(b[14:34]) != 0 {
		r.t.Errorf("the checksum of the outer header is wrong: %x", b[14:34])
	}
	ip := b[14 : 14+binary.BigEndian.Uint16(b[16:])]
	bySocket := ip[6]&0x40 != 0 // that leaves the sum to the device
	if sum := binary.BigEndian.Uint16(ip[26:]); sum != 0 && !bySocket {
		pseudo := append(append([]byte{0, 17}, ip[24:26]...), ip[12:20]...)
		if whole := append(pseudo, ip[20:]...); datapathtest.Checksum(whole) != 0 {
			r.t.Errorf("the checksum of the datagram is wrong: %x", ip)
		}
	}
	return datapath.Path{
		Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), binary.BigEndian.Uint16(ip[22:])),
		Local:  netip.AddrFrom4([4]byte(ip[12:16])),
	}, ip[28:]
}
