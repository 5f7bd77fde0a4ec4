package ebpf

import (
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// leavesSums marks an interface that is given packets whose checksums are to be completed behind it. Such packets, which this host
// or another one on the same machine has made, are sent by user space: with headers that the device does not know it could
// complete them wrongly, and the other end of a veth not at all.
const leavesSums = 0x01

// handsOn marks an interface that may hand large packets on as they are, to another namespace of this host. A peer in user space behind
// it could not cut them up. With a device behind it the kernel cuts them up, unless the device can.
const handsOn = 0x02

// noHardware marks an interface that only the kernel is behind.
const noHardware = 0x04

// Look attaches the programs to the Ethernet interfaces that there are now in the network namespace of the calling thread. What
// comes in on others is carried by user space. Those that belong to a bond, a bridge or a VRF are left to that one, which decides
// what is taken: a bond, for example, does not listen to those in reserve.
func (d *DataPath) Look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, err := links() // with the lock, so that the last look is the newest
	if err != nil {
		d.log.Warn("the network interfaces cannot be listed; user space carries what comes in on new ones", "cause", err)
	}
	if err != nil || d.closed {
		return
	}
	d.lookAtCollector(all)
	here := make(map[uint32]bool, len(all))
	for _, l := range all {
		if !l.ethernet || l.slave || l.collects || d.collector.has(l.index) {
			continue
		}
		here[l.index] = true
		if err := d.watch(l); err != nil && !d.refused[l.index] {
			d.refused[l.index] = true
			d.log.Warn("packets that come in on an interface are carried by user space", "interface", l.name, "cause", err)
		}
	}
	for index, l := range d.outside {
		if !here[index] {
			_ = l.Close() // of no use, or gone with the interface
			_ = d.objects.Outside.Delete(index)
			delete(d.outside, index)
		}
	}
}

// watch attaches to an interface, and notes what it does with checksums, which an administrator can change.
func (d *DataPath) watch(n networkLink) error {
	if d.outside[n.index] == nil {
		l, err := link.AttachTCX(link.TCXOptions{Interface: int(n.index), Program: d.objects.Up, Attach: ebpf.AttachTCXIngress})
		if err != nil {
			return err
		}
		d.outside[n.index] = l
	}
	flags := uint32(0)
	if !n.device {
		flags |= noHardware
	}
	if sumsLater(n.name) {
		flags |= leavesSums
		if !n.device {
			flags |= handsOn
		}
	}
	return d.objects.Outside.Put(n.index, flags)
}

// sumsLater says that an interface takes packets without complete checksums. It says so too when that is not known.
func sumsLater(name string) bool {
	value, err := ethtool(name, unix.ETHTOOL_GTXCSUM, 0)
	return err != nil || value != 0
}

// ethtool asks an interface for a feature, or sets it.
func ethtool(name string, command, data uint32) (uint32, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	value := struct{ command, data uint32 }{command, data}
	var request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	request.data = unsafe.Pointer(&value)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return 0, errno
	}
	return value.data, nil
}
