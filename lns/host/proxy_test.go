package host

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lnsgate/test/netns"
)

// arp is a host on the segment that speaks ARP by hand.
type arp struct {
	t     *testing.T
	fd    int
	index int
	own   net.HardwareAddr
}

func newARP(t *testing.T, n *netns.Namespace, name string) *arp {
	t.Helper()
	a := &arp{t: t}
	var err error
	a.own, err = n.HardwareAddr(name)
	must(t, err)
	must(t, n.Do(func() error {
		device, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		a.index = device.Index
		a.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(swap(unix.ETH_P_ARP)))
		if err != nil {
			return err
		}
		timeout := unix.NsecToTimeval(int64(5 * time.Second))
		return errors.Join(unix.Bind(a.fd, &unix.SockaddrLinklayer{Protocol: swap(unix.ETH_P_ARP), Ifindex: a.index}),
			unix.SetsockoptTimeval(a.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout))
	}))
	t.Cleanup(func() { unix.Close(a.fd) })
	return a
}

func swap(v uint16) uint16 { return v>>8 | v<<8 }

// ask sends "who has target, tell sender" to everybody.
func (a *arp) ask(sender, target string) {
	a.t.Helper()
	frame := bytes.Repeat([]byte{0xFF}, 6)
	frame = append(frame, a.own...)
	frame = append(frame, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1)
	frame = append(frame, a.own...)
	frame = append(frame, netip.MustParseAddr(sender).AsSlice()...)
	frame = append(frame, 0, 0, 0, 0, 0, 0)
	frame = append(frame, netip.MustParseAddr(target).AsSlice()...)
	must(a.t, unix.Sendto(a.fd, frame, 0, &unix.SockaddrLinklayer{Protocol: swap(unix.ETH_P_ARP), Ifindex: a.index, Halen: 6}))
}

// answer waits for the next reply: who has which address.
func (a *arp) answer() (netip.Addr, net.HardwareAddr) {
	a.t.Helper()
	for {
		var b [128]byte
		n, err := unix.Read(a.fd, b[:])
		must(a.t, err)
		if n >= 42 && b[21] == 2 && bytes.Equal(b[:6], a.own) {
			address, _ := netip.AddrFromSlice(b[28:32])
			return address, net.HardwareAddr(bytes.Clone(b[22:28]))
		}
	}
}

// headquarters is a gateway with vt1, and a host on the segment 192.168.1.0/24 of its interface hq0.
func headquarters(t *testing.T) (gateway *netns.Namespace, h *Host, neighbour *arp) {
	t.Helper()
	gateway, h = room(t, "")
	segment := netns.NewTest(t)
	must(t, netns.Veth(gateway, "hq0", segment, "eth0"))
	must(t, gateway.Address("hq0", "192.168.1.1/24"))
	must(t, segment.Address("eth0", "192.168.1.20/24"))
	must(t, gateway.Do(func() error {
		return errors.Join(h.EnableForwarding(),
			h.Configure(VirtualTemplate{Name: "vt1", Address: netip.MustParsePrefix("10.10.0.1/32"), Routes: prefixes("192.168.1.128/25")}))
	}))
	return gateway, h, newARP(t, segment, "eth0")
}

func TestProxyAnswersRealARP(t *testing.T) {
	gateway, h, neighbour := headquarters(t)
	hardware, err := gateway.HardwareAddr("hq0")
	must(t, err)
	var proxy *Proxy
	must(t, gateway.Do(func() (err error) { proxy, err = h.NewProxy("hq0"); return err }))
	first, second := netip.MustParseAddr("192.168.1.130"), netip.MustParseAddr("192.168.1.131")
	must(t, proxy.AddProxy(first))
	must(t, proxy.AddProxy(first))
	must(t, proxy.AddProxy(second))

	// Not leased, leased: only the latter is answered.
	neighbour.ask("192.168.1.20", "192.168.1.200")
	neighbour.ask("192.168.1.20", first.String())
	if who, at := neighbour.answer(); who != first || at.String() != hardware.String() {
		t.Errorf("%s is at %s, want %s at %s", who, at, first, hardware)
	}
	must(t, proxy.RemoveProxy(first))
	must(t, proxy.RemoveProxy(first))
	neighbour.ask("192.168.1.20", first.String())
	neighbour.ask("192.168.1.20", second.String())
	if who, _ := neighbour.answer(); who != second {
		t.Errorf("%s is still answered for", who)
	}
	must(t, gateway.Do(h.Close))
	if err := proxy.AddProxy(first); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed proxy: %v", err)
	}
	must(t, proxy.RemoveProxy(second))
	out, err := gateway.Run("ip", "neigh", "show", "proxy")
	must(t, err)
	if len(out) != 0 {
		t.Errorf("left: %s", out)
	}
}

func TestProxyEntriesCarryOurMark(t *testing.T) {
	netns.RequireCommand(t, "ip")
	gateway, h, _ := headquarters(t)
	must(t, gateway.Do(func() error {
		proxy, err := h.NewProxy("hq0")
		if err != nil {
			return err
		}
		return proxy.AddProxy(netip.MustParseAddr("192.168.1.130"))
	}))
	out, err := gateway.Run("ip", "neigh", "show", "proxy")
	must(t, err)
	if !strings.Contains(string(out), "192.168.1.130 dev hq0") || !strings.Contains(string(out), "proto 170") {
		t.Errorf("got %s", out)
	}
}

func TestProxyRefusesWhatCannotWork(t *testing.T) {
	gateway, h, _ := headquarters(t)
	must(t, gateway.Do(func() error {
		if _, err := h.NewProxy("vt1"); err == nil {
			t.Error("an interface without ARP was accepted")
		}
		if _, err := h.NewProxy("nothere"); !errors.Is(err, ErrNoInterface) {
			t.Errorf("got %v", err)
		}
		proxy, err := h.NewProxy("hq0")
		if err != nil {
			return err
		}
		if err := proxy.AddProxy(netip.MustParseAddr("2001:db8::1")); err == nil {
			t.Error("an IPv6 address was accepted")
		}
		return nil
	}))
}

func TestProxyIsSafeForConcurrentUse(t *testing.T) {
	gateway, h, _ := headquarters(t)
	var proxy *Proxy
	must(t, gateway.Do(func() (err error) { proxy, err = h.NewProxy("hq0"); return err }))
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for i := range 50 {
				a := address(0xC0A80180 + uint32(w*25+i%25))
				if err := errors.Join(proxy.AddProxy(a), proxy.RemoveProxy(a)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	marks, err := h.ownProxies()
	must(t, err)
	if len(marks) != 0 {
		t.Errorf("left: %v", marks)
	}
}
