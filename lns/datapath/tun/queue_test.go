package tun

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// newQueuePair is a queue whose other end is a socket in the place of the kernel's.
func newQueuePair(t testing.TB, offload bool) (q *queue, kernel int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(pair[0]), "queue")
	t.Cleanup(func() {
		file.Close()
		unix.Close(pair[1])
	})
	if q, err = newQueue(file, offload, false); err != nil {
		t.Fatal(err)
	}
	return q, pair[1]
}

func newSlab() ([]byte, []extent) { return make([]byte, 2*slabSize), make([]extent, 2*slabPackets) }

// delivered has the kernel deliver packets, and returns what one read makes of them. Each must have headroom around it.
func delivered(t testing.TB, q *queue, kernel int, packets ...[]byte) (got [][]byte) {
	t.Helper()
	for _, p := range packets {
		if _, err := unix.Write(kernel, p); err != nil {
			t.Fatal(err)
		}
	}
	slab, extents := newSlab()
	n, err := q.read(slab, extents)
	if err != nil {
		t.Fatal(err)
	}
	end := 0
	for _, at := range extents[:n] {
		if at.Offset-end < headroom {
			t.Fatalf("%d octets in front of a packet", at.Offset-end)
		}
		end = at.Offset + at.Size
		got = append(got, slab[at.Offset:end])
	}
	if len(slab)-end < headroom {
		t.Fatalf("%d octets behind the last packet", len(slab)-end)
	}
	return got
}

func TestAllThatIsThereIsReadAtOnce(t *testing.T) {
	for _, offload := range []bool{false, true} {
		q, kernel := newQueuePair(t, offload)
		var want, sent [][]byte
		for n := range 5 {
			p := bytes.Repeat([]byte{byte(n)}, 20+300*n)
			want = append(want, p)
			if offload {
				p = append(make([]byte, virtioLen), p...)
			}
			sent = append(sent, p)
		}
		if got := delivered(t, q, kernel, sent...); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("offload %v: %d packets of %d, or others", offload, len(got), len(want))
		}
	}
}

func TestReadingAllocatesNothingAndLosesNothing(t *testing.T) {
	q, kernel := newQueuePair(t, true)
	slab, extents := newSlab()
	packet := make([]byte, virtioLen+40)
	sent, received := uint32(0), uint32(0)
	if allocated := testing.AllocsPerRun(100, func() {
		for range 10 {
			binary.BigEndian.PutUint32(packet[virtioLen:], sent)
			if _, err := unix.Write(kernel, packet); err == nil {
				sent++
			}
		}
		n, err := q.read(slab, extents[:slabPackets+2]) // room for 3, then no promise that another one fits
		if err != nil || n > 3 {
			t.Errorf("%d packets, %v", n, err)
		}
		for _, at := range extents[:n] {
			if binary.BigEndian.Uint32(slab[at.Offset:]) != received {
				t.Errorf("another packet than number %d", received)
			}
			received++
		}
	}); allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

func TestAClosedQueueEndsReadingAndWriting(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	file := os.NewFile(uintptr(pair[0]), "queue")
	q, err := newQueue(file, true, false)
	must(t, err)
	ended := make(chan error)
	go func() {
		slab, extents := newSlab()
		_, err := q.read(slab, extents)
		ended <- err
	}()
	must(t, file.Close())
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("reading ends with %v", err)
	}
	packets := [][]byte{make([]byte, 40), make([]byte, 40)}
	if err := q.write(packets); err == nil || packets[0] != nil || packets[1] != nil {
		t.Errorf("written to a closed device: %x, %v", packets, err)
	}
}

// The other end takes some packets at a time, so the writer has to wait for it again and again.
func TestWritingWaitsForRoomAndKeepsTheOrder(t *testing.T) {
	for _, threads := range []bool{false, true} {
		q, kernel := newQueuePair(t, true)
		q.threads = threads
		writeMany(t, q, kernel)
	}
}

func writeMany(t *testing.T, q *queue, kernel int) {
	t.Helper()
	const all = 2000
	var packets [][]byte
	for n := range all {
		packets = append(packets, binary.BigEndian.AppendUint32(bytes.Repeat([]byte{0xff}, writeOffset), uint32(n)))
	}
	written := make(chan error)
	go func() {
		written <- errors.Join(q.write(packets), q.awaitRoom())
	}()
	must(t, unix.SetNonblock(kernel, false))
	var b [100]byte
	for n := range all {
		if _, err := unix.Read(kernel, b[:]); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b[:virtioLen], make([]byte, virtioLen)) || binary.BigEndian.Uint32(b[virtioLen:]) != uint32(n) {
			t.Fatalf("packet %d: %x", n, b[:virtioLen+4])
		}
	}
	must(t, <-written)
}

// Whatever the kernel merges comes out as the packets that a sender without offload would have sent, octet by octet.
func TestSegmentsAreThePacketsThatWereMerged(t *testing.T) {
	q, kernel := newQueuePair(t, true)
	rapid.Check(t, func(rt *rapid.T) {
		var sent, want [][]byte
		for range rapid.IntRange(1, 5).Draw(rt, "packets") {
			size := rapid.IntRange(1, 1400).Draw(rt, "segment")
			payload := rapid.SliceOfN(rapid.Byte(), 1, 4*1400).Draw(rt, "payload")
			tcp := rapid.Bool().Draw(rt, "tcp")
			sent = append(sent, merged(payload, size, tcp))
			seq := uint32(7)
			for piece := range slices.Chunk(payload, size) {
				last := int(seq)-7+len(piece) == len(payload)
				want = append(want, segment(piece, seq, uint16(len(want)), last, tcp))
				seq += uint32(len(piece))
			}
		}
		got := delivered(t, q, kernel, sent...)
		if len(got) != len(want) {
			rt.Fatalf("%d packets, want %d", len(got), len(want))
		}
		for i := range got {
			got[i][atIdentification], got[i][atIdentification+1] = 0, byte(0)
			want[i][atIdentification], want[i][atIdentification+1] = 0, 0
			got[i][atChecksum], got[i][atChecksum+1] = 0, 0
			want[i][atChecksum], want[i][atChecksum+1] = 0, 0
			if !bytes.Equal(got[i], want[i]) {
				rt.Fatalf("packet %d:\n%x, want\n%x", i, got[i], want[i])
			}
		}
	})
}

