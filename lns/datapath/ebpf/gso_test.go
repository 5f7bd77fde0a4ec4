package ebpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/test/netns"
)

// largeTCP is a TCP segment of several, as a network card or another namespace hands it over: behind the header of virtio, to be
// cut into segments with so much payload.
func largeTCP(to net.HardwareAddr, source, destination string, payload, each int) []byte {
	const needsChecksum, tcpv4, tcpv6 = 1, 1, 4
	from, till := netip.MustParseAddr(source), netip.MustParseAddr(destination)
	addresses := append(from.AsSlice(), till.AsSlice()...)
	length := binary.BigEndian.AppendUint16(nil, uint16(20+payload))
	kind, ethernet := byte(tcpv4), []byte{2, 0, 0, 0, 0, 8, 8, 0}
	ip := binary.BigEndian.AppendUint16([]byte{0x45, 0}, uint16(40+payload))
	ip = slices.Concat(ip, []byte{0, 1, 0x40, 0, 64, 6, 0, 0}, addresses)
	if from.Is6() {
		kind, ethernet = tcpv6, []byte{2, 0, 0, 0, 0, 8, 0x86, 0xDD}
		ip = slices.Concat([]byte{0x60, 0, 0, 0}, length, []byte{6, 64}, addresses)
	} else {
		binary.BigEndian.PutUint16(ip[10:], datapathtest.Checksum(ip))
	}
	h := []byte{needsChecksum, kind}
	for _, n := range []int{14 + len(ip) + 20, each, 14 + len(ip), 16} { // length of the headers, of the payload, and where the checksum is
		h = binary.NativeEndian.AppendUint16(h, uint16(n))
	}
	tcp := []byte{0, 80, 0x90, 0, 0, 0, 0, 1, 0, 0, 0, 1, 5 << 4, 0x10, 0xFF, 0xFF}
	pseudo := slices.Concat(addresses, []byte{0, 6}, length)
	tcp = append(binary.BigEndian.AppendUint16(tcp, ^datapathtest.Checksum(pseudo)), 0, 0)
	for i := range payload {
		tcp = append(tcp, byte(i*7+i>>8))
	}
	return slices.Concat(h, to, ethernet, ip, tcp)
}

// lan is a wire to a host behind the server, and a socket at its end that sends frames behind the header of virtio.
func (r *rig) lan() (send func(frame []byte), host net.HardwareAddr) {
	r.t.Helper()
	lan := netns.NewTest(r.t)
	must(r.t, netns.Veth(r.host, "lan", lan, "lan"))
	must(r.t, r.host.Address("lan", "10.98.0.1/24"))
	must(r.t, r.host.Do(func() error {
		i, err := net.InterfaceByName("lan")
		host = i.HardwareAddr
		for _, name := range []string{"lan/disable_ipv6=0", "all/forwarding=1"} {
			name, value, _ := strings.Cut(name, "=")
			err = errors.Join(err, os.WriteFile("/proc/sys/net/ipv6/conf/"+name, []byte(value), 0))
		}
		return err
	}))
	var fd, index int
	must(r.t, lan.Do(func() (err error) {
		if fd, err = packetSocket("lan", unix.SOCK_RAW); err != nil {
			return err
		}
		i, err := net.InterfaceByName("lan")
		index = i.Index
		return err
	}))
	r.t.Cleanup(func() { unix.Close(fd) })
	must(r.t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1))
	return func(frame []byte) {
		r.t.Helper()
		must(r.t, unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: index, Halen: 6}))
	}, host
}

func TestLargeSegmentsCrossTheKernelWhole(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		header         int  // octets of that of IP
		protocol       byte // in PPP
	}{
		{"IPv4", "10.98.0.2", "10.10.1.10", 20, 0x21},
		{"IPv6", "2001:db8:98::2", "2001:db8:1::10", 40, 0x57},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil).speakIPv6()
			send, host := r.lan()
			must(t, netns.WireLike(r.host, "wan")) // the kernel itself is to cut them up
			must(t, r.host.Do(func() error { r.path.Look(); return nil }))
			spec := datapathtest.Spec("vt1")
			spec.IPv6 = []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")}
			s, err := r.path.Add(spec)
			must(t, err)
			large := largeTCP(host, c.from, c.to, 2500, 1000)
			send(large)
			r.expectSegments(large[10+14:], c.header, c.protocol, 1000)
			if _, tx := r.ways(); tx != 3 || s.Counters().TxOctets != 2500+3*uint64(c.header+20) {
				t.Errorf("the kernel has counted %d packets, altogether %+v", tx, s.Counters())
			}
		})
	}
}

// expectSegments waits for the datagrams with what a large packet is cut into.
func (r *rig) expectSegments(large []byte, header int, protocol byte, each int) {
	r.t.Helper()
	headers := header + 20
	var payload []byte
	for i := range (len(large) - headers + each - 1) / each {
		_, datagram := r.Sent()
		if !bytes.Equal(datagram[:10], []byte{0, 2, 0, 5, 0, 6, 0xFF, 3, 0, protocol}) {
			r.t.Fatalf("segment %d has the headers %x", i, datagram[:min(len(datagram), 30)])
		}
		segment := datagram[10:]
		sound := datapathtest.SegmentSound6
		length := int(binary.BigEndian.Uint16(segment[4:])) + 40
		if header == 20 {
			sound, length = datapathtest.SegmentSound, int(binary.BigEndian.Uint16(segment[2:]))
			if datapathtest.Checksum(segment[:20]) != 0 {
				r.t.Errorf("segment %d has a header with a wrong checksum: %x", i, segment[:20])
			}
		}
		if length != len(segment) || !sound(segment) {
			r.t.Errorf("segment %d is not sound: %x", i, segment[:headers])
		}
		if seq := binary.BigEndian.Uint32(segment[header+4:]); seq != uint32(1+each*i) {
			r.t.Errorf("segment %d has the number %d", i, seq)
		}
		payload = append(payload, segment[headers:]...)
	}
	if !bytes.Equal(payload, large[headers:]) {
		r.t.Error("the segments do not make up what was sent")
	}
}
