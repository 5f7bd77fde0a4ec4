package tun

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/test/netns"
)

func testLog(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// realRig is a data path on a TUN device of the kernel, in a namespace of its own.
type realRig struct {
	t       *testing.T
	host    *netns.Namespace
	path    *DataPath
	sender  recorder
	capture int // sees what comes out of the device
	inject  int // sends packets with a header of our own
}

func newRealRig(t *testing.T, c Config) *realRig {
	t.Helper()
	netns.RequireTUN(t)
	r := &realRig{t: t, host: netns.NewTest(t), sender: make(recorder, 1<<16)}
	c.Interface, c.Sender = "vt1", r.sender
	if c.Log == nil {
		c.Log = testLog(t)
	}
	must(t, r.host.Do(func() error {
		// Before the device exists, so that the kernel sends nothing of its own into it.
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		var err error
		r.path, err = New(c)
		return err
	}))
	t.Cleanup(func() {
		must(t, r.path.Close())
		if r.host.HasLink("vt1") {
			t.Error("the device is still there after Close")
		}
	})
	must(t, r.host.Up("vt1"))
	must(t, r.host.Address("vt1", "10.10.0.1/32"))
	must(t, r.host.RouteLink("10.10.1.0/24", "vt1"))
	must(t, r.host.RouteLink("10.20.0.0/16", "vt1"))
	must(t, r.host.Do(r.openSockets))
	t.Cleanup(func() { unix.Close(r.capture); unix.Close(r.inject) })
	return r
}

func (r *realRig) openSockets() (err error) {
	const allIPv4 = unix.ETH_P_IP>>8 | unix.ETH_P_IP&0xFF<<8
	if r.capture, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, allIPv4); err != nil {
		return err
	}
	timeout := unix.NsecToTimeval(patienceInTests.Nanoseconds())
	if err = unix.SetsockoptTimeval(r.capture, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return err
	}
	r.inject, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	return err
}

func (r *realRig) DataPath() datapath.DataPath { return r.path }
func (r *realRig) Interface() string           { return "vt1" }

func (r *realRig) FromPeers() []byte {
	r.t.Helper()
	for {
		b := make([]byte, 1<<16)
		n, from, err := unix.Recvfrom(r.capture, b, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		must(r.t, err)
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype != unix.PACKET_OUTGOING {
			return b[:n]
		}
	}
}

func (r *realRig) ToPeers(packet []byte) {
	r.t.Helper()
	to := netip.AddrFrom4([4]byte(packet[16:20]))
	must(r.t, unix.Sendto(r.inject, packet, 0, &unix.SockaddrInet4{Addr: to.As4()}))
}

func (r *realRig) Sent() (datapath.Path, []byte) {
	r.t.Helper()
	s := wait(r.t, r.sender)
	return s.path, s.datagram
}

func TestContractOnTUN(t *testing.T) {
	for name, c := range map[string]Config{
		"plain":               {},
		"offload":             {Offload: true},
		"offload, two queues": {Offload: true, Queues: 2},
	} {
		t.Run(name, func(t *testing.T) {
			datapathtest.Run(t, func(t *testing.T) datapathtest.Rig { return newRealRig(t, c) })
			if !c.Offload { // that would join the packets of the tests
				datapathtest.RunRates(t, func(t *testing.T) datapathtest.Rig { return newRealRig(t, c) })
			}
		})
	}
}