// segment is a packet of TCP or UDP with all its checksums.
func segment(payload []byte, seq uint32, id uint16, last, tcp bool) []byte {
	p := headersFor(len(payload), seq, last, tcp)
	binary.BigEndian.PutUint16(p[atIdentification:], id)
	p = append(p, payload...)
	writeHeaderChecksum(p)
	at := checksumPlace(tcp)
	transport := p[minHeaderLen:]
	binary.BigEndian.PutUint16(transport[at:], 0)
	check := ^sum(transport, pseudo(p, len(transport)))
	binary.BigEndian.PutUint16(transport[at:], check)
	return p
}

// merged is what the kernel delivers for a payload in segments of that size, with a virtio header in front.
func merged(payload []byte, size int, tcp bool) []byte {
	virtio := make([]byte, virtioLen)
	virtio[0] = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM
	if len(payload) > size {
		virtio[1] = unix.VIRTIO_NET_HDR_GSO_UDP_L4
		if tcp {
			virtio[1] = unix.VIRTIO_NET_HDR_GSO_TCPV4
		}
		binary.NativeEndian.PutUint16(virtio[4:], uint16(size))
	}
	binary.NativeEndian.PutUint16(virtio[6:], minHeaderLen)
	binary.NativeEndian.PutUint16(virtio[8:], uint16(checksumPlace(tcp)))
	p := append(headersFor(len(payload), 7, true, tcp), payload...)
	binary.BigEndian.PutUint16(p[minHeaderLen+checksumPlace(tcp):], pseudo(p, len(p)-minHeaderLen))
	return append(virtio, p...)
}

func checksumPlace(tcp bool) int {
	if tcp {
		return atTCPChecksum
	}
	return 6
}

// headersFor are the headers of IPv4 and of TCP, with PSH on the last segment, or UDP; without checksums.
func headersFor(payload int, seq uint32, last, tcp bool) []byte {
	length, protocol := udpHeaderLen, byte(protocolUDP)
	if tcp {
		length, protocol = minTCPHeaderLen, protocolTCP
	}
	p := []byte{0x45, 0}
	p = binary.BigEndian.AppendUint16(p, uint16(minHeaderLen+length+payload))
	p = append(p, 0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 80, 10, 10, 1, 1, 0, 80, 0x10, 0x20)
	if !tcp {
		p = binary.BigEndian.AppendUint16(p, uint16(length+payload))
		return append(p, 0, 0)
	}
	flags := byte(0x10)
	if last {
		flags |= 0x08
	}
	p = binary.BigEndian.AppendUint32(p, seq)
	return append(p, 0, 0, 0, 9, 0x50, flags, 0x20, 0, 0, 0, 0, 0)
}

func pseudo(p []byte, length int) uint16 {
	return sum([]byte{0, p[atProtocol], byte(length >> 8), byte(length)}, sum(p[atSource:minHeaderLen], 0))
}

// Whatever the kernel says, a queue neither panics nor tells of a packet outside of its slab.
func FuzzWhatTheKernelDelivers(f *testing.F) {
	f.Add(merged(make([]byte, 3000), 1000, true))
	f.Add(merged(make([]byte, 3000), 1, false))
	f.Add(make([]byte, virtioLen))
	f.Add([]byte{1, 4, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x45})
	slab, extents := newSlab()
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > slabSize/2 {
			return
		}
		q := &queue{offload: true}
		q.in.slab, q.in.packets = slab, extents
		_ = q.take(slab[headroom-virtioLen:][:copy(slab[headroom-virtioLen:], b)])
		for _, at := range extents[:q.in.count] {
			if at.Offset < headroom || at.Offset+at.Size > len(slab)-headroom || at.Size < 0 {
				t.Fatalf("a packet at %d, %d octets long", at.Offset, at.Size)
			}
		}
	})
}

func TestMergingPaysWhenManyShareAFlow(t *testing.T) {
	batch := func(packets, flows, octets int) (all [][]byte) {
		for n := range packets {
			p := append(headersFor(octets, 7, false, false), make([]byte, octets)...)
			binary.BigEndian.PutUint16(p[minHeaderLen:], uint16(n%flows))
			all = append(all, append(make([]byte, writeOffset), p...))
		}
		return all
	}
	for _, c := range []struct {
		packets, flows, octets int
		want                   bool
	}{
		{1, 1, 100, false}, {2, 1, 100, true}, {2, 2, 100, false}, {64, 1, 1400, true}, {64, 64, 100, false},
		{64, 61, 100, false}, {64, 59, 100, true}, {15, 14, 100, true}, {64, 1, 9000, false},
	} {
		if got := mergingPays(batch(c.packets, c.flows, c.octets)); got != c.want {
			t.Errorf("%d packets of %d flows, %d octets each: %v", c.packets, c.flows, c.octets, got)
		}
	}
}
