package ebpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/lns/datapath/tun"
	"lnsgate/test/netns"
)

// inRow is how many segments come one right after the other, and eachHas is what each carries.
const inRow, eachHas = 8, 500

// segments are those of a stream that begins with a number.
func segments(source, destination string, number uint32) (all [][]byte) {
	from, to := netip.MustParseAddr(source), netip.MustParseAddr(destination)
	for i := range uint32(inRow) {
		tcp := []byte{0x30, 0, 0, 80}
		tcp = binary.BigEndian.AppendUint32(tcp, number+i*eachHas)
		tcp = append(tcp, 0, 0, 0, 1, 5<<4, 0x10, 0xFF, 0xFF, 0, 0, 0, 0)
		for j := range eachHas {
			tcp = append(tcp, byte(number+i*eachHas+uint32(j)))
		}
		length := []byte{byte(len(tcp) >> 8), byte(len(tcp))}
		pseudo := slices.Concat(from.AsSlice(), to.AsSlice(), []byte{0, 6}, length)
		binary.BigEndian.PutUint16(tcp[16:], datapathtest.Checksum(append(pseudo, tcp...)))
		if from.Is6() {
			all = append(all, slices.Concat([]byte{0x60, 0, 0, 0}, length, []byte{6, 64}, from.AsSlice(), to.AsSlice(), tcp))
			continue
		}
		ip := append(binary.BigEndian.AppendUint16([]byte{0x45, 0}, uint16(20+len(tcp))), 0, byte(i), 0x40, 0, 64, 6, 0, 0)
		ip = slices.Concat(ip, from.AsSlice(), to.AsSlice())
		binary.BigEndian.PutUint16(ip[10:], datapathtest.Checksum(ip))
		all = append(all, append(ip, tcp...))
	}
	return all
}

// row sends datagrams of one length so that they come one right after the other: as one, which the wire cuts up.
func (r *rig) row(fd int, from datapath.Path, datagrams [][]byte) {
	r.t.Helper()
	const needsChecksum, udpSegments = 1, 5
	h := []byte{needsChecksum, udpSegments}
	for _, n := range []int{42, len(datagrams[0]), 34, 6} { // length of the headers, of each, and where the checksum is
		h = binary.NativeEndian.AppendUint16(h, uint16(n))
	}
	b := frame(r.gateway, from, slices.Concat(datagrams...))
	pseudo := append(append([]byte{}, b[26:34]...), 0, 17, b[38], b[39])
	binary.BigEndian.PutUint16(b[40:], ^datapathtest.Checksum(pseudo))
	must(r.t, unix.Sendto(fd, append(h, b...), 0, &unix.SockaddrLinklayer{Ifindex: r.index, Halen: 6}))
}

func TestSegmentsInARowEnterAsOne(t *testing.T) {
	r := newRig(t, nil).speakIPv6()
	r.awaitCollector(true)
	must(t, netns.WireLike(r.peer, "wan"))
	fd := r.largeSocket()
	spec := datapathtest.Spec("vt1")
	spec.IPv6 = []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")}
	s, err := r.path.Add(spec)
	must(t, err)
	for name, c := range map[string]struct {
		source, destination string
		protocol            byte
		headers             int
	}{
		"IPv4": {"10.10.1.10", "192.0.2.80", 0x21, 40},
		"IPv6": {"2001:db8:1::5", "2001:db8:2::80", 0x57, 60},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Counters()
			packets := 0
			for again := range uint32(100) { // a machine that is busy may take them one by one
				number := again * inRow * eachHas
				sent := segments(c.source, c.destination, number)
				var datagrams [][]byte
				for _, segment := range sent {
					datagrams = append(datagrams, append([]byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, c.protocol}, segment...))
				}
				r.row(fd, spec.Path, datagrams)
				var payload, want []byte
				came := 0
				for ; len(payload) < inRow*eachHas; came++ {
					payload = append(payload, r.FromPeers()[c.headers:]...)
				}
				for _, segment := range sent {
					want = append(want, segment[c.headers:]...)
				}
				if !bytes.Equal(payload, want) {
					t.Fatalf("%d octets came in %d packets, and are not those that were sent", len(payload), came)
				}
				packets += inRow
				if came == 1 {
					break
				}
				if again == 99 {
					t.Errorf("%d segments came in %d packets", inRow, came)
				}
			}
			after := s.Counters()
			if got := after.RxPackets - before.RxPackets; got != uint64(packets) {
				t.Errorf("%d packets are counted, not %d", got, packets)
			}
			if got := after.RxOctets - before.RxOctets; got != uint64(packets*(c.headers+eachHas)) {
				t.Errorf("%d octets are counted", got)
			}
		})
	}
}

