package tun

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// devicePath is where the kernel offers TUN devices.
const devicePath = "/dev/net/tun"

// OpenError says why a virtual template's device could not be made, and what to do about it. Unwrap gives the error of
// the system call.
type OpenError struct {
	// Interface is the device that was to be made.
	Interface string
	// Step is what was tried.
	Step string
	Err  error
}

// Error names the interface, the step, the cause, and the remedy if one is known.
func (e *OpenError) Error() string {
	text := fmt.Sprintf("virtual template %s: %s: %v", e.Interface, e.Step, e.Err)
	if remedy := e.remedy(); remedy != "" {
		text += " (" + remedy + ")"
	}
	return text
}

// Unwrap gives the error of the system call.
func (e *OpenError) Unwrap() error { return e.Err }

func (e *OpenError) remedy() string {
	opening := e.Step == stepOpen
	switch {
	case opening && (errors.Is(e.Err, unix.ENOENT) || errors.Is(e.Err, unix.ENODEV) || errors.Is(e.Err, unix.ENXIO)):
		return "this kernel or container has no TUN devices: run `modprobe tun`, or give the container " + devicePath
	case opening && (errors.Is(e.Err, unix.EACCES) || errors.Is(e.Err, unix.EPERM)):
		return "the process may not open it: check its mode and the container's device rules"
	case errors.Is(e.Err, unix.EPERM):
		return "CAP_NET_ADMIN is missing: run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN"
	case errors.Is(e.Err, unix.EBUSY) || errors.Is(e.Err, unix.EINVAL) && e.Step == stepCreate:
		return "an interface of that name exists: another lnsgate may be running, or the name belongs to something else"
	}
	return ""
}

const (
	stepName   = "check the name"
	stepOpen   = "open " + devicePath
	stepCreate = "create the device"
	stepMTU    = "set the MTU"
	stepAdopt  = "set up reading and writing"
)

// openNative makes a TUN device in the network namespace of the calling thread. It fails when an interface of that name
// exists, so that two processes never share one.
func openNative(c Config) (*nativeDevice, error) {
	failed := func(step string, err error) error { return &OpenError{Interface: c.Interface, Step: step, Err: err} }
	if err := checkName(c.Interface); err != nil {
		return nil, failed(stepName, err)
	}
	descriptors, got, step, err := openBest(c)
	if err != nil {
		return nil, failed(step, err)
	}
	if err := setMTU(c.Interface, c.MTU); err != nil {
		closeAll(descriptors)
		return nil, failed(stepMTU, err)
	}
	dev, err := newNativeDevice(descriptors, c.Offload, got.threads)
	if err != nil {
		return nil, failed(stepAdopt, err)
	}
	dev.lacking = got.lacking(c)
	return dev, nil
}

// fast is what makes a device fast, as far as this host has it.
type fast struct{ threads, steering bool }

// lacking is what was asked for and is not there.
func (f fast) lacking(c Config) Lacking {
	var l Lacking
	if c.Threads && !f.threads {
		l.Threads = 1
	}
	if c.Queues > 1 && !f.steering {
		l.Steering = 1
	}
	return l
}

// openBest opens the queues with what makes them fast. step tells what failed.
func openBest(c Config) (descriptors []int, got fast, step string, err error) {
	if c.Threads {
		if descriptors, err = openThreaded(c); err != nil {
			c.Log.Info("virtual template: packets from peers get no threads of the kernel, the readers carry them through the "+
				"stack themselves", "interface", c.Interface, "cause", err)
		}
		got.threads = err == nil
	}
	if !got.threads {
		if descriptors, step, err = openQueues(c, 0); err != nil {
			return nil, fast{}, step, err
		}
	}
	if c.Queues > 1 {
		err := steer(descriptors[0])
		if got.steering = err == nil; !got.steering {
			c.Log.Info("virtual template: this host takes no BPF program to choose queues, so it remembers flows itself",
				"interface", c.Interface, "cause", err)
		}
	}
	return descriptors, got, "", nil
}

// openThreaded opens the queues with threads of the kernel behind them.
func openThreaded(c Config) ([]int, error) {
	descriptors, _, err := openQueues(c, unix.IFF_NAPI)
	if err != nil {
		return nil, err
	}
	if err := useThreads(c.Interface, descriptors); err != nil {
		closeAll(descriptors)
		return nil, err
	}
	return descriptors, nil
}

// openQueues opens one descriptor per queue. step tells what failed.
func openQueues(c Config, more uint16) (descriptors []int, step string, err error) {
	flags := unix.IFF_TUN | unix.IFF_NO_PI | more
	if c.Offload {
		flags |= unix.IFF_VNET_HDR
	}
	if c.Queues > 1 {
		flags |= unix.IFF_MULTI_QUEUE
	}
	exclusive := uint16(unix.IFF_TUN_EXCL)
	for range c.Queues {
		fd, step, err := openQueue(c.Interface, flags|exclusive)
		if err != nil {
			closeAll(descriptors)
			return nil, step, err
		}
		descriptors = append(descriptors, fd)
		exclusive = 0
	}
	return descriptors, "", nil
}

func openQueue(name string, flags uint16) (fd int, step string, err error) {
	fd, err = unix.Open(devicePath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, stepOpen, err
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(flags)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return -1, stepCreate, err
	}
	return fd, "", nil
}

func setMTU(name string, mtu int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	request.SetUint32(uint32(mtu))
	return unix.IoctlIfreq(fd, unix.SIOCSIFMTU, request)
}

func closeAll(descriptors []int) {
	for _, fd := range descriptors {
		unix.Close(fd)
	}
}

// checkName refuses names that the kernel would refuse, cut or complete.
func checkName(name string) error {
	switch {
	case name == "" || len(name) >= unix.IFNAMSIZ:
		return fmt.Errorf("an interface name has 1 to %d characters", unix.IFNAMSIZ-1)
	case name == "." || name == ".." || strings.ContainsAny(name, "/:% \t\r\n\v\f\x00"):
		return errors.New("an interface name has no spaces, slashes, colons or percent signs")
	}
	return nil
}
