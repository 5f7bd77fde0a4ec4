package tun

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A write to a TUN device carries the packet through the whole stack of the host, up to the interface where it leaves,
// before it returns. With threads (threaded NAPI) it only lines the packet up, and a thread of the kernel, one for each
// queue, takes all that is there through the stack at once: which costs less, and runs beside the reader. A device without
// its thread must not line packets up, because then each is a batch of one, and dearer.

// threadQueue is how much may wait for the thread of a queue, in octets of the kernel's memory, of which a small packet takes
// some 1,300.
const threadQueue = 4 << 20

// useThreads gives the queues of a device, opened with IFF_NAPI, their threads.
func useThreads(name string, queues []int) error {
	for _, fd := range queues {
		if err := unix.IoctlSetPointerInt(fd, unix.TUNSETSNDBUF, threadQueue); err != nil {
			return fmt.Errorf("bound the queue: %w", err)
		}
	}
	tree, err := ownSysfs()
	if err != nil { // that needs CAP_SYS_ADMIN
		if tree, err = foundSysfs(name); err != nil {
			return err
		}
	}
	defer unix.Close(tree)
	return writeAt(tree, attributeOf(name, "threaded"), "1")
}

func attributeOf(device, name string) string { return "class/net/" + device + "/" + name }

// ownSysfs mounts the tree of this network namespace where nobody else sees it: what is at /sys may be that of another.
func ownSysfs() (fd int, err error) {
	made, err := unix.Fsopen("sysfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(made)
	if err := unix.FsconfigCreate(made); err != nil {
		return -1, err
	}
	return unix.Fsmount(made, unix.FSMOUNT_CLOEXEC, 0)
}

// foundSysfs is the tree at /sys, if it shows a device of this name and number.
func foundSysfs(name string) (fd int, err error) {
	number, err := numberOf(name)
	if err != nil {
		return -1, err
	}
	const place = "/sys/"
	shown, err := os.ReadFile(place + attributeOf(name, "ifindex"))
	if err != nil {
		return -1, err
	}
	if strings.TrimSpace(string(shown)) != strconv.Itoa(number) {
		return -1, errors.New(place + " is that of another network namespace")
	}
	return unix.Open(place, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// numberOf is the number that the kernel has given to an interface of this network namespace.
func numberOf(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request)
	}
	if err != nil {
		return 0, err
	}
	return int(request.Uint32()), nil
}

func writeAt(tree int, path, value string) error {
	fd, err := unix.Openat(tree, path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(value)); err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}
