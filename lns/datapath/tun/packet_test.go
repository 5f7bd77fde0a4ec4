package tun

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

func TestRFC1624ReplaceWordEqualsComputingAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 20, 40).Draw(t, "b")
		before := ^sum(b, 0)
		at := rapid.IntRange(0, len(b)/2-1).Draw(t, "word") * 2
		from := binary.BigEndian.Uint16(b[at:])
		to := rapid.Uint16().Draw(t, "to")
		binary.BigEndian.PutUint16(b[at:], to)
		got, want := replaceWord(before, from, to), ^sum(b, 0)
		if got != want && got^want != 0xFFFF { // 0 and FFFF are the same number
			t.Fatalf("got %04x, want %04x", got, want)
		}
	})
}

// syn is a TCP SYN with these options.
func syn(options ...byte) []byte {
	for len(options)%4 != 0 {
		options = append(options, 0)
	}
	p := datapathtest.Packet{Source: "10.10.1.10", Destination: "192.0.2.80", Port: 80, SYN: true}.Bytes()[:40]
	p = append(p, options...)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	p[32] = byte(5+len(options)/4) << 4
	p[36], p[37] = 0, 0
	pseudo := append(bytes.Clone(p[12:20]), 0, 6, 0, byte(len(p)-20))
	binary.BigEndian.PutUint16(p[36:], ^sum(p[20:], sum(pseudo, 0)))
	return p
}

func TestClampMSS(t *testing.T) {
	for name, c := range map[string]struct {
		options []byte
		at      int // of the value within the options
		want    uint16
	}{
		"first":          {[]byte{2, 4, 0x05, 0xB4}, 2, 1300},
		"behind no-op":   {[]byte{1, 2, 4, 0x05, 0xB4}, 3, 1300},
		"behind another": {[]byte{3, 3, 7, 2, 4, 0x05, 0xB4}, 5, 1300},
		"behind SACK":    {[]byte{4, 2, 2, 4, 0xFF, 0xFF, 1, 1}, 4, 1300},
		"smaller":        {[]byte{2, 4, 0x02, 0x18}, 2, 536},
		"equal":          {[]byte{2, 4, 0x05, 0x14}, 2, 1300},
		"behind the end": {[]byte{0, 2, 4, 0x05, 0xB4}, 3, 1460},
	} {
		p := syn(c.options...)
		clampMSS(p, 1300)
		if got := binary.BigEndian.Uint16(p[40+c.at:]); got != c.want || !datapathtest.SegmentSound(p) {
			t.Errorf("%s: MSS %d, want %d; checksum sound: %v", name, got, c.want, datapathtest.SegmentSound(p))
		}
	}
}

