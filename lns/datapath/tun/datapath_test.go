package tun

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// specOf is the n-th session: its key, the peer's ids and the address end in n.
func specOf(n int) datapath.Spec {
	s := datapathtest.Spec("vt1")
	s.Key = datapath.Key{Tunnel: uint16(n>>8 + 1), Session: uint16(n&0xFF + 1)}
	s.PeerTunnel, s.PeerSession = s.Key.Tunnel, s.Key.Session
	s.Address = netip.AddrFrom4([4]byte{10, 10, byte(n >> 8), byte(n)})
	return s
}

// up is a datagram of the n-th session with FF 03 in front of the protocol, or compressed.
func up(n int, payload int, short bool) []byte {
	s := specOf(n)
	b := binary.BigEndian.AppendUint16([]byte{0, 2}, s.Key.Tunnel)
	b = binary.BigEndian.AppendUint16(b, s.Key.Session)
	if short {
		b = append(b, 0x21)
	} else {
		b = append(b, 0xFF, 3, 0, 0x21)
	}
	return append(b, datapathtest.Packet{Source: s.Address.String(), Destination: "192.0.2.80", Port: uint16(n), Payload: payload}.Bytes()...)
}

// idle is a device that swallows what is written.
type idle struct{ memory }

func (*idle) Write(int, [][]byte) error { return nil }
func (*idle) BatchSize() int            { return largestBatch }

// deaf is a Sender that swallows everything.
type deaf struct{ err error }

func (d deaf) Send(datapath.Path, []byte) error        { return d.err }
func (d deaf) SendBatch(datapath.Path, [][]byte) error { return d.err }

func newIdle(t testing.TB, sender datapath.Sender) (*DataPath, *port) {
	t.Helper()
	d, err := New()
	if err != nil {
		t.Fatal(err)
	}
	dev := &idle{memory{closed: make(chan struct{}), in: []chan []byte{make(chan []byte)}}}
	p := d.attach(Config{Interface: "vt1", Sender: sender, Log: slog.New(slog.DiscardHandler)}, dev)
	t.Cleanup(func() { d.Close() })
	return d, p
}

