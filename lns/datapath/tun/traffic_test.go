package tun

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/test/netns"
)

// wire joins two data paths by UDP sockets, as a transport does.
type wire struct {
	conn *net.UDPConn
	done sync.WaitGroup

	// A wire with a latency keeps datagrams in late for so long.
	latency time.Duration
	late    chan late
	closed  chan struct{}
}

func (w *wire) Send(p datapath.Path, datagram []byte) error {
	if w.latency != 0 {
		w.enqueue(p, datagram)
		return nil
	}
	_, err := w.conn.WriteToUDPAddrPort(datagram, p.Remote)
	return err
}

func (w *wire) SendBatch(p datapath.Path, datagrams [][]byte) error {
	for _, d := range datagrams {
		if err := w.Send(p, d); err != nil {
			return err
		}
	}
	return nil
}

// read hands what arrives to a data path, until the socket is closed.
func (w *wire) read(in datapath.Ingress) {
	b := make([]byte, 1<<16)
	for {
		n, from, err := w.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		in.Receive(datapath.Path{Remote: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}, b[:n])
		in.Flush()
	}
}

// office is a client, the gateway it dials and a server behind that, each in a namespace, with a session between the
// first two:
//
//	client 10.10.1.10 (ppp0) -- 198.51.100.0/24 -- gateway (vt1) -- 192.168.1.0/24 -- server 192.168.1.80
type office struct {
	client, gateway, server *netns.Namespace
	session                 datapath.Session // the gateway's
	wires                   []*wire
}

func newOffice(t testing.TB, c Config, change func(*datapath.Spec)) *office {
	t.Helper()
	netns.RequireTUN(t)
	o := &office{client: netns.NewTest(t), gateway: netns.NewTest(t), server: netns.NewTest(t)}
	must(t, netns.Veth(o.client, "eth0", o.gateway, "wan"))
	must(t, netns.Veth(o.gateway, "lan", o.server, "eth0"))
	must(t, o.client.Address("eth0", "198.51.100.7/24"))
	must(t, o.gateway.Address("wan", "198.51.100.1/24"))
	must(t, o.gateway.Address("lan", "192.168.1.1/24"))
	must(t, o.server.Address("eth0", "192.168.1.80/24"))
	must(t, o.server.Route("default", "192.168.1.1"))
	must(t, o.gateway.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) }))

	near := newWire(t, o.client, "198.51.100.7:1701")
	far := newWire(t, o.gateway, "198.51.100.1:1701")
	o.wires = []*wire{near, far}
	clientPath := newPath(t, o.client, "ppp0", near, c)
	gatewayPath := newPath(t, o.gateway, "vt1", far, c)
	must(t, o.client.Address("ppp0", "10.10.1.10/32"))
	must(t, o.client.Route("192.168.1.0/24", "198.51.100.1")) // replaced by the route into the session
	_, err := o.client.Run("ip", "route", "replace", "192.168.1.0/24", "dev", "ppp0", "src", "10.10.1.10")
	must(t, err)
	must(t, o.gateway.Address("vt1", "10.10.0.1/32"))
	must(t, o.gateway.RouteLink("10.10.1.0/24", "vt1"))

	spec := datapath.Spec{
		Key: datapath.Key{Tunnel: 3, Session: 4}, PeerTunnel: 5, PeerSession: 6, Interface: "vt1",
		Path:    datapath.Path{Remote: netip.MustParseAddrPort("198.51.100.7:1701")},
		Address: netip.MustParseAddr("10.10.1.10"), PeerMRU: 1400, MSS: 1360,
	}
	other := datapath.Spec{
		Key: datapath.Key{Tunnel: 5, Session: 6}, PeerTunnel: 3, PeerSession: 4, Interface: "ppp0",
		Path:    datapath.Path{Remote: netip.MustParseAddrPort("198.51.100.1:1701")},
		Address: netip.MustParseAddr("10.10.0.1"), Routes: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, PeerMRU: 1400, MSS: 1360,
	}
	if change != nil {
		change(&spec)
		change(&other)
	}
	o.session, err = gatewayPath.Add(spec)
	must(t, err)
	_, err = clientPath.Add(other)
	must(t, err)
	near.done.Go(func() { near.read(clientPath.Ingress()) })
	far.done.Go(func() { far.read(gatewayPath.Ingress()) })
	t.Cleanup(func() {
		t.Logf("gateway: %+v, drops %v", o.session.Counters(), nonzero(gatewayPath.Drops()))
		t.Logf("client: drops %v", nonzero(clientPath.Drops()))
		for _, w := range o.wires {
			close(w.closed)
			w.conn.Close()
			w.done.Wait()
		}
	})
	return o
}

