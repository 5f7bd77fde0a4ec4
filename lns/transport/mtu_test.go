package transport

import (
	"net/netip"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
)

// inNamespace moves the test's goroutine, and so the sockets it opens, into a network namespace of its own, whose
// loopback has this MTU. The goroutine keeps its thread, which ends with it.
func inNamespace(t *testing.T, mtu uint32) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		if os.Getenv("LNSGATE_TEST_ALL") == "1" {
			t.Fatalf("network namespaces need CAP_SYS_ADMIN: %v", err)
		}
		t.Skipf("network namespaces need CAP_SYS_ADMIN: %v", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	loopback.SetUint32(mtu)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFMTU, loopback); err != nil {
		t.Fatal(err)
	}
	loopback.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, loopback); err != nil {
		t.Fatal(err)
	}
}

// Datagrams larger than the interface's MTU arrive, in fragments, and those that fit still go in runs.
func TestDatagramsLargerThanTheMTU(t *testing.T) {
	for _, listen := range []netip.AddrPort{loopback4, loopback6} {
		t.Run(listen.String(), func(t *testing.T) {
			inNamespace(t, 1500)
			server := newTransport(t, Config{Listen: []netip.AddrPort{listen}, SocketsPerAddress: 1})
			all := running(t, server)
			client := newTransport(t, Config{Listen: []netip.AddrPort{listen}, SocketsPerAddress: 1, GSO: On})
			p := datapath.Path{Remote: server.Addrs()[0]}
			for range 3 {
				for _, size := range []int{1600, 1400} {
					batch := sized(repeated(10, size)...)
					if err := client.SendBatch(p, batch); err != nil {
						t.Fatal(err)
					}
					for i, want := range batch {
						if got := next(t, all); got.text != string(want) {
							t.Fatalf("datagram %d: got %d octets, want %d", i, len(got.text), len(want))
						}
					}
				}
			}
			if stats := client.Stats().Sockets[0]; stats.GSORefused != 1 || stats.TxSegmented != 3 || len(stats.Drops) != 0 {
				t.Errorf("stats: %+v", stats)
			}
		})
	}
}
