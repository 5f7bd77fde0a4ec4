package ebpf

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/test/netns"
)

// largeTCP is a TCP segment of several, as a network card or another namespace hands it over: behind the header of virtio, to be
// cut into segments with so much payload.
func largeTCP(to net.HardwareAddr, payload, each int) []byte {
	const needsChecksum, tcpv4 = 1, 1
	h := []byte{needsChecksum, tcpv4}
	for _, n := range []int{54, each, 34, 16} { // length of the headers, of the payload, and where the checksum is
		h = binary.NativeEndian.AppendUint16(h, uint16(n))
	}
	b := append(append([]byte{}, to...), 2, 0, 0, 0, 0, 8, 8, 0, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(40+payload))
	b = append(b, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 98, 0, 2, 10, 10, 1, 10)
	binary.BigEndian.PutUint16(b[24:], datapathtest.Checksum(b[14:34]))
	pseudo := append(append([]byte{}, b[26:34]...), 0, 6)
	pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(20+payload))
	b = append(b, 0, 80, 0x90, 0, 0, 0, 0, 1, 0, 0, 0, 1, 5<<4, 0x10, 0xFF, 0xFF)
	b = binary.BigEndian.AppendUint16(b, ^datapathtest.Checksum(pseudo))
	b = append(b, 0, 0)
	for i := range payload {
		b = append(b, byte(i*7+i>>8))
	}
	return append(h, b...)
}

func TestLargeSegmentsCrossTheKernelWhole(t *testing.T) {
	r := newRig(t, nil)
	lan := netns.NewTest(t)
	must(t, netns.Veth(r.host, "lan", lan, "lan"))
	must(t, r.host.Address("lan", "10.98.0.1/24"))
	var to net.HardwareAddr
	must(t, r.host.Do(func() error {
		i, err := net.InterfaceByName("lan")
		to = i.HardwareAddr
		return err
	}))
	must(t, netns.WireLike(r.host, "wan")) // the kernel itself is to cut them up
	must(t, r.host.Do(func() error { r.path.Look(); return nil }))
	s, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	var fd, index int
	must(t, lan.Do(func() (err error) {
		if fd, err = packetSocket("lan", unix.SOCK_RAW); err != nil {
			return err
		}
		i, err := net.InterfaceByName("lan")
		index = i.Index
		return err
	}))
	defer unix.Close(fd)
	must(t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1))
	large := largeTCP(to, 2500, 1000)
	must(t, unix.Sendto(fd, large, 0, &unix.SockaddrLinklayer{Ifindex: index, Halen: 6}))
	var payload []byte
	for i := range 3 {
		_, datagram := r.Sent()
		if !bytes.Equal(datagram[:10], []byte{0, 2, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}) {
			t.Fatalf("segment %d has the headers %x", i, datagram[:min(len(datagram), 30)])
		}
		segment := datagram[10:]
		if n := int(binary.BigEndian.Uint16(segment[2:])); n != len(segment) || !datapathtest.SegmentSound(segment) ||
			datapathtest.Checksum(segment[:20]) != 0 {
			t.Errorf("segment %d is not sound: %x", i, segment[:40])
		}
		if seq := binary.BigEndian.Uint32(segment[24:]); seq != uint32(1+1000*i) {
			t.Errorf("segment %d has the number %d", i, seq)
		}
		payload = append(payload, segment[40:]...)
	}
	if !bytes.Equal(payload, large[10+54:]) {
		t.Error("the segments do not make up what was sent")
	}
	if _, tx := r.ways(); tx != 3 || s.Counters().TxOctets != 2500+3*40 {
		t.Errorf("the kernel has counted %d packets, altogether %+v", tx, s.Counters())
	}
}