func nonzero(drops map[string]uint64) map[string]uint64 {
	for reason, n := range drops {
		if n == 0 {
			delete(drops, reason)
		}
	}
	return drops
}

func newWire(t testing.TB, n *netns.Namespace, address string) *wire {
	t.Helper()
	w := &wire{closed: make(chan struct{})}
	must(t, n.Do(func() (err error) {
		w.conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
		return err
	}))
	must(t, w.conn.SetReadBuffer(4<<20))
	return w
}

func newPath(t testing.TB, n *netns.Namespace, name string, w *wire, c Config) *DataPath {
	t.Helper()
	c.Interface, c.Sender, c.Log = name, w, testLog(t)
	var d *DataPath
	must(t, n.Do(func() (err error) {
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		d, err = New(c)
		return err
	}))
	t.Cleanup(func() { must(t, d.Close()) })
	must(t, n.Up(name))
	return d
}

// eachConfig runs a test with and without offload.
func eachConfig(t *testing.T, change func(*datapath.Spec), test func(*testing.T, *office)) {
	for name, c := range map[string]Config{"plain": {}, "offload": {Offload: true, Queues: 2}} {
		t.Run(name, func(t *testing.T) { test(t, newOffice(t, c, change)) })
	}
}

func TestPing(t *testing.T) {
	eachConfig(t, nil, func(t *testing.T, o *office) {
		for _, length := range []int{8, 1400 - 28, 4000} { // the last one is sent in fragments
			must(t, o.client.Do(func() error { return ping("192.168.1.80", length) }))
		}
		must(t, o.server.Do(func() error { return ping("10.10.1.10", 2000) }))
		if c := o.session.Counters(); c.RxPackets < 5 || c.TxPackets < 5 {
			t.Errorf("counted %+v", c)
		}
	})
}

// ping sends an ICMP echo with so many octets of data and waits for the answer.
func ping(to string, length int) error {
	c, err := net.Dial("ip4:icmp", to)
	if err != nil {
		return err
	}
	defer c.Close()
	message := make([]byte, 8+length)
	message[0] = 8
	binary.BigEndian.PutUint16(message[4:], uint16(length))
	for i := range length {
		message[8+i] = byte(i)
	}
	binary.BigEndian.PutUint16(message[2:], ^sum(message, 0))
	if err := c.SetDeadline(time.Now().Add(patienceInTests)); err != nil {
		return err
	}
	if _, err := c.Write(message); err != nil {
		return err
	}
	for answer := make([]byte, 1<<16); ; {
		n, err := c.Read(answer)
		if err != nil {
			return fmt.Errorf("ping %s with %d octets: %w", to, length, err)
		}
		packet, _ := cutIPv4(answer[:n])
		if packet == nil {
			continue
		}
		if p := packet[headerLen(packet):]; len(p) == len(message) && p[0] == 0 && string(p[4:]) == string(message[4:]) {
			return nil
		}
	}
}

// TestUDPOfManySizes sends datagrams both ways that do and do not fit the peer's MRU.
func TestUDPOfManySizes(t *testing.T) {
	eachConfig(t, nil, func(t *testing.T, o *office) {
		var echo *net.UDPConn
		must(t, o.server.Do(func() (err error) {
			echo, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(192, 168, 1, 80)})
			return err
		}))
		var done sync.WaitGroup
		done.Go(func() {
			b := make([]byte, 1<<16)
			for {
				n, from, err := echo.ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				_, _ = echo.WriteToUDPAddrPort(b[:n], from)
			}
		})
		defer done.Wait()
		defer echo.Close()
		must(t, o.client.Do(func() error {
			c, err := net.DialUDP("udp4", nil, echo.LocalAddr().(*net.UDPAddr))
			if err != nil {
				return err
			}
			defer c.Close()
			// The kernel of the client learns the path's MTU from the first refusal, so the path is given a few tries.
			for _, n := range []int{1, 100, 1372, 1373, 1472, 3000, 20000} {
				if err := echoed(c, n); err != nil {
					return fmt.Errorf("%d octets: %w", n, err)
				}
			}
			return nil
		}))
	})
}

