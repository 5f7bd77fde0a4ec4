package transport

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
)

// recorder keeps what it is given, and how often it is flushed.
type recorder struct {
	texts   []string
	from    datapath.Path
	keeps   int
	flushes int
}

func (r *recorder) Datagram(from datapath.Path, b []byte) {
	if cap(b) != len(b) {
		panic("an append would write into the next datagram")
	}
	r.from = from
	r.texts = append(r.texts, string(b))
}

func (r *recorder) Keep()  { r.keeps++ }
func (r *recorder) Flush() { r.flushes++ }

// received makes a reader that has just received this message.
func received(t *testing.T, from, text string, local netip.Addr, segment, flags int) (*reader, *recorder) {
	r := newReader(newTransport(t, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1}).sockets[0], 3)
	into := &recorder{}
	r.receiver = into
	r.count = 1
	setPeerAddress(&r.names[0], netip.MustParseAddrPort(from))
	copy(r.buffers, text)
	r.messages[0].Len = uint32(len(text))
	r.messages[0].Hdr.Flags = int32(flags)
	length := r.controls[0].build(local, 0)
	if segment != 0 {
		*(*int32)(record(r.controls[0].bytes()[length:], unix.SOL_UDP, unix.UDP_GRO, 4)) = int32(segment)
		length += unix.CmsgSpace(4)
	}
	r.messages[0].Hdr.SetControllen(length)
	return r, into
}

func TestCoalescedReadsAreSplit(t *testing.T) {
	local := netip.MustParseAddr("127.0.0.9")
	for _, c := range []struct {
		text    string
		segment int
		want    []string
	}{
		{"abcdefgh", 0, []string{"abcdefgh"}},
		{"abcdefgh", 3, []string{"abc", "def", "gh"}},
		{"abcdef", 3, []string{"abc", "def"}},
		{"abc", 3, []string{"abc"}},
		{"ab", 3, []string{"ab"}},
		{"ab", -1, []string{"ab"}},
		{"", 0, []string{""}},
		{"", 3, []string{""}},
	} {
		r, into := received(t, "127.0.0.1:1701", c.text, local, c.segment, 0)
		r.deliver()
		if !slices.Equal(into.texts, c.want) || into.flushes != 1 {
			t.Errorf("%q in segments of %d: got %q, %d flushes", c.text, c.segment, into.texts, into.flushes)
		}
		want := datapath.Path{Remote: netip.MustParseAddrPort("127.0.0.1:1701"), Local: local, Socket: 3}
		if into.from != want {
			t.Errorf("got the path %v, want %v", into.from, want)
		}
		stats := r.socket.stats()
		if int(stats.RxDatagrams) != len(c.want) || int(stats.RxOctets) != len(c.text) || stats.RxBatches != 1 ||
			(stats.RxCoalesced == 1) != (len(c.want) > 1) {
			t.Errorf("%q in segments of %d: %+v", c.text, c.segment, stats)
		}
	}
}

func TestUnusableMessagesAreCountedAndDropped(t *testing.T) {
	for _, c := range []struct {
		from   string
		flags  int
		reason string
	}{
		{"127.0.0.1:0", 0, "rx_port_zero"},
		{"127.0.0.1:1701", unix.MSG_TRUNC, "rx_truncated"},
		{"127.0.0.1:1701", unix.MSG_CTRUNC, "rx_truncated"},
	} {
		r, into := received(t, c.from, "text", netip.Addr{}, 0, c.flags)
		r.deliver()
		if drops := r.socket.stats().Drops; len(into.texts) != 0 || len(drops) != 1 || drops[c.reason] != 1 {
			t.Errorf("%s: got %q, drops %v", c.reason, into.texts, drops)
		}
		h := r.messages[0].Hdr
		if h.Namelen != unix.SizeofSockaddrInet6 || h.Controllen != controlSize || h.Flags != 0 {
			t.Errorf("the header is not ready for the next call: %+v", h)
		}
	}
}

