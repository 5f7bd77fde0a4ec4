package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/lns/l2tp"
	"lnsgate/test/netns"

	"golang.org/x/sys/unix"
)

// capture keeps every Ethernet frame that passes an interface. It is in force when listen returns, and has everything
// that has passed when stop returns, which a program started for it could not promise.
type capture struct {
	t      *testing.T
	fd     int
	mu     sync.Mutex
	frames []frame
	leave  chan struct{}
	left   chan struct{}
	once   sync.Once
}

type frame struct {
	at     time.Time
	octets []byte
}

// listen starts a capture on an interface of a namespace.
func (w *world) listen(n *netns.Namespace, device string) *capture {
	w.t.Helper()
	c := &capture{t: w.t, leave: make(chan struct{}), left: make(chan struct{})}
	must(w.t, n.Do(func() (err error) { c.fd, err = packetSocket(device); return err }))
	go c.read()
	w.t.Cleanup(c.stop)
	return c
}

// packetSocket opens a socket that sees all frames of a device, with a bound on how long a read blocks.
func packetSocket(device string) (fd int, err error) {
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in network byte order
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	if err != nil {
		return -1, err
	}
	link, err := net.InterfaceByName(device)
	if err == nil {
		patience := unix.NsecToTimeval(int64(20 * time.Millisecond))
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}),
		)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("capture on %s: %w", device, err)
	}
	return fd, nil
}

// read goes on until it is told to leave and nothing more waits.
func (c *capture) read() {
	defer close(c.left)
	defer unix.Close(c.fd)
	buffer := make([]byte, 1<<17)
	for {
		n, _, err := unix.Recvfrom(c.fd, buffer, 0)
		if err == nil {
			c.mu.Lock()
			c.frames = append(c.frames, frame{at: time.Now(), octets: append([]byte(nil), buffer[:n]...)})
			c.mu.Unlock()
			continue
		}
		select {
		case <-c.leave:
			return
		default:
		}
	}
}

// stop ends the capture.
func (c *capture) stop() {
	c.once.Do(func() { close(c.leave) })
	<-c.left
}

// all returns what was captured so far.
func (c *capture) all() []frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames[:len(c.frames):len(c.frames)]
}

// datagram is one L2TP message that passed.
type datagram struct {
	sent    bool // by the client; otherwise by the server
	payload []byte
}

// datagrams are the L2TP messages over IPv4, in order.
func (c *capture) datagrams() []datagram {
	var list []datagram
	for _, f := range c.all() {
		b := f.octets
		if len(b) < 14+20+8 || binary.BigEndian.Uint16(b[12:]) != unix.ETH_P_IP || b[14+9] != unix.IPPROTO_UDP {
			continue
		}
		udp := b[14+int(b[14]&15)*4:]
		from, to := binary.BigEndian.Uint16(udp), binary.BigEndian.Uint16(udp[2:])
		if length := int(binary.BigEndian.Uint16(udp[4:])); (from == l2tp.Port || to == l2tp.Port) && length <= len(udp) {
			list = append(list, datagram{sent: from != l2tp.Port, payload: udp[8:length]})
		}
	}
	return list
}

// messages are the types of the control messages of one side, in order, ZLBs left out.
func (c *capture) messages(sent bool) []l2tp.MessageType {
	var types []l2tp.MessageType
	for _, d := range c.datagrams() {
		if d.sent != sent || !l2tp.IsControl(d.payload) {
			continue
		}
		// Message Type is the first AVP and never hidden: 12 octets of header, 6 of the AVP's.
		if _, body, err := l2tp.ParseHeader(d.payload); err == nil && len(body) >= 8 {
			types = append(types, l2tp.MessageType(binary.BigEndian.Uint16(body[6:])))
		}
	}
	return types
}

// pcap ends the capture and writes it as a file.
func (c *capture) pcap(folder string) string {
	c.t.Helper()
	c.stop()
	const ethernet = 1
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, 1<<18) // the longest frame
	b = binary.LittleEndian.AppendUint32(b, ethernet)
	for _, f := range c.frames {
		b = binary.LittleEndian.AppendUint32(b, uint32(f.at.Unix()))
		b = binary.LittleEndian.AppendUint32(b, uint32(f.at.Nanosecond()/1000))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f.octets)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f.octets)))
		b = append(b, f.octets...)
	}
	file, err := os.CreateTemp(folder, "*.pcap")
	must(c.t, err)
	_, err = file.Write(b)
	must(c.t, errors.Join(err, file.Close()))
	return file.Name()
}

// tshark asks tshark about a capture: the lines it prints.
func tshark(t *testing.T, file string, args ...string) []string {
	t.Helper()
	netns.RequireCommand(t, "tshark")
	command := exec.Command("tshark", append([]string{"-n", "-r", filepath.Clean(file)}, args...)...)
	var complaints strings.Builder
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, &complaints)
	}
	if text := strings.TrimSpace(string(output)); text != "" {
		return strings.Split(text, "\n")
	}
	return nil
}
