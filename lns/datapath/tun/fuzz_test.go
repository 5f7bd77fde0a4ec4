package tun

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"testing"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// judge is a device that checks what is written to it.
type judge struct {
	idle
	t       *testing.T
	allowed func(source uint32) bool
}

func (j *judge) Write(_ int, packets [][]byte) error {
	for _, b := range packets {
		p, ok := cutIPv4(b[writeOffset:])
		if !ok || len(p) != len(b)-writeOffset {
			j.t.Errorf("written: %x", b)
		} else if !j.allowed(source(p)) {
			j.t.Errorf("written from a source that is not leased: %x", p)
		}
	}
	return nil
}

func FuzzReceive(f *testing.F) {
	f.Add(up(1, 20, false), byte(0))
	f.Add(up(1, 20, true), byte(1))
	f.Add(append([]byte{0, 2, 0, 1, 0, 2, 0xFF, 3, 0, 0x21}, syn(2, 4, 5, 0xB4)...), byte(0))
	f.Add([]byte{0x4A, 2, 0, 16, 0, 1, 0, 2, 0, 1, 0, 0, 0, 0, 0xC0, 0x21}, byte(0))
	f.Add([]byte{0xC8, 2, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0}, byte(0))
	f.Fuzz(func(t *testing.T, datagram []byte, port byte) {
		d, err := New()
		must(t, err)
		dev := &judge{idle{memory{closed: make(chan struct{}), in: []chan []byte{nil}}}, t, nil}
		d.attach(Config{Interface: "vt1", Sender: deaf{}, Log: testLog(t)}, dev)
		defer d.Close()
		spec := specOf(1)
		spec.MSS, spec.Routes = 1300, []netip.Prefix{netip.MustParsePrefix("10.20.5.0/24")}
		s, err := d.Add(spec)
		must(t, err)
		dev.allowed = s.(*session).owns
		from := spec.Path
		from.Remote = netip.AddrPortFrom(from.Remote.Addr(), from.Remote.Port()+uint16(port&1))
		in := d.Ingress()
		consumed := in.Receive(from, datagram)
		in.Flush()
		c := s.Counters()
		if !consumed && c.RxPackets != 0 {
			t.Error("carried and left to the engine")
		}
		if port&1 != 0 && c.RxPackets != 0 {
			t.Error("carried from a stranger")
		}
	})
}

func FuzzClampMSS(f *testing.F) {
	f.Add(syn(2, 4, 5, 0xB4), uint16(1300))
	f.Add(syn(1, 2, 4, 5, 0xB4), uint16(1))
	f.Add(syn(3, 0), uint16(1300))
	f.Fuzz(func(t *testing.T, b []byte, limit uint16) {
		p, ok := cutIPv4(bytes.Clone(b))
		if !ok {
			return
		}
		segment := p[headerLen(p):]
		before := sum(segment, 0)
		clampMSS(p, limit)
		// The checksum covers the segment, so the sum over both together does not change.
		if after := sum(segment, 0); after != before && after^before != 0xFFFF {
			t.Errorf("sum was %04x, is %04x: %x", before, after, p)
		}
	})
}

func FuzzDown(f *testing.F) {
	for _, p := range []datapathtest.Packet{
		{Source: "192.0.2.80", Destination: "10.10.0.1", Payload: 500},
		{Source: "192.0.2.80", Destination: "10.10.0.1", Payload: 500, DontFragment: true},
		{Source: "192.0.2.80", Destination: "10.10.0.1", SYN: true, MSS: 1460},
	} {
		f.Add(p.Bytes(), uint16(100))
	}
	f.Add([]byte{0x60, 0, 0, 0}, uint16(68))
	sender := new(kept)
	d, p := newIdle(f, sender)
	e := newEgress(d, p, 0)
	f.Fuzz(func(t *testing.T, b []byte, mru uint16) {
		spec := specOf(1)
		spec.PeerMRU, spec.MSS = max(int(mru), 68), 1200
		spec.Routes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		s, err := d.Add(spec)
		must(t, err)
		defer s.Close()
		*sender = nil
		e.packets[0] = extent{Offset: headroom, Size: copy(e.slab[headroom:len(e.slab)-headroom], b[:min(len(b), 0xFFFF)])}
		e.batch(1)
		octets := 0
		for _, datagram := range *sender {
			packet, ok := cutIPv4(datagram[12:])
			if !ok || len(packet) != len(datagram)-12 || len(packet) > spec.PeerMRU {
				t.Fatalf("sent %x", datagram)
			}
			octets += len(packet)
		}
		if whole, ok := cutIPv4(b); ok && octets > 0 && octets < len(whole) {
			t.Errorf("%d octets of %d were sent", octets, len(whole))
		}
	})
}

// kept is a Sender that keeps what it is given.
type kept [][]byte

func (k *kept) Send(_ datapath.Path, datagram []byte) error {
	*k = append(*k, bytes.Clone(datagram))
	return nil
}

func (k *kept) SendBatch(p datapath.Path, datagrams [][]byte) error {
	for _, d := range datagrams {
		_ = k.Send(p, d)
	}
	return nil
}

func FuzzTooBig(f *testing.F) {
	f.Add(datapathtest.Packet{Source: "192.0.2.80", Destination: "10.10.0.1", Payload: 900}.Bytes(), uint16(600))
	f.Fuzz(func(t *testing.T, b []byte, mru uint16) {
		p, ok := cutIPv4(b)
		if !ok || !deservesError(p) {
			return
		}
		got := appendTooBig(nil, p, int(mru))
		if len(got) > 576 || sum(got[:20], 0) != 0xFFFF || sum(got[20:], 0) != 0xFFFF || binary.BigEndian.Uint16(got[26:]) != mru {
			t.Errorf("answered %x", got)
		}
	})
}

func FuzzInOrder(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 0, 1, 0x80, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var state atomic.Uint32
		last := uint16(0)
		for ; len(b) >= 2; b = b[2:] {
			ns := binary.BigEndian.Uint16(b)
			accepted := inOrder(&state, ns)
			if accepted {
				last = ns
			}
			if uint16(state.Load()) != last {
				t.Fatalf("state has %d, last accepted is %d", uint16(state.Load()), last)
			}
		}
	})
}
