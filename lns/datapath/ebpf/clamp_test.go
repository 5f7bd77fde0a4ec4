package ebpf

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// drawOptions makes options of TCP that are sound, or not.
func drawOptions(t *rapid.T) (options []byte) {
	for range rapid.IntRange(0, 6).Draw(t, "options") {
		switch rapid.IntRange(0, 5).Draw(t, "option") {
		case 0, 1:
			options = append(options, 1)
		case 2, 3:
			options = binary.BigEndian.AppendUint16(append(options, 2, 4), rapid.SampledFrom([]uint16{0, 1, 1199, 1200, 1201, 1460, 65535}).Draw(t, "size"))
		case 4:
			n := rapid.IntRange(0, 12).Draw(t, "length")
			options = append(options, byte(rapid.IntRange(3, 30).Draw(t, "kind")), byte(n))
			options = append(options, make([]byte, max(n-2, 0))...)
		default:
			options = append(options, byte(rapid.IntRange(0, 2).Draw(t, "kind")), byte(rapid.IntRange(0, 5).Draw(t, "length")))
		}
	}
	options = options[:min(len(options), 40)]
	return append(options, make([]byte, -len(options)&3)...)
}

// tcp is a segment from one address to another, with a sound checksum.
func tcp(from, to netip.Addr, flags byte, options []byte) []byte {
	segment := append([]byte{0, 80, 1, 187, 0, 0, 0, 1, 0, 0, 0, 0, byte(5+len(options)/4) << 4, flags, 1, 0, 0, 0, 0, 0}, options...)
	segment = append(segment, 1, 2, 3)
	pseudo := append(append(from.AsSlice(), to.AsSlice()...), 0, 6, 0, byte(len(segment)))
	binary.BigEndian.PutUint16(segment[16:], datapathtest.Checksum(append(pseudo, segment...)))
	header := []byte{0x60, 0, 0, 0, 0, byte(len(segment)), 6, 64}
	if from.Is4() {
		header = []byte{0x45, 0, 0, byte(20 + len(segment)), 0, 1, 0, 0, 64, 6, 0, 0}
	}
	header = append(append(header, from.AsSlice()...), to.AsSlice()...)
	if from.Is4() {
		binary.BigEndian.PutUint16(header[10:], datapathtest.Checksum(header))
	}
	return append(header, segment...)
}

// lowered is the options of a SYN with the size that is to be announced, found in the simplest way.
func lowered(options []byte, most uint16) []byte {
	options = bytes.Clone(options)
	for rest := options; len(rest) > 1 && rest[0] != 0; {
		n := int(rest[1])
		switch {
		case rest[0] == 1:
			n = 1
		case n < 2 || n > len(rest):
			return options
		case rest[0] == 2 && n == 4:
			binary.BigEndian.PutUint16(rest[2:], min(most, binary.BigEndian.Uint16(rest[2:])))
			return options
		}
		rest = rest[n:]
	}
	return options
}

func TestTheKernelLowersSegmentSizes(t *testing.T) {
	b := newQuestions(t)
	b.entry.Filter, b.entry.Mss, b.entry.Mss6 = 0, 1200, 1180
	number, _ := b.path.tables.write(b.entry, false)
	must(t, b.path.tables.insert(idOf(b.spec.Key), 1, number, &b.spec))
	near4, far4 := netip.MustParseAddr("10.10.1.10"), netip.MustParseAddr("8.0.0.1")
	near6, far6 := netip.MustParseAddr("2001:db8:1::10"), netip.MustParseAddr("2001:db8:86dd::1")
	rapid.Check(t, func(t *rapid.T) {
		options, flags := drawOptions(t), byte(rapid.SampledFrom([]int{2, 2, 0x12, 0x10}).Draw(t, "flags"))
		from, to, most := near4, far4, b.entry.Mss
		if rapid.Bool().Draw(t, "IPv6") {
			from, to, most = near6, far6, b.entry.Mss6
		}
		way := datapath.Direction(rapid.IntRange(1, 2).Draw(t, "way"))
		if way == datapath.Down {
			from, to = to, from
		}
		want := options
		if flags&2 != 0 {
			want = lowered(options, most)
		}
		made, taken, _ := b.see(t, way, tcp(from, to, flags, options))
		if wanted := tcp(from, to, flags, want); !taken || !bytes.HasSuffix(made, wanted) {
			t.Fatalf("%s, options %x: taken %v, made %x, wanted %x", way, options, taken, made, wanted)
		}
		if way == datapath.Down {
			pseudo := append(append([]byte{}, made[26:34]...), 0, 17, made[38], made[39])
			if datapathtest.Checksum(append(pseudo, made[34:]...)) != 0 {
				t.Fatalf("the checksum of the datagram is wrong: %x", made)
			}
		}
	})
}

// A SYN whose header is longer than it is goes the way of whatever is odd.
func TestACutSYNIsLeftToUserSpace(t *testing.T) {
	b := newQuestions(t)
	b.entry.Filter, b.entry.Mss = 0, 1200
	number, _ := b.path.tables.write(b.entry, false)
	must(t, b.path.tables.insert(idOf(b.spec.Key), 1, number, &b.spec))
	near, far := netip.MustParseAddr("10.10.1.10"), netip.MustParseAddr("8.0.0.1")
	for _, words := range []byte{0, 4, 7, 15} {
		syn := tcp(near, far, 2, []byte{2, 4, 5, 180})
		syn[32] = words << 4
		if taken, _ := b.run(t, datapath.Up, syn); taken {
			t.Errorf("a header of %d words in 27 octets is taken", words)
		}
	}
}