// echoed sends a datagram until it comes back whole.
func echoed(c net.Conn, n int) error {
	out, in := make([]byte, n), make([]byte, 1<<16)
	for i := range out {
		out[i] = byte(i * 3)
	}
	var err error
	for range 5 {
		if _, err = c.Write(out); err != nil {
			continue
		}
		if err = c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		var got int
		if got, err = c.Read(in); err == nil {
			if string(in[:got]) != string(out) {
				return errors.New("came back changed")
			}
			return nil
		}
	}
	return err
}

func TestTCPBothWays(t *testing.T) {
	eachConfig(t, nil, func(t *testing.T, o *office) { transferBothWays(t, o, 8<<20) })
}

func TestTCPWithSequenceNumbers(t *testing.T) {
	change := func(s *datapath.Spec) { s.Sequencing, s.PFC, s.ACFC = true, true, true }
	eachConfig(t, change, func(t *testing.T, o *office) { transferBothWays(t, o, 2<<20) })
}

// TestTCPWithRates has most packets wait for their turn, both ways and numbered.
func TestTCPWithRates(t *testing.T) {
	change := func(s *datapath.Spec) {
		s.Sequencing = true
		if s.Interface == "vt1" {
			s.RateUp, s.RateDown = 20_000_000, 20_000_000
		}
	}
	eachConfig(t, change, func(t *testing.T, o *office) { transferBothWays(t, o, 1<<20) })
}

// TestTCPFindsASmallPath leaves the segment size alone, so that it takes ICMP errors to find the MRU.
func TestTCPFindsASmallPath(t *testing.T) {
	change := func(s *datapath.Spec) { s.PeerMRU, s.MSS = 1000, 0 }
	eachConfig(t, change, func(t *testing.T, o *office) { transferBothWays(t, o, 1<<20) })
}

// transferBothWays sends n octets from client to server and back and compares checksums at the far ends.
func transferBothWays(t *testing.T, o *office, n int64) {
	t.Helper()
	var listener net.Listener
	must(t, o.server.Do(func() (err error) { listener, err = net.Listen("tcp4", "192.168.1.80:0"); return err }))
	defer listener.Close()
	for name, seeds := range map[string][2]uint64{"up": {1, 0}, "down": {0, 1}} {
		start := time.Now()
		served := make(chan error, 1)
		go func() {
			c, err := listener.Accept()
			if err == nil {
				err = exchange(c, n, seeds[1], seeds[0])
			}
			served <- err
		}()
		err := o.client.Do(func() error {
			c, err := net.DialTimeout("tcp4", listener.Addr().String(), patienceInTests)
			if err != nil {
				return err
			}
			return exchange(c, n, seeds[0], seeds[1])
		})
		if err != nil {
			listener.Close()
		}
		must(t, errors.Join(err, <-served))
		t.Logf("%s: %d octets, %.0f Mbit/s", name, n, float64(n)*8/1e6/time.Since(start).Seconds())
	}
}

// exchange writes n octets that follow from one seed and reads as many from another; seed 0 is none.
func exchange(c net.Conn, n int64, write, read uint64) error {
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(3 * patienceInTests)); err != nil {
		return err
	}
	if write != 0 {
		if _, err := io.CopyN(c, stream(write), n); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		_, err := io.ReadFull(c, make([]byte, 1)) // the other side has read everything
		return err
	}
	got, want := sha256.New(), sha256.New()
	if copied, err := io.CopyN(got, c, n); err != nil {
		return fmt.Errorf("read after %d octets: %w", copied, err)
	}
	if _, err := io.CopyN(want, stream(read), n); err != nil {
		return err
	}
	if string(got.Sum(nil)) != string(want.Sum(nil)) {
		return errors.New("the octets changed on their way")
	}
	_, err := c.Write([]byte{1})
	return err
}

func stream(seed uint64) io.Reader {
	var key [32]byte
	key[0] = byte(seed)
	return rand.NewChaCha8(key)
}