func TestAddressesThereAndBack(t *testing.T) {
	for _, text := range []string{"192.0.2.1:1701", "255.1.2.3:65535", "[2001:db8::1]:1701", "[fe80::1%7]:1701", "[fe80::1]:1"} {
		want := netip.MustParseAddrPort(text)
		var name unix.RawSockaddrInet6
		length := setPeerAddress(&name, want)
		if got := peerAddress(&name, want.Addr().Is6()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if is6 := length == unix.SizeofSockaddrInet6; is6 != want.Addr().Is6() {
			t.Errorf("%s: length %d", want, length)
		}
	}
	var name unix.RawSockaddrInet6
	setPeerAddress(&name, netip.MustParseAddrPort("[fe80::1%lo]:1701"))
	if name.Scope_id != 1 {
		t.Errorf("the zone lo is %d, want 1", name.Scope_id)
	}
	if setPeerAddress(&name, netip.MustParseAddrPort("[fe80::1%nosuch]:1701")); name.Scope_id != 0 {
		t.Errorf("an unknown zone is %d, want 0", name.Scope_id)
	}
}

func TestFatalErrors(t *testing.T) {
	for errno, want := range map[unix.Errno]bool{unix.ECONNREFUSED: false, unix.ENOBUFS: false, unix.ENOMEM: false,
		unix.EHOSTUNREACH: false, unix.ENETDOWN: false, unix.EBADF: true, unix.ENOTSOCK: true, unix.ENOSYS: true} {
		if fatal(errno) != want {
			t.Errorf("%v: got %v", errno, fatal(errno))
		}
	}
}

func TestEveryReasonHasAName(t *testing.T) {
	var counts errorCounts
	for _, errno := range []unix.Errno{unix.ENETUNREACH, unix.ECONNREFUSED, unix.ENOBUFS, unix.EMSGSIZE, unix.EPERM,
		unix.EINVAL, unix.EBADF} {
		counts.add(errno, 1)
	}
	all := map[string]uint64{}
	counts.appendTo(all, "tx_")
	for _, name := range []string{"unreachable", "port_unreachable", "no_buffers", "too_long", "not_permitted", "invalid",
		"other"} {
		if all["tx_"+name] != 1 {
			t.Errorf("%s: %d", name, all["tx_"+name])
		}
	}
}

func FuzzControl(f *testing.F) {
	var c control
	for _, local := range []string{"192.0.2.1", "2001:db8::1"} {
		n := c.build(netip.MustParseAddr(local), 1400)
		f.Add(slices.Clone(c.bytes()[:n]))
	}
	n := unix.CmsgSpace(4)
	*(*int32)(record(c.bytes(), unix.SOL_UDP, unix.UDP_GRO, 4)) = 1400
	f.Add(slices.Clone(c.bytes()[:n]))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var c control
		n := copy(c.bytes(), data)
		for cut := range n + 1 {
			c.parse(cut)
		}
	})
}

func TestControlThereAndBack(t *testing.T) {
	for _, local := range []netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")} {
		var c control
		n := c.build(local, 1400)
		if got, _, _ := c.parse(n); got != local {
			t.Errorf("got %v, want %v", got, local)
		}
		if uintptr(unsafe.Pointer(&c))%8 != 0 || n%8 != 0 {
			t.Errorf("%v: length %d is not aligned", local, n)
		}
	}
}

// What is there already behind a full batch is read before anything is written out, up to a bound.
func TestFullBatchesAreReadOnFrom(t *testing.T) {
	for _, c := range []struct{ datagrams, first, keeps int }{
		{1, 1, 0},
		{batchSize - 1, batchSize - 1, 0},
		{batchSize, batchSize, 1}, // whether there is more is to be seen
		{3*batchSize + 8, 3*batchSize + 8, 3},
		{(mostBatches + 2) * batchSize, mostBatches * batchSize, mostBatches - 1},
	} {
		s := newTransport(t, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1}).sockets[0]
		peer, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.address))
		must(t, err)
		defer peer.Close()
		var want []string
		for i := range c.datagrams {
			text := strings.Repeat("x", i%7) + strconv.Itoa(i)
			_, err := peer.Write([]byte(text))
			must(t, err)
			want = append(want, text)
		}
		r, into := newReader(s, 0), &recorder{}
		r.receiver = into
		must(t, s.raw.Read(r.read))
		r.deliver()
		if !slices.Equal(into.texts, want[:c.first]) || into.keeps != c.keeps || into.flushes != 1 {
			t.Errorf("of %d datagrams %d came, with %d keeps and %d flushes", c.datagrams, len(into.texts), into.keeps, into.flushes)
		}
		if n := s.stats().RxDatagrams; n != uint64(c.first) {
			t.Errorf("of %d datagrams %d were counted", c.datagrams, n)
		}
	}
}