// largeSocket sends frames from the peer with what is to be done to them in front.
func (r *rig) largeSocket() (fd int) {
	r.t.Helper()
	must(r.t, r.peer.Do(func() (err error) {
		fd, err = packetSocket("wan", unix.SOCK_RAW)
		return err
	}))
	r.t.Cleanup(func() { unix.Close(fd) })
	must(r.t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1))
	return fd
}

// Two virtual templates may have the same addresses, so streams look alike that are not.
func TestSegmentsOfDifferentTemplatesStayApart(t *testing.T) {
	r := newRig(t, nil)
	must(t, netns.WireLike(r.peer, "wan"))
	captures := r.twoTemplates()
	r.awaitCollector(true)
	spec := datapathtest.Spec("vt1")
	_, err := r.path.Add(spec)
	must(t, err)
	other := datapathtest.Spec("vt2")
	other.Key.Session = 40
	_, err = r.path.Add(other)
	must(t, err)
	first := segments("10.10.1.10", "192.0.2.80", 0)
	var datagrams [][]byte
	for i := range inRow / 2 { // each goes on where one of the other has ended
		datagrams = append(datagrams, append([]byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, first[i]...))
		datagrams = append(datagrams, append([]byte{0, 2, 0, 3, 0, 40, 0xFF, 3, 0, 0x21}, first[i+1]...))
	}
	r.row(r.largeSocket(), spec.Path, datagrams)
	for i, want := range [][]byte{join(first[:inRow/2]), join(first[1 : inRow/2+1])} {
		var got []byte
		for len(got) < len(want) {
			got = append(got, r.next(captures[i], func(b []byte) bool { return b[0] == 0x45 })[40:]...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("another stream came in on vt%d than was sent", i+1)
		}
	}
}

// join is what segments carry.
func join(segments [][]byte) (payload []byte) {
	for _, s := range segments {
		payload = append(payload, s[40:]...)
	}
	return payload
}

// twoTemplates opens the data path anew, with a second virtual template, and returns what shows what enters the host by them.
func (r *rig) twoTemplates() (captures [2]int) {
	r.t.Helper()
	must(r.t, r.path.Close())
	names := []string{"vt1", "vt2"}
	must(r.t, r.host.Do(func() error {
		sender := wireSender{r.conn}
		under, err := tun.New(tun.Config{Interface: "vt1", Sender: sender}, tun.Config{Interface: "vt2", Sender: sender})
		if err != nil {
			return err
		}
		for i, name := range names {
			must(r.t, r.host.Up(name))
			captures[i], err = packetSocket(name, unix.SOCK_DGRAM)
			must(r.t, err)
			r.t.Cleanup(func() { unix.Close(captures[i]) })
		}
		r.path, err = New(Config{Under: under, Templates: names, Port: 1701})
		return err
	}))
	return captures
}

// leftovers are the interfaces of collectors in a namespace.
func leftovers(t *testing.T, n *netns.Namespace) (names []string) {
	t.Helper()
	must(t, n.Do(func() error {
		all, err := net.Interfaces()
		for _, i := range all {
			if strings.HasPrefix(i.Name, "lnsgate") {
				names = append(names, i.Name)
			}
		}
		return err
	}))
	return names
}

func TestCollectorsAreTakenAway(t *testing.T) {
	netns.RequireTUN(t)
	host := netns.NewTest(t)
	child, line := startChild(t, host)
	if !strings.HasPrefix(line, "map ") {
		t.Fatalf("the child says %q", line)
	}
	var second *collector
	var h *netlink.Handle
	must(t, host.Do(func() (err error) {
		if h, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return err
		}
		second, err = newCollector(h)
		return err
	}))
	defer h.Close()
	if names := leftovers(t, host); len(names) != 4 {
		t.Errorf("two collectors have the interfaces %q", names)
	}
	must(t, child.Process.Kill())
	_ = child.Wait()
	must(t, second.close())
	if names := leftovers(t, host); len(names) != 2 {
		t.Errorf("one that was killed has left %q", names)
	}
	for end := time.Now().Add(patience); len(leftovers(t, host)) > 0; {
		must(t, host.Do(func() error {
			c, err := newCollector(h)
			return errors.Join(err, c.close())
		}))
		if time.Now().After(end) {
			t.Fatalf("%q are left", leftovers(t, host))
		}
	}
}

func TestWithoutACollectorSegmentsEnterOneByOne(t *testing.T) {
	r := newRig(t, nil)
	must(t, errors.Join(r.path.Close(), unix.Close(r.capture)))
	must(t, r.host.Do(func() error {
		for i := range mostCollectors {
			attributes := netlink.NewLinkAttrs()
			attributes.Name = collectorName(i, "in")
			if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: fmt.Sprint("taken", i)}); err != nil {
				return err
			}
		}
		return r.openPath(slog.New(slog.NewTextHandler(r.t.Output(), nil)))
	}))
	r.under = r.path.Ingress()
	_, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	for _, segment := range segments("10.10.1.10", "192.0.2.80", 0) {
		r.Receive(datapathtest.Spec("vt1").Path, append([]byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, segment...))
		if got := r.FromPeers(); !bytes.Equal(got, segment) {
			t.Errorf("%x comes instead of %x", got, segment)
		}
	}
	if rx, _ := r.ways(); rx != inRow {
		t.Errorf("the kernel has carried %d", rx)
	}
}

