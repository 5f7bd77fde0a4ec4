package inform

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// inform is an IPv4 packet with a DHCPINFORM, as the client puts it on the wire: the options are its own.
func inform(options string) []byte {
	dhcp := make([]byte, 236)
	dhcp[0], dhcp[1], dhcp[2] = 1, 8, 6
	copy(dhcp[4:], []byte{0xde, 0xad, 0xbe, 0xef})
	copy(dhcp[12:], []byte{10, 10, 1, 10})
	o, err := hex.DecodeString(strings.ReplaceAll(options, " ", ""))
	if err != nil {
		panic(err)
	}
	dhcp = append(append(dhcp, 0x63, 0x82, 0x53, 0x63), o...)
	b := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 128, 17, 0, 0, 10, 10, 1, 10, 255, 255, 255, 255, 0, 68, 0, 67, 0, 0, 0, 0}
	b = append(b, dhcp...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[24:], uint16(len(b)-20))
	return b
}

// What the two clients send: Windows, with its class and its list; macOS, with the client id and list of its own code.
var (
	ofWindows = inform("35 01 08  3d 07 08 00 00 00 01 00 00  0c 07 4445534b544f50  3c 08 4d53465420352e30  37 0c 01 03 06 0f 1f 21 2b 2c 2e 2f 79 f9  ff")
	ofApple   = inform("35 01 08  3d 07 08 00 00 00 01 00 00  37 06 06 2c 2b 01 f9 0f  ff")
)

var facts = Facts{
	Server: netip.MustParseAddr("10.10.0.1"), Peer: netip.MustParseAddr("10.10.1.10"),
	Routes: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("192.168.7.0/25")},
	Suffix: "corp.example", DNS: []netip.Addr{netip.MustParseAddr("10.1.1.53")}, Limit: 1400,
}

// optionsOf reads an answer's options, by hand.
func optionsOf(t *testing.T, packet []byte) map[byte][]byte {
	t.Helper()
	if sum(packet[:20], 0) != 0xffff {
		t.Error("the checksum of the IPv4 header is wrong")
	}
	if sum(packet[20:], sum(packet[12:20], 17+uint16(len(packet)-20))) != 0xffff {
		t.Error("the checksum of UDP is wrong")
	}
	if !bytes.Equal(packet[12:24], []byte{10, 10, 0, 1, 10, 10, 1, 10, 0, 67, 0, 68}) {
		t.Errorf("from and to: % x", packet[12:24])
	}
	dhcp := packet[28:]
	if dhcp[0] != 2 || !bytes.Equal(dhcp[4:8], []byte{0xde, 0xad, 0xbe, 0xef}) || !bytes.Equal(dhcp[12:20], []byte{10, 10, 1, 10, 0, 0, 0, 0}) {
		t.Errorf("% x", dhcp[:20])
	}
	all := map[byte][]byte{}
	for b := dhcp[240:]; len(b) > 1 && b[0] != 255; {
		if b[0] == 0 {
			b = b[1:]
			continue
		}
		all[b[0]] = append(all[b[0]], b[2:2+b[1]]...)
		b = b[2+b[1]:]
	}
	return all
}

func TestQ21Q37Answer(t *testing.T) {
	routes := []byte{16, 10, 20, 10, 10, 0, 1, 25, 192, 168, 7, 0, 10, 10, 0, 1}
	for name, request := range map[string][]byte{"Windows": ofWindows, "Apple": ofApple, "no list": inform("35 01 08 ff")} {
		packet, err := Answer(request, facts)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := map[byte][]byte{53: {5}, 54: {10, 10, 0, 1}, 1: {255, 255, 255, 255}, 6: {10, 1, 1, 53}, 15: []byte("corp.example"),
			121: routes, 249: routes}
		got := optionsOf(t, packet)
		for code, value := range want {
			if !bytes.Equal(got[code], value) {
				t.Errorf("%s: option %d is % x, want % x", name, code, got[code], value)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRFC2131Section4_3_5_NoLeaseAndNothingUnasked(t *testing.T) {
	packet, err := Answer(inform("35 01 08 37 01 0f ff"), facts)
	if err != nil {
		t.Fatal(err)
	}
	got := optionsOf(t, packet)
	if _, lease := got[51]; lease || len(got) != 3 || string(got[15]) != "corp.example" {
		t.Errorf("%v", got)
	}
	packet, err = Answer(ofWindows, Facts{Server: facts.Server, Peer: facts.Peer})
	if err != nil || len(optionsOf(t, packet)) != 3 { // type, server, mask
		t.Errorf("%v %v", packet, err)
	}
}

func TestOnlyItsOwnInformIsAnswered(t *testing.T) {
	other := slices.Clone(ofApple)
	other[28+15] = 99 // ciaddr
	reply := slices.Clone(ofApple)
	reply[28] = 2
	for name, b := range map[string][]byte{
		"discover": inform("35 01 01 ff"), "request": inform("35 01 03 ff"), "no type": inform("37 01 06 ff"), "BOOTP": inform("ff"),
		"about another": other, "a reply": reply, "nothing": nil,
	} {
		if _, err := Answer(b, facts); !errors.Is(err, ErrNotInform) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range ofWindows {
		if p, err := Answer(ofWindows[:n], facts); err == nil {
			t.Errorf("cut to %d octets it is answered: % x", n, p)
		}
	}
}

func TestManyRoutesAreCutToWhatFits(t *testing.T) {
	f := facts
	f.Routes = nil
	for i := range 200 {
		f.Routes = append(f.Routes, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 24))
	}
	for _, limit := range []int{0, 576, 800, 1460} {
		f.Limit = limit
		packet, err := Answer(ofWindows, f)
		if err != nil || len(packet) > max(limit, 576) {
			t.Fatalf("%d octets, the peer takes %d: %v", len(packet), limit, err)
		}
		if got := optionsOf(t, packet)[121]; len(got)%8 != 0 || len(got) < 100 || len(got) > 255 {
			t.Errorf("limit %d: %d octets of routes", limit, len(got))
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(ofWindows)
	f.Add(ofApple)
	f.Fuzz(func(t *testing.T, b []byte) {
		if packet, err := Answer(b, facts); err == nil && (len(packet) < 28+240 || len(packet) > 1400) {
			t.Errorf("% x", packet)
		}
	})
}
