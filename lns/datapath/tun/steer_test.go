package tun

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"lnsgate/test/netns"
)

// openInTest makes a device of its own in a namespace of its own, with addresses and routes for both families.
func openInTest(t *testing.T, c Config) (*nativeDevice, *netns.Namespace) {
	t.Helper()
	netns.RequireTUN(t)
	host := netns.NewTest(t)
	c.Interface, c.MTU, c.Log = "vt1", 1500, testLog(t)
	var dev *nativeDevice
	must(t, host.Do(func() (err error) { dev, err = openNative(c); return err }))
	t.Cleanup(func() { dev.Close() })
	must(t, host.Up("vt1"))
	must(t, host.Address("vt1", "10.10.0.1/32"))
	must(t, host.Address("vt1", "fd00::1/128"))
	must(t, host.RouteLink("10.10.1.0/24", "vt1"))
	must(t, host.RouteLink("fd00:0:0:1::/48", "vt1"))
	return dev, host
}

// Many flows to one subscriber share a queue, and many subscribers all queues.
func TestAQueueIsChosenByTheDestination(t *testing.T) {
	const queues, flows = 4, 8
	var subscribers []netip.AddrPort
	for n := range byte(32) {
		subscribers = append(subscribers, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 10, 1, n + 1}), 1000),
			netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xfd, 7: n + 1, 15: n}), 1000))
	}
	dev, host := openInTest(t, Config{Queues: queues, Offload: true})
	type sighting struct {
		queue       int
		destination netip.Addr
	}
	seen := make(chan sighting, len(subscribers)*flows)
	var readers sync.WaitGroup
	for q := range queues {
		readers.Go(func() {
			slab, packets := newSlab()
			for {
				n, err := dev.Read(q, slab, packets)
				if err != nil {
					return
				}
				for _, at := range packets[:n] {
					p := slab[at.Offset:][:at.Size]
					if !bytes.HasSuffix(p, []byte("to a subscriber")) {
						continue // the kernel's own
					}
					if isIPv6(p) {
						seen <- sighting{q, destination6(p)}
					} else {
						seen <- sighting{q, netip.AddrFrom4([4]byte(p[atDestination:]))}
					}
				}
			}
		})
	}
	must(t, host.Do(func() error { return sendFlows(subscribers, flows) }))
	queueOf, used := make(map[netip.Addr]int), make(map[int]int)
	for range len(subscribers) * flows {
		s := <-seen
		if q, known := queueOf[s.destination]; known && q != s.queue {
			t.Errorf("packets to %s are on queues %d and %d", s.destination, q, s.queue)
		}
		queueOf[s.destination] = s.queue
		used[s.queue]++
	}
	if len(used) != queues || len(queueOf) != len(subscribers) {
		t.Errorf("%d queues are used for %d subscribers: %v", len(used), len(queueOf), used)
	}
	must(t, dev.Close())
	readers.Wait()
}

// sendFlows sends one packet to each address from each of some ports.
func sendFlows(to []netip.AddrPort, flows int) error {
	for range flows {
		for _, a := range to {
			family, address := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(a.Port()), Addr: [4]byte(a.Addr().AsSlice()[:4])})
			if a.Addr().Is6() {
				family, address = unix.AF_INET6, &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
			}
			fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			err = unix.Sendto(fd, []byte("to a subscriber"), 0, address)
			unix.Close(fd)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// A process that may do nothing but networking, in a namespace whose /sys is that of another, does without both.
func TestADeviceIsOpenedWithoutBPFAndWithoutThreads(t *testing.T) {
	netns.RequireTUN(t)
	host := netns.NewTest(t)
	var said bytes.Buffer
	must(t, host.Do(func() error { // on a thread that ends afterwards
		runtime.LockOSThread()
		if err := keepOnly(unix.CAP_NET_ADMIN); err != nil {
			return err
		}
		wanted := Config{
			Interface: "vt1", MTU: 1500, Queues: 2, Offload: true, Threads: true, Log: slog.New(slog.NewTextHandler(&said, nil)),
			Sender: make(recorder),
		}
		undemanding := wanted
		undemanding.Interface, undemanding.Queues, undemanding.Threads = "vt2", 1, false
		path, err := New(wanted, undemanding)
		if err != nil {
			return err
		}
		dev := path.ports["vt1"].device.(*nativeDevice)
		if dev.threads || dev.Queues() != 2 {
			t.Errorf("%d queues, threads %v", dev.Queues(), dev.threads)
		}
		if l := path.Lacking(); l != (Lacking{Threads: 1, Steering: 1}) {
			t.Errorf("counted as %+v", l)
		}
		return path.Close()
	}))
	for _, want := range []string{"no threads of the kernel", "no BPF program"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not said:\n%s", want, &said)
		}
	}
}

// keepOnly gives up all capabilities of this thread but one.
func keepOnly(capability int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{}
	data[0].Effective, data[0].Permitted = 1<<capability, 1<<capability
	return unix.Capset(&header, &data[0])
}

func TestThreadsCarryWhatIsWritten(t *testing.T) {
	dev, host := openInTest(t, Config{Queues: 2, Offload: true, Threads: true})
	if !dev.threads || dev.Lacking() != (Lacking{}) {
		t.Fatalf("threads %v, lacking %+v", dev.threads, dev.Lacking())
	}
	must(t, host.Do(func() error {
		tree, err := ownSysfs()
		if err != nil {
			return err
		}
		defer unix.Close(tree)
		fd, err := unix.Openat(tree, attributeOf("vt1", "threaded"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		var b [8]byte
		n, err := unix.Read(fd, b[:])
		if string(b[:n]) != "1\n" {
			t.Errorf("threaded is %q", b[:n])
		}
		if err := writeAt(tree, attributeOf("vt1", "nonsense"), "1"); !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EACCES) {
			t.Errorf("an attribute that does not exist: %v", err)
		}
		return err
	}))
}
