package ebpf

import (
	"net"
	"os"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// lookEvery is how often a new session may cause the interfaces to be looked at.
const lookEvery = 5 * time.Second

// leavesSums marks an interface that is given packets whose checksums are to be completed behind it. Such packets, which this host
// or another one on the same machine has made, are sent by user space: with headers that the device does not know it could
// complete them wrongly, and the other end of a veth not at all.
const leavesSums = 0x01

// handsOn marks an interface that may hand large packets on as they are, to another namespace of this host. A peer in user space behind
// it could not cut them up. With a device behind it the kernel cuts them up, unless the device can.
const handsOn = 0x02

// lookAgain looks at the interfaces, unless that was done a moment ago or this thread is in another network namespace.
func (d *DataPath) lookAgain() {
	d.mu.Lock()
	recent := time.Since(d.looked) < lookEvery
	d.mu.Unlock()
	if recent {
		return
	}
	if here, err := namespace(); err == nil && here == d.namespace {
		d.Look()
	}
}

// Look attaches the programs to the Ethernet interfaces that there are now in the network namespace of the calling thread. What
// comes in on others is carried by user space.
func (d *DataPath) Look() {
	interfaces, err := net.Interfaces()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looked = time.Now()
	if err != nil || d.closed {
		return
	}
	here := make(map[uint32]bool, len(interfaces))
	for _, i := range interfaces {
		index := uint32(i.Index)
		if len(i.HardwareAddr) != 6 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		here[index] = true
		if err := d.watch(index, i.Name); err != nil {
			d.log.Warn("packets that come in on an interface are carried by user space", "interface", i.Name, "cause", err)
		}
	}
	for index, l := range d.outside {
		if !here[index] {
			_ = l.Close() // the interface is gone, and the link with it
			_ = d.objects.Outside.Delete(index)
			delete(d.outside, index)
		}
	}
}

// watch attaches to an interface, and notes what it does with checksums, which an administrator can change.
func (d *DataPath) watch(index uint32, name string) error {
	if d.outside[index] == nil {
		l, err := link.AttachTCX(link.TCXOptions{Interface: int(index), Program: d.objects.Up, Attach: ebpf.AttachTCXIngress})
		if err != nil {
			return err
		}
		d.outside[index] = l
	}
	flags := uint32(0)
	if sumsLater(name) {
		flags |= leavesSums
		if !physical(name) {
			flags |= handsOn
		}
	}
	return d.objects.Outside.Put(index, flags)
}

// physical says that an interface is of a device, real or virtual, and not of the kernel alone.
func physical(name string) bool {
	_, err := os.Stat("/sys/class/net/" + name + "/device")
	return err == nil
}

// sumsLater says that an interface takes packets without complete checksums. It says so too when that is not known.
func sumsLater(name string) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	value := struct{ command, data uint32 }{command: unix.ETHTOOL_GTXCSUM}
	var request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	request.data = unsafe.Pointer(&value)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return true
	}
	return value.data != 0
}

// namespace names the network namespace of the calling thread.
func namespace() (uint64, error) {
	var s unix.Stat_t
	err := unix.Stat("/proc/thread-self/ns/net", &s)
	return s.Ino, err
}