// awaitCollector waits until the collector is used, or is not.
func (r *rig) awaitCollector(want bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		r.path.mu.Lock()
		used := !r.path.broken
		r.path.mu.Unlock()
		switch {
		case used == want:
			return
		case time.Now().After(end):
			r.t.Fatalf("the collector is used: %v", used)
		}
	}
}

func TestWhoTakesTheCollectorAwayStopsNobody(t *testing.T) {
	r := newRig(t, nil)
	_, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	for _, change := range [][]string{
		{"set", "lnsgate0out", "mtu", "1400"}, {"set", "lnsgate0out", "mtu", "65535", "up"}, {"set", "lnsgate0out", "down"}, {"set", "lnsgate0out", "up"},
		{"del", "lnsgate0in"},
	} {
		_, err := r.host.Run("ip", append([]string{"link"}, change...)...)
		must(t, err)
		must(t, r.host.Do(func() error { r.path.Look(); return nil }))
		for _, segment := range segments("10.10.1.10", "192.0.2.80", 0) {
			r.Receive(datapathtest.Spec("vt1").Path, append([]byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, segment...))
			if got := r.FromPeers(); !bytes.Equal(got, segment) {
				t.Errorf("after %q %x comes instead of %x", change, got, segment)
			}
		}
		r.awaitCollector(change[len(change)-1] == "up")
	}
}

// Changes of interfaces are not noticed any more: the collector may go at any time.
func TestACollectorThatNobodyWatchesIsNotUsed(t *testing.T) {
	r := newRig(t, nil)
	r.awaitCollector(true)
	_, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	r.path.unwatch()
	must(t, r.host.Do(func() error { r.path.Look(); return nil }))
	var used uint32
	if must(t, r.path.objects.Collector.Get(&used)); used != 0 {
		t.Errorf("packets are sent into interface %d", used)
	}
	_, err = r.host.Run("ip", "link", "del", "lnsgate0in")
	must(t, err)
	for _, segment := range segments("10.10.1.10", "192.0.2.80", 0) {
		r.Receive(datapathtest.Spec("vt1").Path, append([]byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, segment...))
		if got := r.FromPeers(); !bytes.Equal(got, segment) {
			t.Errorf("%x comes instead of %x", got, segment)
		}
	}
}

// A second instance in the same network namespace leaves the collector of the first alone while that lives, and takes it away after.
func TestAnotherInstanceTakesAwayWhatAKilledOneHasLeft(t *testing.T) {
	r := newRig(t, nil)
	child, line := startChildOn(t, r.host, "vt2")
	if !strings.HasPrefix(line, "map ") {
		t.Fatalf("the child says %q", line)
	}
	must(t, r.host.Do(func() error { r.path.Look(); return nil }))
	for _, name := range []string{"lnsgate1in", "lnsgate1out"} {
		if n, want := attached(t, r.host, name), strings.Count(name, "out"); n != want {
			t.Errorf("%d programs are attached to %s", n, name)
		}
	}
	must(t, child.Process.Kill())
	_ = child.Wait()
	for end := time.Now().Add(patience); slices.Contains(leftovers(t, r.host), "lnsgate1in"); {
		must(t, r.host.Do(func() error {
			h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
			if err == nil {
				sweepCollectors(h)
				h.Close()
			}
			return err
		}))
		if time.Now().After(end) {
			t.Fatalf("%q are left", leftovers(t, r.host))
		}
	}
	if names := leftovers(t, r.host); len(names) != 2 {
		t.Errorf("%q are left", names)
	}
}

func TestWhatFindsNoRoomInTheCollectorIsCounted(t *testing.T) {
	r := newRig(t, nil)
	_, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	r.path.mu.Lock() // nobody looks at the interfaces meanwhile
	defer r.path.mu.Unlock()
	_, err = r.host.Run("ip", "link", "set", "lnsgate0out", "down")
	must(t, err)
	must(t, r.path.objects.Collector.Set(r.path.collector.index()))
	before := r.path.drops()[datapath.InterfaceWrite.String()]
	for _, segment := range segments("10.10.1.10", "192.0.2.80", 0) {
		r.Receive(datapathtest.Spec("vt1").Path, append([]byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, segment...))
	}
	for _, gone := range []bool{false, true} {
		if gone {
			must(t, r.path.netlink.LinkDel(r.path.collector.in))
		}
		if n := r.path.drops()[datapath.InterfaceWrite.String()] - before; n != inRow {
			t.Errorf("%d packets are counted; the collector is gone: %v", n, gone)
		}
	}
}
