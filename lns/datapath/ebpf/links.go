package ebpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// networkLink is a network interface as the kernel describes it.
type networkLink struct {
	index uint32
	name  string
	// ethernet says that packets have Ethernet headers there.
	ethernet bool
	// slave says that what comes in there belongs to another interface: a bond, a bridge, a VRF.
	slave bool
	// device says that hardware, real or virtual, is behind it, and not the kernel alone.
	device bool
	// runs says that it is up and that the kernel has noticed that the other end is: before, what is sent there is lost.
	runs bool
	mtu  uint32
	// collects says that it is of a collector, ours or that of another process.
	collects bool
}

const running = unix.IFF_UP | unix.IFF_RUNNING

// links lists the interfaces in the network namespace of the calling thread.
func links() ([]networkLink, error) {
	dump, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_UNSPEC)
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		return nil, err
	}
	var all []networkLink
	for i := range messages {
		m := &messages[i]
		if m.Header.Type != unix.RTM_NEWLINK || len(m.Data) < unix.SizeofIfInfomsg {
			continue
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(m)
		if err != nil {
			return nil, err
		}
		info := (*unix.IfInfomsg)(unsafe.Pointer(&m.Data[0]))
		all = append(all, linkOf(info, attributes))
	}
	return all, nil
}

func linkOf(info *unix.IfInfomsg, attributes []syscall.NetlinkRouteAttr) networkLink {
	l := networkLink{index: uint32(info.Index), ethernet: info.Type == unix.ARPHRD_ETHER, runs: info.Flags&running == running}
	for _, a := range attributes {
		switch a.Attr.Type &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER) {
		case unix.IFLA_IFNAME:
			l.name = string(bytes.TrimRight(a.Value, "\x00"))
		case unix.IFLA_MASTER:
			l.slave = len(a.Value) == 4 && binary.NativeEndian.Uint32(a.Value) != 0
		case unix.IFLA_MTU:
			if len(a.Value) == 4 {
				l.mtu = binary.NativeEndian.Uint32(a.Value)
			}
		case unix.IFLA_IFALIAS:
			alias := string(bytes.TrimRight(a.Value, "\x00"))
			l.collects = alias == collectorMark || alias == entranceMark
		case unix.IFLA_PARENT_DEV_NAME:
			l.device = true
		}
	}
	return l
}

// follow looks at the interfaces whenever one of them changes. It is called in the network namespace that is meant.
func (d *DataPath) follow() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	space, err := os.Open(ownNamespace)
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	d.changes = os.NewFile(uintptr(fd), "changes of interfaces")
	d.following.Go(func() {
		defer space.Close()
		if err := d.heed(space); err != nil {
			d.log.Warn("interfaces that appear from now on are not noticed; user space carries what comes in there", "cause", err)
			d.unwatch()
		}
	})
	return nil
}

// heed runs on a thread in a namespace, until nothing more is to be said of changes.
func (d *DataPath) heed(space *os.File) error {
	runtime.LockOSThread() // and if it enters another namespace, the thread ends with the goroutine
	here, err := namespace()
	if err != nil || here != d.namespace {
		if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
	} else {
		defer runtime.UnlockOSThread()
	}
	for b := make([]byte, 1<<16); ; {
		_, err := d.changes.Read(b)
		for err == nil || errors.Is(err, unix.ENOBUFS) { // all that is there, or was lost, is worth one look
			if err = d.changes.SetReadDeadline(time.Now()); err == nil {
				_, err = d.changes.Read(b)
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			if errors.Is(err, os.ErrClosed) {
				return nil
			}
			return err
		}
		d.Look()
		if err := d.changes.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, os.ErrClosed) {
			return err
		}
	}
}

// ignore ends follow.
func (d *DataPath) ignore() error {
	if d.changes == nil {
		return nil
	}
	err := d.changes.Close()
	d.following.Wait()
	return err
}

const ownNamespace = "/proc/thread-self/ns/net"

// namespace names the network namespace of the calling thread.
func namespace() (uint64, error) {
	var s unix.Stat_t
	err := unix.Stat(ownNamespace, &s)
	return s.Ino, err
}