func TestUpAllocatesNothing(t *testing.T) {
	d, _ := newIdle(t, deaf{})
	spec := specOf(1)
	spec.MSS = 1300
	_, err := d.Add(spec)
	must(t, err)
	in := d.Ingress()
	for name, datagram := range map[string][]byte{
		"in place": up(1, 1000, false), "copied": up(1, 1000, true), "malformed": {0, 2, 0}, "spoofed": up(1, 10, false),
	} {
		if name == "spoofed" {
			datagram[10+12] = 11
		}
		if n := testing.AllocsPerRun(200, func() {
			for range 300 {
				if !in.Receive(spec.Path, datagram) {
					t.Fatal("not consumed")
				}
			}
			in.Flush()
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestDownAllocatesNothing(t *testing.T) {
	d, p := newIdle(t, deaf{})
	for n, change := range []func(*datapath.Spec){
		func(*datapath.Spec) {}, func(s *datapath.Spec) { s.PeerMRU = 500 }, func(s *datapath.Spec) { s.Sequencing = true },
	} {
		spec := specOf(n)
		change(&spec)
		spec.Routes = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 20, byte(n), 0}), 24)}
		_, err := d.Add(spec)
		must(t, err)
	}
	e := newEgress(d, p, 0)
	for name, to := range map[string]string{
		"by address": "10.10.0.0", "fragmented": "10.10.0.1", "numbered": "10.10.0.2", "by route": "10.20.0.9", "unknown": "10.99.0.1",
	} {
		packet := datapathtest.Packet{Source: "192.0.2.80", Destination: to, Payload: 1300}.Bytes()
		if n := testing.AllocsPerRun(200, func() {
			for i := range 10 {
				at := headroom + i*(headroom+len(packet))
				e.packets[i] = extent{Offset: at, Size: copy(e.slab[at:], packet)}
			}
			e.batch(10)
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestBatchesKeepOrderAndPeers(t *testing.T) {
	sender := make(recorder, 64)
	d, p := newIdle(t, sender)
	for n := range 2 {
		spec := specOf(n)
		spec.PeerMRU = 600
		spec.Path.Remote = netip.AddrPortFrom(spec.Path.Remote.Addr(), uint16(2000+n))
		_, err := d.Add(spec)
		must(t, err)
	}
	e := newEgress(d, p, 0)
	at := headroom
	var want []byte
	for i := range 6 { // to both in turn, the odd ones long enough to be cut in two
		payload := 100 + i%2*700
		packet := datapathtest.Packet{Source: "192.0.2.80", Destination: specOf(i % 2).Address.String(), ID: uint16(i), Payload: payload}.Bytes()
		e.packets[i] = extent{Offset: at, Size: copy(e.slab[at:], packet)}
		at += len(packet) + headroom
		want = append(want, byte(i))
		if i%2 == 1 {
			want = append(want, byte(i))
		}
	}
	e.batch(6)
	var got []byte
	for len(sender) > 0 {
		s := <-sender
		id := s.datagram[12+5]
		got = append(got, id)
		if s.path.Remote.Port() != uint16(2000+int(id)%2) {
			t.Errorf("packet %d went to %v", id, s.path)
		}
		if _, ok := cutIPv4(s.datagram[12:]); !ok || len(s.datagram) > 612 {
			t.Errorf("packet %d: %x", id, s.datagram)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

func TestFragmentsOfManyPacketsDoNotOverwriteEachOther(t *testing.T) {
	sender := make(recorder, 1<<14)
	d, p := newIdle(t, sender)
	spec := specOf(1)
	spec.PeerMRU = 68
	_, err := d.Add(spec)
	must(t, err)
	e := newEgress(d, p, 0)
	packet := datapathtest.Packet{Source: "192.0.2.80", Destination: spec.Address.String(), ID: 1, Payload: 60000}.Bytes()
	e.packets[0] = extent{Offset: headroom, Size: copy(e.slab[headroom:], packet)}
	e.batch(1)
	var fragments [][]byte
	for len(sender) > 0 {
		fragments = append(fragments, (<-sender).datagram[12:])
	}
	if got := reassemble(t, 0, fragments, 68); !bytes.Equal(got, packet[20:]) {
		t.Errorf("%d octets came back in %d fragments", len(got), len(fragments))
	}
}

func TestFailuresAreCounted(t *testing.T) {
	d, p := newIdle(t, deaf{err: unix.ENETUNREACH})
	s, err := d.Add(specOf(1))
	must(t, err)
	e := newEgress(d, p, 0)
	packet := datapathtest.Packet{Source: "192.0.2.80", Destination: specOf(1).Address.String(), Payload: 10}.Bytes()
	e.packets[0] = extent{Offset: headroom, Size: copy(e.slab[headroom:], packet)}
	e.packets[1] = extent{Offset: headroom, Size: 19}
	e.batch(2)
	drops := d.Drops()
	if drops[datapath.PeerSend.String()] != 1 || drops[datapath.NotIPv4.String()] != 1 || s.Counters().Drops != 1 || s.Counters().TxPackets != 0 {
		t.Errorf("drops %v, session %+v", drops, s.Counters())
	}
	if len(drops) != int(datapath.Reasons) {
		t.Errorf("%d reasons, want all %d", len(drops), datapath.Reasons)
	}
}

func TestARefusingDeviceIsCountedAndSaid(t *testing.T) {
	r := newMemoryRig(t)
	var log bytes.Buffer
	r.path.ports["vt1"].log = slog.New(slog.NewTextHandler(&log, nil))
	r.device.refuse = errors.Join(errMergeRefused, unix.EINVAL)
	_, err := r.path.Add(specOf(1))
	must(t, err)
	in := r.path.Ingress()
	in.Receive(specOf(1).Path, up(1, 10, false))
	in.Flush()
	if n := r.path.Drops()[datapath.InterfaceWrite.String()]; n != 1 || !strings.Contains(log.String(), "one by one") {
		t.Errorf("counted %d times, log %q", n, log.String())
	}
}

// What was not carried is not in the octets of accounting, and what was carried is, whoever else was in the batch.
func TestOnlyWhatTheDeviceTakesIsCounted(t *testing.T) {
	r := newMemoryRig(t)
	r.device.refuse = unix.EIO
	var sessions []datapath.Session
	in := r.path.Ingress()
	for n := range 2 {
		s, err := r.path.Add(specOf(n))
		must(t, err)
		sessions = append(sessions, s)
		in.Receive(specOf(n).Path, up(n, 10, false))
	}
	in.Flush()
	if c := sessions[0].Counters(); c.RxPackets != 0 || c.RxOctets != 0 || c.Drops != 1 || !c.LastRx.IsZero() {
		t.Errorf("its packet was refused: %+v", c)
	}
	if c := sessions[1].Counters(); c.RxPackets != 1 || c.RxOctets != 38 || c.Drops != 0 {
		t.Errorf("its packet was carried: %+v", c)
	}
}

func TestOnlyWhatTheSocketTakesIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		carried []uint64 // of the packets of sessions 0 to 3
	}{
		"all":     {nil, []uint64{1, 1, 1, 1}},
		"none":    {unix.EAGAIN, []uint64{0, 0, 0, 0}},
		"a start": {&datapath.BatchError{From: 2, Err: unix.EAGAIN}, []uint64{1, 1, 0, 0}},
		"holes":   {&datapath.BatchError{Skipped: []int{0, 2}, From: 4, Err: unix.EMSGSIZE}, []uint64{0, 1, 0, 1}},
	} {
		d, p := newIdle(t, deaf{c.err})
		e := newEgress(d, p, 0)
		var sessions []datapath.Session
		for n := range c.carried {
			s, err := d.Add(specOf(n))
			must(t, err)
			sessions = append(sessions, s)
			packet := datapathtest.Packet{Source: "192.0.2.80", Destination: specOf(n).Address.String(), Payload: 10}.Bytes()
			at := headroom + n*(headroom+len(packet))
			e.packets[n] = extent{Offset: at, Size: copy(e.slab[at:], packet)}
		}
		e.batch(len(c.carried))
		for n, want := range c.carried {
			if got := sessions[n].Counters(); got.TxPackets != want || got.TxOctets != 38*want || got.Drops != 1-want {
				t.Errorf("%s: session %d counts %+v", name, n, got)
			}
		}
	}
}

// The clock of a host can be set: by NTP after a start, by hand, after a virtual machine was paused. A rate must not stop
// a session until the old time comes again, and idle times must not jump.
func TestTimesDoNotDependOnTheClockOfTheHost(t *testing.T) {
	r := newMemoryRig(t)
	spec := specOf(1)
	spec.RateUp, spec.RateDown = 8_000_000, 8_000_000
	s, err := r.path.Add(spec)
	must(t, err)
	in := r.path.Ingress()
	in.Receive(spec.Path, up(1, 10, false))
	in.Flush()
	r.ToPeers(datapathtest.Packet{Source: "192.0.2.80", Destination: spec.Address.String(), Payload: 10}.Bytes())
	r.Sent()
	must(t, r.path.Close()) // waits for the queue to have counted
	c := s.Counters()
	for name, at := range map[string]time.Time{"LastRx": c.LastRx, "LastTx": c.LastTx} {
		if !strings.Contains(at.String(), " m=") || time.Since(at) > time.Minute {
			t.Errorf("%s is %v, without a reading of the monotonic clock", name, at)
		}
	}
	own := s.(*session)
	for name, paid := range map[string]int64{"up": atomic.LoadInt64(own.up.paid()), "down": atomic.LoadInt64(own.down.paid())} {
		if paid == 0 || time.Duration(paid) > time.Minute {
			t.Errorf("the rate %s counts from %v, not from the start of the data path", name, time.Duration(-paid))
		}
	}
}

// A peer with a wide route must not speak in the name of another session whose address or longer route lies inside it:
// what is answered goes to that other session.
func TestARouteDoesNotCoverOtherSessions(t *testing.T) {
	r := newMemoryRig(t)
	wide, host, narrow := specOf(1), specOf(2), specOf(3)
	wide.Routes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	narrow.Routes = []netip.Prefix{netip.MustParsePrefix("10.20.5.0/24")}
	for _, spec := range []datapath.Spec{wide, host, narrow} {
		_, err := r.path.Add(spec)
		must(t, err)
	}
	in := r.path.Ingress()
	for from, carried := range map[string]bool{
		wide.Address.String(): true, "10.99.0.1": true, host.Address.String(): false, narrow.Address.String(): false, "10.20.5.1": false,
	} {
		before := r.path.Drops()[datapath.SourceNotLeased.String()]
		packet := datapathtest.Packet{Source: from, Destination: "192.0.2.80", Payload: 10}.Bytes()
		in.Receive(wide.Path, append(up(1, 10, false)[:10:10], packet...))
		in.Flush()
		if dropped := r.path.Drops()[datapath.SourceNotLeased.String()] - before; (dropped == 0) != carried {
			t.Errorf("from %s: dropped %d times", from, dropped)
		}
	}
}

// The kernel sends them when one peer speaks to another, with the first peer's own address as the better gateway.
func TestRedirectsAreNotSentToPeers(t *testing.T) {
	d, p := newIdle(t, make(recorder, 8))
	s, err := d.Add(specOf(1))
	must(t, err)
	e := newEgress(d, p, 0)
	for kind, carried := range map[byte]uint64{icmpRedirect: 0, icmpUnreachable: 1, 0: 1} {
		packet := datapathtest.Packet{Source: "192.0.2.80", Destination: specOf(1).Address.String(), Payload: 20}.Bytes()
		packet[atProtocol], packet[minHeaderLen] = protocolICMP, kind
		before := s.Counters()
		e.packets[0] = extent{Offset: headroom, Size: copy(e.slab[headroom:], packet)}
		e.batch(1)
		if got := s.Counters().TxPackets - before.TxPackets; got != carried {
			t.Errorf("ICMP type %d: sent %d times", kind, got)
		}
	}
	if n := d.Drops()[datapath.Redirect.String()]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// broken is a device whose reads fail.
type broken struct {
	memory
	err error
}

func (b *broken) Read(int, []byte, []extent) (int, error) { return 0, b.err }

func TestADeviceThatFailsIsGivenUpAndSaid(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		reads uint64
	}{"error": {&os.PathError{Op: "read", Err: unix.EIO}, patience}, "removed": {os.ErrClosed, 0}} {
		d, err := New()
		must(t, err)
		var log bytes.Buffer
		dev := &broken{memory{closed: make(chan struct{}), in: make([]chan []byte, 1)}, c.err}
		p := d.attach(Config{Interface: "vt1", Sender: deaf{}, Log: slog.New(slog.NewTextHandler(&log, nil))}, dev)
		p.queues.Wait()
		if n := d.Drops()[datapath.InterfaceRead.String()]; n != c.reads || !strings.Contains(log.String(), "cannot be read any more") {
			t.Errorf("%s: %d reads counted, log %q", name, n, log.String())
		}
		select {
		case err := <-d.Failed():
			if !errors.Is(err, c.err) && !strings.Contains(err.Error(), "vt1") {
				t.Errorf("%s: the owner is told %v", name, err)
			}
		default:
			t.Errorf("%s: the owner is not told", name)
		}
		must(t, d.Close())
	}
}

func TestAClosedDeviceHasNotFailed(t *testing.T) {
	r := newMemoryRig(t)
	must(t, r.path.Close())
	select {
	case err := <-r.path.Failed():
		t.Errorf("told as %v", err)
	default:
	}
}

func TestSessionsComeAndGoWhilePacketsFlow(t *testing.T) {
	r := newMemoryRig(t)
	steady, err := r.path.Add(specOf(1))
	must(t, err)
	const rounds = 300
	var workers sync.WaitGroup
	for w := range 3 {
		workers.Go(func() {
			for i := range rounds {
				spec := specOf(10 + w)
				spec.Routes = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 20, byte(w), 0}), 24)}
				s, err := r.path.Add(spec)
				if err != nil {
					t.Error(err)
					return
				}
				if i%2 == 0 {
					s.SetPath(spec.Path)
				}
				s.Counters()
				s.Close()
			}
		})
	}
	workers.Go(func() {
		in := r.path.Ingress()
		for range rounds {
			in.Receive(specOf(1).Path, up(1, 10, false))
			in.Receive(specOf(1).Path, up(10, 10, true))
			in.Flush()
		}
	})
	workers.Go(func() {
		for i := range rounds {
			to := specOf(1 + i%2*9).Address.String()
			r.ToPeers(datapathtest.Packet{Source: "192.0.2.80", Destination: to, Payload: 10}.Bytes())
		}
	})
	workers.Go(func() { // keeps the channels from filling up
		for range rounds {
			<-r.device.out
		}
	})
	workers.Wait()
	if c := steady.Counters(); c.RxPackets != rounds {
		t.Errorf("%+v", c)
	}
	if r.path.sessions.live != 1 {
		t.Errorf("%d sessions are left", r.path.sessions.live)
	}
}

func TestCloseTakesSessionsOut(t *testing.T) {
	r := newMemoryRig(t)
	s, err := r.path.Add(specOf(1))
	must(t, err)
	must(t, r.path.Close())
	s.Close()
	if _, err := r.path.Add(specOf(1)); err == nil {
		t.Error("a closed data path takes sessions")
	}
	if err := r.path.Open(Config{Interface: "vt2", Sender: deaf{}}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed data path opens devices: %v", err)
	}
	if r.path.Ingress().Receive(specOf(1).Path, up(1, 10, false)) {
		t.Error("a closed data path takes packets")
	}
}

func TestTwoVirtualTemplatesKeepTheirSessionsApart(t *testing.T) {
	r := newMemoryRig(t)
	second := newMemory(1)
	r.path.attach(Config{Interface: "vt2", Sender: r.sender, Log: testLog(t)}, second)
	one, two := specOf(1), specOf(2)
	two.Interface, two.Address = "vt2", one.Address // the same address in another network
	for _, spec := range []datapath.Spec{one, two} {
		_, err := r.path.Add(spec)
		must(t, err)
	}
	in := r.path.Ingress()
	in.Receive(two.Path, append([]byte{0, 2, 0, 1, 0, 3}, up(1, 10, false)[6:]...))
	in.Flush()
	wait(t, second.out)
	packet := datapathtest.Packet{Source: "192.0.2.80", Destination: one.Address.String(), Payload: 10}.Bytes()
	second.in[0] <- packet
	if _, datagram := r.Sent(); datagram[7] != 3 {
		t.Errorf("went to session %d", datagram[7])
	}
	r.ToPeers(packet)
	if _, datagram := r.Sent(); datagram[7] != 2 {
		t.Errorf("went to session %d", datagram[7])
	}
}