func TestClampMSSLeavesTheRestAlone(t *testing.T) {
	option := []byte{2, 4, 0x05, 0xB4}
	change := func(f func(p []byte)) []byte { p := syn(option...); f(p); return p }
	for name, p := range map[string][]byte{
		"no SYN":             change(func(p []byte) { p[33] = 0x10 }),
		"UDP":                change(func(p []byte) { p[9] = 17 }),
		"later fragment":     change(func(p []byte) { p[7] = 1 }),
		"header too short":   change(func(p []byte) { p[32] = 4 << 4 }),
		"header too long":    change(func(p []byte) { p[32] = 15 << 4 }),
		"option of length 0": syn(3, 0, 2, 4, 0x05, 0xB4),
		"option of length 1": syn(3, 1, 2, 4, 0x05, 0xB4),
		"option too long":    syn(2, 44, 0x05, 0xB4),
		"MSS of length 3":    syn(2, 3, 0x05, 0xB4),
		"option cut":         syn(1, 1, 1, 2),
		"no options":         syn(),
		"cut in the header":  syn(option...)[:39],
		"cut at TCP":         syn(option...)[:20],
	} {
		before := bytes.Clone(p)
		clampMSS(p, 1300)
		if !bytes.Equal(p, before) {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestCutIPv4(t *testing.T) {
	good := datapathtest.Packet{Source: "10.0.0.1", Destination: "10.0.0.2", Payload: 10}.Bytes()
	for n := range good {
		if _, ok := cutIPv4(good[:n]); ok {
			t.Errorf("cut at %d: accepted", n)
		}
	}
	if p, ok := cutIPv4(append(bytes.Clone(good), 1, 2, 3)); !ok || len(p) != len(good) {
		t.Errorf("padding: %d octets, %v", len(p), ok)
	}
	for name, spoil := range map[string]func(p []byte){
		"version 6":         func(p []byte) { p[0] = 0x65 },
		"header of 16":      func(p []byte) { p[0] = 0x44 },
		"total below 20":    func(p []byte) { p[2], p[3] = 0, 19 },
		"header over total": func(p []byte) { p[0], p[3] = 0x4F, 38 },
	} {
		p := bytes.Clone(good)
		spoil(p)
		if _, ok := cutIPv4(p); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

// reassemble puts fragments together as a host would.
func reassemble(t interface{ Fatalf(string, ...any) }, base uint16, fragments [][]byte, mru int) (payload []byte) {
	for i, p := range fragments {
		cut, ok := cutIPv4(p)
		if !ok || len(cut) != len(p) || len(p) > mru || sum(p[:headerLen(p)], 0) != 0xFFFF {
			t.Fatalf("fragment %d is not sound: %x", i, p)
		}
		if at := int(fragmentField(p)&fragmentOffset-base) * 8; at != len(payload) {
			t.Fatalf("fragment %d is at %d, want %d", i, at, len(payload))
		}
		if more := fragmentField(p)&flagMoreFragments != 0; i < len(fragments)-1 && !more {
			t.Fatalf("fragment %d claims to be the last of %d", i, len(fragments))
		}
		payload = append(payload, p[headerLen(p):]...)
	}
	return payload
}

func TestFragmentsMakeUpThePacket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.IntRange(0, 10).Draw(t, "option words")
		options := rapid.SliceOfN(rapid.Byte(), 4*words, 4*words).Draw(t, "options")
		payload := rapid.SliceOfN(rapid.Byte(), 1, 3000).Draw(t, "payload")
		base := rapid.Uint16Range(0, 100).Draw(t, "offset")
		more := rapid.Bool().Draw(t, "more")
		mru := rapid.IntRange(68, 1500).Draw(t, "mru")

		p := datapathtest.Packet{Source: "10.0.0.1", Destination: "10.0.0.2", ID: 77}.Bytes()[:20]
		p = append(append(p, options...), payload...)
		p[0] = 0x40 | byte(5+words)
		field := base
		if more {
			field |= flagMoreFragments
		}
		binary.BigEndian.PutUint16(p[6:], field)
		binary.BigEndian.PutUint16(p[2:], uint16(len(p)))

		var fragments [][]byte
		for f := newFragmenter(p, mru); !f.done(); {
			fragments = append(fragments, f.piece(nil))
		}
		if got := reassemble(t, base, fragments, mru); !bytes.Equal(got, payload) {
			t.Fatalf("%d octets came back, want %d", len(got), len(payload))
		}
		last := fragments[len(fragments)-1]
		if got := fragmentField(last)&flagMoreFragments != 0; got != more {
			t.Fatalf("the last one says more: %v, the packet said %v", got, more)
		}
	})
}

func TestRFC791CopiedOptionsOnly(t *testing.T) {
	header := append(make([]byte, 20), 0x07, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0) // record route, no-op, router alert
	header[0] = 0x48
	got := appendCopiedHeader(nil, header)
	if !bytes.Equal(got[20:], []byte{0x94, 4, 0, 0}) || got[0] != 0x46 {
		t.Errorf("got %x", got)
	}
}

func TestRFC1122Section322WhatIsNotAnsweredWithAnError(t *testing.T) {
	base := func() []byte { return datapathtest.Packet{Source: "192.0.2.80", Destination: "10.10.1.10"}.Bytes() }
	change := func(at int, values ...byte) []byte { p := base(); copy(p[at:], values); return p }
	icmp := func(kind byte) []byte { p := base(); p[9], p[20] = 1, kind; return p }
	for name, c := range map[string]struct {
		packet []byte
		want   bool
	}{
		"plain":                 {base(), true},
		"later fragment":        {change(6, 0, 1), false},
		"first fragment":        {change(6, 0x20, 0), true},
		"from nobody":           {change(12, 0, 0, 0, 0), false},
		"from loopback":         {change(12, 127, 0, 0, 1), false},
		"from multicast":        {change(12, 224, 0, 0, 1), false},
		"from broadcast":        {change(12, 255, 255, 255, 255), false},
		"to multicast":          {change(16, 239, 1, 1, 1), false},
		"echo":                  {icmp(8), true},
		"echo reply":            {icmp(0), true},
		"unreachable":           {icmp(3), false},
		"time exceeded":         {icmp(11), false},
		"redirect":              {icmp(5), false},
		"ICMP without a header": {func() []byte { p := icmp(8); return p[:20] }(), false},
	} {
		if got := deservesError(c.packet); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestLimiterAllowsABurstAndThenARate(t *testing.T) {
	const start = int64(1e18)
	var l limiter
	allowed := func(now int64) (n int) {
		for range 1000 {
			if l.allow(now) {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		after int64
		want  int
	}{{0, limiterBurst}, {1e6, 0}, {10e6, 1}, {110e6, 10}, {3600e9, limiterBurst}, {3599e9, 0}} {
		if got := allowed(start + c.after); got != c.want {
			t.Errorf("after %d ns: %d, want %d", c.after, got, c.want)
		}
	}
}

func TestRFC2661Section54OldSequenceNumbers(t *testing.T) {
	var state atomic.Uint32
	for i, c := range []struct {
		ns   uint16
		want bool
	}{{65535, true}, {0, true}, {65535, false}, {0, false}, {1, true}, {0x8001, true}, {2, false}, {1, true}, {0x8002, false}} {
		if got := inOrder(&state, c.ns); got != c.want {
			t.Errorf("%d: Ns %d: %v", i, c.ns, got)
		}
	}
}

func TestAPeerThatCountsAnewIsHeardAgain(t *testing.T) {
	var state atomic.Uint32
	inOrder(&state, 20000)
	for ns := range uint16(resyncRuns - 1) {
		if inOrder(&state, ns) {
			t.Fatalf("Ns %d was accepted", ns)
		}
	}
	if !inOrder(&state, resyncRuns) || !inOrder(&state, resyncRuns+1) || inOrder(&state, resyncRuns) {
		t.Error("not in step again")
	}
	// Single stragglers never add up.
	for ns := uint16(1000); ns < 1200; ns++ {
		if !inOrder(&state, ns) || inOrder(&state, ns-1) {
			t.Fatalf("at %d", ns)
		}
	}
}

// The pieces of a fragment near the end of the longest packet would have offsets that run into the flags.
func TestRFC791AFragmentBeyondTheLongestPacket(t *testing.T) {
	p := datapathtest.Packet{Source: "192.0.2.80", Destination: "10.10.0.1", Payload: 1200}.Bytes()
	for offset, tooFar := range map[uint16]bool{0: false, 8192 - 151: false, 8192 - 150: true, fragmentOffset: true} {
		binary.BigEndian.PutUint16(p[atFragment:], offset)
		if endsTooFar(p) != tooFar {
			t.Errorf("1208 octets at offset %d: %v", offset, !tooFar)
		}
	}
	d, port := newIdle(t, make(recorder, 8))
	spec := specOf(1)
	spec.PeerMRU = 600
	s, err := d.Add(spec)
	must(t, err)
	binary.BigEndian.PutUint16(p[atFragment:], fragmentOffset)
	e := newEgress(d, port, 0)
	e.packets[0] = extent{Offset: headroom, Size: copy(e.slab[headroom:], p)}
	e.batch(1)
	if n := d.Drops()[datapath.PacketMalformed.String()]; n != 1 || s.Counters().TxPackets != 0 {
		t.Errorf("counted %d times, %+v", n, s.Counters())
	}
}
