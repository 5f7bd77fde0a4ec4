package tun

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"testing"

	"pgregory.net/rapid"
)

// shelf is a device that keeps what is written.
type shelf struct {
	idle
	packets [][]byte
	largest int
	merges  bool
	refuses bool // the first packet of each write
}

func (s *shelf) Merges() bool { return s.merges }

func (s *shelf) Write(_ int, packets [][]byte) error {
	s.largest = max(s.largest, len(packets))
	for i, p := range packets {
		if s.refuses && i == 0 {
			packets[i] = nil
			continue
		}
		s.packets = append(s.packets, bytes.Clone(p[writeOffset:]))
	}
	if s.refuses {
		return errors.New("no")
	}
	return nil
}

// newShelf is a data path whose device is one.
func newShelf(t *testing.T, users int) (*DataPath, *shelf) {
	t.Helper()
	d, err := New()
	must(t, err)
	s := &shelf{idle: idle{memory{closed: make(chan struct{}), in: []chan []byte{make(chan []byte)}}}, merges: true}
	d.attach(Config{Interface: "vt1", Sender: deaf{}, Log: slog.New(slog.DiscardHandler)}, s)
	t.Cleanup(func() { must(t, d.Close()) })
	for n := range users {
		_, err := d.Add(specOf(n))
		must(t, err)
	}
	return d, s
}

// Whatever is gathered, each packet is written once, as it was, and those of a session in the order in which they came.
func TestGatheredPacketsAreWrittenOnceAndInOrder(t *testing.T) {
	const users = 40
	d, device := newShelf(t, users)
	total := func() (passed, dropped uint64) {
		for n := range users {
			c := d.sessions.get(id(specOf(n).Key.Tunnel, specOf(n).Key.Session)).Counters()
			passed, dropped = passed+c.RxPackets, dropped+c.Drops
		}
		return passed, dropped
	}
	rapid.Check(t, func(t *rapid.T) {
		device.merges = rapid.IntRange(0, 9).Draw(t, "merges") > 0
		device.refuses = rapid.IntRange(0, 9).Draw(t, "refuses") == 0
		device.packets, device.largest = nil, 0
		passed, dropped := total()
		in := d.Ingress()
		buffers := make([][]byte, 64)
		var sent, written [users][]byte
		crowd := rapid.IntRange(1, users).Draw(t, "crowd")
		count, number := 0, byte(0)
		for range rapid.IntRange(1, 30).Draw(t, "batches") {
			for i := range rapid.IntRange(1, len(buffers)).Draw(t, "batch") {
				n := rapid.IntRange(0, crowd-1).Draw(t, "user")
				number++
				buffers[i] = append(buffers[i][:0], up(n, rapid.SampledFrom([]int{0, 8, 1400}).Draw(t, "octets"), number%3 == 0)...)
				packet := bytes.Index(buffers[i], []byte{0x45, 0})
				buffers[i][packet+5] = number // the identification
				sent[n] = append(sent[n], number)
				count++
				if !in.Receive(specOf(n).Path, buffers[i]) {
					t.Fatal("a packet is refused")
				}
			}
			if rapid.IntRange(0, 4).Draw(t, "more") > 0 {
				in.Keep()
			} else {
				in.Flush()
			}
			for _, b := range buffers {
				for i := range b {
					b[i] = 0xEE // the next datagram lies there now
				}
			}
		}
		in.Flush()
		for _, packet := range device.packets {
			n := int(binary.BigEndian.Uint16(packet[22:])) // the port
			if !bytes.Equal(packet[12:16], specOf(n).Address.AsSlice()) {
				t.Fatalf("%x is no packet of user %d", packet, n)
			}
			written[n] = append(written[n], packet[5])
		}
		for n := range users {
			if !device.refuses && !bytes.Equal(written[n], sent[n]) || !isWithin(written[n], sent[n]) {
				t.Fatalf("user %d has sent %d, written was %d", n, sent[n], written[n])
			}
		}
		passedNow, droppedNow := total()
		passed, dropped = passedNow-passed, droppedNow-dropped
		if device.largest > device.BatchSize() || int(passed) != len(device.packets) || int(passed+dropped) != count {
			t.Fatalf("of %d packets %d passed and %d were dropped, %d written, %d at once", count, passed, dropped, len(device.packets), device.largest)
		}
	})
}

// isWithin says that some numbers are among others, in their order.
func isWithin(some, all []byte) bool {
	for _, n := range some {
		at := bytes.IndexByte(all, n)
		if at < 0 {
			return false
		}
		all = all[at+1:]
	}
	return true
}

// Of many sessions, packets of each come to lie side by side, as many as are gathered.
func TestGatheringBringsPacketsOfASessionTogether(t *testing.T) {
	const users, rounds = 100, 10
	d, device := newShelf(t, users)
	in := d.Ingress()
	in.Receive(specOf(0).Path, up(0, 8, false))
	in.Keep() // it makes room for the next
	device.packets = nil
	for i := range users * rounds {
		in.Receive(specOf(i%users).Path, up(i%users, 8, false))
		if i%64 == 63 {
			in.Keep()
		}
	}
	in.Flush()
	changes := 0
	for i, packet := range device.packets[1:] {
		if !bytes.Equal(packet[12:16], device.packets[i][12:16]) {
			changes++
		}
	}
	if len(device.packets) != users*rounds || changes != users-1 {
		t.Errorf("%d packets, and %d times another user than before", len(device.packets), changes)
	}
}

// Where each packet is another session's, or nothing is merged, nobody waits for more.
func TestNothingIsGatheredInVain(t *testing.T) {
	const users = 600
	for _, merges := range []bool{true, false} {
		d, device := newShelf(t, users)
		device.merges = merges
		in := d.Ingress()
		send := func(first, batches int) {
			for i := range batches * 64 {
				n := (first + i) % users
				in.Receive(specOf(n).Path, up(n, 8, false))
				if i%64 == 63 {
					in.Keep()
				}
			}
		}
		send(0, 8)
		in.Flush()
		before := len(device.packets)
		send(0, 3)
		if got := len(device.packets) - before; got != 3*64 {
			t.Errorf("merges %v: %d of %d packets were written before the flush", merges, got, 3*64)
		}
		in.Flush()
	}
}

func TestGatheringAllocatesNothing(t *testing.T) {
	d, _ := newIdle(t, deaf{})
	for n := range 10 {
		_, err := d.Add(specOf(n))
		must(t, err)
	}
	in := d.Ingress()
	datagrams := make([][]byte, 64)
	for i := range datagrams {
		datagrams[i] = up(i%10, 1000, i%2 == 0)
	}
	all := func() {
		for range 20 {
			for i, b := range datagrams {
				in.Receive(specOf(i%10).Path, b)
			}
			in.Keep()
		}
		in.Flush()
	}
	all() // it takes its room once
	if n := testing.AllocsPerRun(20, all); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
