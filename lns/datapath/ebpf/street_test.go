package ebpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/test/netns"
)

// street is a rig where nobody listens, with a host behind the server.
//
//	session 10.10.1.10 (198.51.100.0/24) --- wan --- host far 10.97.0.1 --- far 10.97.0.2
type street struct {
	*rig
	far           *netns.Namespace
	end           int // a socket there
	endIndex      int
	near, farther net.HardwareAddr // of the host, and of the one behind it
	session       datapath.Session
	id            uint16
}

func newStreet(t *testing.T, change func(*datapath.Spec)) *street {
	t.Helper()
	return streetOf(t, newRig(t, nil), change)
}

func streetOf(t *testing.T, r *rig, change func(*datapath.Spec)) *street {
	t.Helper()
	unix.Close(r.capture)
	r.capture = -1
	s := &street{rig: r, far: netns.NewTest(t)}
	must(t, netns.Veth(r.host, "far", s.far, "far"))
	must(t, r.host.Address("far", "10.97.0.1/24"))
	must(t, netns.WireLike(r.host, "wan"))
	must(t, netns.WireLike(r.host, "far"))
	must(t, r.host.Do(func() error {
		i, err := net.InterfaceByName("far")
		s.near = i.HardwareAddr
		r.path.Look()
		return err
	}))
	must(t, s.far.Do(func() (err error) {
		if s.end, err = packetSocket("far", unix.SOCK_RAW); err != nil {
			return err
		}
		i, err := net.InterfaceByName("far")
		s.endIndex, s.farther = i.Index, i.HardwareAddr
		return err
	}))
	t.Cleanup(func() { unix.Close(s.end) })
	ip(t, r.host, "neigh", "replace", "10.97.0.2", "lladdr", s.farther.String(), "dev", "far")
	spec := datapathtest.Spec("vt1")
	if change != nil {
		change(&spec)
	}
	var err error
	s.session, err = r.path.Add(spec)
	must(t, err)
	return s
}

// forwarded is how many packets the host's stack has forwarded.
func (s *street) forwarded() (n uint64) {
	s.t.Helper()
	var text []byte
	must(s.t, s.host.Do(func() (err error) { text, err = os.ReadFile("/proc/thread-self/net/snmp"); return err }))
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] != "Ip:" {
			continue
		}
		if at := slices.Index(names, "ForwDatagrams"); at > 0 {
			_, err := fmt.Sscan(fields[at], &n)
			must(s.t, err)
			return n
		}
		names = fields
	}
	s.t.Fatal("nothing is counted")
	return 0
}

// packet is the next one, unlike those before. Whoever sees it can tell it by its id.
func (s *street) packet(way datapath.Direction) []byte {
	s.id++
	p := datapathtest.Packet{Source: "10.10.1.10", Destination: "10.97.0.2", Payload: 40, ID: s.id}
	if way == datapath.Down {
		p.Source, p.Destination = p.Destination, p.Source
	}
	return p.Bytes()
}

// enter has a packet come in, up in a datagram and down from the far host.
func (s *street) enter(way datapath.Direction, packet []byte) {
	s.t.Helper()
	if way == datapath.Up {
		s.send(frame(s.gateway, datapathtest.Spec("vt1").Path, append([]byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, packet...)))
		return
	}
	b := slices.Concat(s.near, []byte{2, 0, 0, 0, 0, 8, 8, 0}, packet)
	must(s.t, unix.Sendto(s.end, b, 0, &unix.SockaddrLinklayer{Ifindex: s.endIndex, Halen: 6}))
}

// leaves waits for the packet to come out, as it is then, in the frame that it is in.
func (s *street) leaves(way datapath.Direction, id uint16) (packet, frame []byte) {
	s.t.Helper()
	for {
		if way == datapath.Up {
			b := s.next(s.end, func(b []byte) bool { return len(b) >= 34 && b[12] == 8 && b[13] == 0 && b[14] == 0x45 })
			packet, frame = b[14:], b
		} else {
			_, b := s.Sent()
			packet, frame = b[len(b)-int(binary.BigEndian.Uint16(b[2:]))+12:], b
		}
		if binary.BigEndian.Uint16(packet[4:]) == id {
			return packet, frame
		}
	}
}

// crosses has a packet cross the host, and says whether it went straight.
func (s *street) crosses(way datapath.Direction) (straight bool) {
	s.t.Helper()
	before := s.forwarded()
	packet := s.packet(way)
	s.enter(way, packet)
	got, _ := s.leaves(way, s.id)
	want := bytes.Clone(packet)
	want[8]--
	want[10], want[11] = 0, 0
	binary.BigEndian.PutUint16(want[10:], datapathtest.Checksum(want[:20]))
	if !bytes.Equal(got, want) {
		s.t.Fatalf("%s: %x has become %x", way, packet, got)
	}
	return s.forwarded() == before
}

var bothWays = []datapath.Direction{datapath.Up, datapath.Down}

// turns waits until packets go straight, or do not any more.
func (s *street) turns(way datapath.Direction, straight bool) {
	s.t.Helper()
	s.await(fmt.Sprintf("%s: packets go straight: still %v", way, !straight), func() bool { return s.crosses(way) == straight })
}

// passing is a program that lets all pass.
func passing(t testing.TB) *ebpf.Program {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, -1), asm.Return()}, License: "MIT",
	})
	must(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

// attached has a program at an interface until it is taken away.
func (s *street) attached(name string, where ebpf.AttachType) (remove func()) {
	var l link.Link
	program := passing(s.t)
	must(s.t, s.host.Do(func() error {
		i, err := net.InterfaceByName(name)
		must(s.t, err)
		l, err = link.AttachTCX(link.TCXOptions{Interface: i.Index, Program: program, Attach: where})
		return err
	}))
	return func() { must(s.t, l.Close()) }
}

// listening has a socket take packets of one kind at an interface, or at all.
func (s *street) listening(name string, protocol uint16) (remove func()) {
	fd := -1
	must(s.t, s.host.Do(func() (err error) {
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		index := 0
		if name != "" {
			i, err := net.InterfaceByName(name)
			must(s.t, err)
			index = i.Index
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(protocol), Ifindex: index})
	}))
	return func() { unix.Close(fd) }
}

// told runs two commands, the second one to take back what the first one does.
func (s *street) told(begin, end string) (remove func()) {
	run := func(command string) {
		s.t.Helper()
		words := strings.Fields(command)
		_, err := s.host.Run(words[0], words[1:]...)
		must(s.t, err)
	}
	run(begin)
	return func() { run(end) }
}

// whichever waits for a packet, and says which it is.
func (s *street) whichever(way datapath.Direction) uint16 {
	var p []byte
	if way == datapath.Up {
		p = s.next(s.end, func(b []byte) bool { return len(b) >= 34 && b[12] == 8 && b[13] == 0 && b[14] == 0x45 })[14:]
	} else {
		_, b := s.Sent()
		p = b[12:]
	}
	return binary.BigEndian.Uint16(p[4:])
}
