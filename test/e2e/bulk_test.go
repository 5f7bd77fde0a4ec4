package e2e

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"lnsgate/test/netns"

	"golang.org/x/sys/unix"
)

// bulk is how much goes each way. The race detector makes the program many times slower.
func bulk() int64 {
	if raced {
		return 256 << 20
	}
	return 1 << 30
}

func TestGigabyteEachWay(t *testing.T) {
	w := newWorld(t)
	s := w.serve(usual)
	c, up := w.online("l2tpuser", "Admin@123")
	size := bulk()
	before := s.session("l2tpuser")
	t.Run("up", func(t *testing.T) { transfer(t, w.client, w.hq, hqAddress, size) })
	t.Run("down", func(t *testing.T) { transfer(t, w.hq, w.client, up.Address.String(), size) })
	after := s.session("l2tpuser")
	// What is counted are IP packets: the payload, their headers, and the acknowledgements of the other way.
	for way, n := range map[string]uint64{"in": after.RxOctets - before.RxOctets, "out": after.TxOctets - before.TxOctets} {
		if n < uint64(size) || n > uint64(size)*112/100 {
			t.Errorf("%d octets each way count as %d octets %s", size, n, way)
		}
	}
	c.hangUp()
}

// transfer sends random octets over TCP from one namespace to another and compares the SHA-256 sums of both ends.
func transfer(t *testing.T, from, to *netns.Namespace, address string, size int64) {
	t.Helper()
	var listener net.Listener
	must(t, to.Do(func() (err error) { listener, err = net.Listen("tcp", net.JoinHostPort(address, "0")); return err }))
	defer listener.Close()
	type outcome struct {
		sum []byte
		n   int64
		err error
	}
	received := make(chan outcome, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			received <- outcome{err: err}
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(3 * time.Minute))
		hash := sha256.New()
		n, err := io.CopyBuffer(onlyWriter{hash}, onlyReader{conn}, make([]byte, 1<<18))
		received <- outcome{hash.Sum(nil), n, err}
	}()
	var conn *net.TCPConn
	must(t, from.Do(func() error {
		c, err := net.DialTimeout("tcp", listener.Addr().String(), patience)
		if err == nil {
			conn = c.(*net.TCPConn)
		}
		return err
	}))
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Minute))

	start := time.Now()
	hash := sha256.New()
	var seed [32]byte
	source := io.TeeReader(io.LimitReader(rand.NewChaCha8(seed), size), hash)
	_, err := io.CopyBuffer(onlyWriter{conn}, source, make([]byte, 1<<18))
	must(t, errors.Join(err, conn.CloseWrite()))
	got := <-received
	must(t, got.err)
	took := time.Since(start)
	if got.n != size || !bytes.Equal(got.sum, hash.Sum(nil)) {
		t.Errorf("%d octets with sum %x arrived as %d octets with sum %x", size, hash.Sum(nil), got.n, got.sum)
	}
	segments, again := retransmitted(t, conn)
	t.Logf("%d MiB in %s: %.0f Mbit/s, %d of %d segments sent again", size>>20, took.Round(time.Millisecond),
		float64(size)*8/1e6/took.Seconds(), again, segments)
	const burst = 4000 // a window that overflows a queue once, before the sender knows the path
	if again > burst+segments/50 {
		t.Errorf("%d of %d segments were sent again: packets are lost on the way", again, segments)
	}
}

// retransmitted says how many segments a connection has sent, and how many of them again.
func retransmitted(t *testing.T, conn *net.TCPConn) (segments, again uint32) {
	t.Helper()
	raw, err := conn.SyscallConn()
	must(t, err)
	var info *unix.TCPInfo
	var failure error
	must(t, raw.Control(func(fd uintptr) { info, failure = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }))
	must(t, failure)
	return info.Segs_out, info.Total_retrans
}

// onlyWriter and onlyReader hide what io.Copy would take a short cut with.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)

// TCP connections that pass agree on segments that fit the tunnel, whatever the two hosts offer.
func TestSegmentSizeIsClamped(t *testing.T) {
	for _, c := range []struct {
		name, config string
		options      []string
		mss          int
	}{
		{"from the negotiated MRU", usual, nil, 1420},
		{"from a peer's smaller MRU", usual, []string{"--mru", "1400"}, 1360},
		{"as configured", strings.Replace(usual, "mru: 1460", "mru: 1460, tcp_mss: 1200", 1), nil, 1200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.serve(c.config)
			_, up := w.online("l2tpuser", "Admin@123", c.options...)
			// The client's own clamp is the same code; on the wire between the two, only the server's has been at work on
			// what headquarters says, and only the client's on what the client says.
			outside, inside := w.listen(w.client, "wan"), w.listen(w.hq, "eth0")
			transfer(t, w.hq, w.client, up.Address.String(), 100000)
			const syn = "tcp.flags.syn == 1"
			offered := tshark(t, inside.pcap(w.folder), "-Y", syn+" and tcp.flags.ack == 0", "-T", "fields", "-e", "tcp.options.mss_val")
			if want := "1460"; strings.Join(offered, " ") != want {
				t.Fatalf("headquarters offers segments of %v octets, want %s", offered, want)
			}
			file := outside.pcap(w.folder)
			clamped := tshark(t, file, "-Y", syn+" and tcp.flags.ack == 0", "-T", "fields", "-e", "tcp.options.mss_val")
			if want := fmt.Sprint(c.mss); strings.Join(clamped, " ") != want {
				t.Errorf("the client is offered segments of %v octets, want %s", clamped, want)
			}
			answered := tshark(t, inside.pcap(w.folder), "-Y", syn+" and tcp.flags.ack == 1", "-T", "fields", "-e", "tcp.options.mss_val")
			if want := fmt.Sprint(c.mss); strings.Join(answered, " ") != want {
				t.Errorf("headquarters is offered segments of %v octets, want %s", answered, want)
			}
			if bad := tshark(t, file, "-Y", "_ws.malformed"); bad != nil {
				t.Errorf("malformed:\n%s", strings.Join(bad, "\n"))
			}
		})
	}
}
