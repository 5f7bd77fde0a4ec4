package frames

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"

	"lnsgate/test/netns"

	"go.uber.org/goleak"
)

// sourceOfObjects is the hash of the C file from which the committed objects were made. After a change run go generate, and
// write the hash that the test tells.
const sourceOfObjects = "1efef4e9d938f6d6619c834df52a32677c91b230b11f925eb245a526db0b28e9"

func TestTheObjectsAreMadeFromTheSource(t *testing.T) {
	source, err := os.ReadFile("frames.c")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(source)); got != sourceOfObjects {
		t.Fatalf("the source has changed to %s: run go generate and write that here", got)
	}
}

func TestFramesThatArriveAreCounted(t *testing.T) {
	onLoopback(t, func(loopback *net.Interface, c *Counter) error {
		m, err := NewMaker([][]byte{frame(5001, nil), frame(5002, nil), frame(5001, nil)}, 42)
		if err != nil {
			return err
		}
		m.At(loopback)
		made, err := m.Make(300)
		if err != nil {
			return err
		}
		if taken, err := c.Taken(); made != 300 || taken != 200 || err != nil {
			t.Errorf("%d were made, %d counted: %v; want 300, 200 of them to the port", made, taken, err)
		}
		<-c.Arrived
		return m.Close()
	})
}

func TestUserPacketsInL2TPAreCounted(t *testing.T) {
	onLoopback(t, func(loopback *net.Interface, c *Counter) error {
		for _, l2tp := range [][]byte{
			{0x40, 2, 0, 12, 0, 1, 0, 1, 0xff, 3, 0, 0x21},
			{0, 2, 0, 1, 0, 1, 0xff, 3, 0, 0x21, 0x45, 0},
			{0x40, 2, 0, 12, 0, 1, 0, 1, 0xff, 3, 0xc0, 0x21}, // LCP
			{0xc8, 2, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0},          // a control message
		} {
			m, err := NewMaker([][]byte{frame(40000, l2tp)}, 42)
			if err != nil {
				return err
			}
			m.At(loopback)
			if _, err := m.Make(1); err != nil {
				return err
			}
			if err := m.Close(); err != nil {
				return err
			}
		}
		if taken, err := c.Taken(); taken != 2 || err != nil {
			t.Errorf("%d were counted: %v; want 2", taken, err)
		}
		return nil
	})
}

func TestFramesThatCannotBeMadeAreRefused(t *testing.T) {
	for _, m := range []struct {
		frames [][]byte
		varied int
	}{{nil, 42}, {[][]byte{frame(1, nil)}, MostVaried + 1}, {[][]byte{make([]byte, 40)}, 41}} {
		if _, err := NewMaker(m.frames, m.varied); err == nil {
			t.Errorf("%d frames that differ in %d octets are made", len(m.frames), m.varied)
		}
	}
}

// frame is a datagram from port 1701.
func frame(to uint16, payload []byte) []byte {
	ip := []byte{0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1}
	udp := []byte{1701 >> 8, 1701 & 0xff, byte(to >> 8), byte(to), 0, 20, 0, 0}
	if payload == nil {
		payload = make([]byte, 12)
		payload[0] = 0x80
	}
	return slices.Concat(make([]byte, 12), []byte{8, 0}, ip, udp, payload)
}

// onLoopback counts what comes to a port of a loopback interface of its own.
func onLoopback(t *testing.T, f func(*net.Interface, *Counter) error) {
	t.Helper()
	netns.Require(t)
	defer goleak.VerifyNone(t)
	err := netns.NewTest(t).Do(func() error {
		loopback, err := net.InterfaceByName("lo")
		if err != nil {
			return err
		}
		c, err := NewCounter(loopback, 5001)
		if err != nil {
			return err
		}
		return errors.Join(f(loopback, c), c.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
}
