package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Namespace is one network namespace with its loopback interface up. It is safe for concurrent use, except Close.
type Namespace struct {
	name   string
	handle netns.NsHandle
	links  *netlink.Handle
	once   sync.Once
	closed error
}

// New makes a namespace. With a name it appears under /run/netns, where `ip netns exec NAME` finds it; the name must be
// free. Without one it lives as long as this process and nobody else can find it.
func New(name string) (*Namespace, error) {
	n := &Namespace{name: name}
	if err := onOwnThread(func() error { return n.create() }); err != nil {
		return nil, fmt.Errorf("make network namespace %q: %w", name, err)
	}
	var err error
	if n.links, err = netlink.NewHandleAt(n.handle, unix.NETLINK_ROUTE); err != nil {
		return nil, errors.Join(fmt.Errorf("open netlink in network namespace %q: %w", name, err), n.Close())
	}
	if err := n.Up("lo"); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// create runs on a thread of its own that ends afterwards, because that thread is left inside the new namespace.
func (n *Namespace) create() (err error) {
	if n.name == "" {
		n.handle, err = netns.New()
		return err
	}
	n.handle, err = netns.NewNamed(n.name)
	return err
}

// Remove deletes a named namespace that an earlier process left behind. One that does not exist is no error.
func Remove(name string) error {
	err := netns.DeleteNamed(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if errors.Is(err, unix.EINVAL) { // a name without a namespace mounted on it
		return os.Remove("/run/netns/" + name)
	}
	return err
}

// Name is the name given to New.
func (n *Namespace) Name() string { return n.name }

// Close gives the namespace up. The kernel removes it, its interfaces and the other ends of its veth pairs as soon as no
// process is left in it. Closing again does nothing.
func (n *Namespace) Close() error {
	n.once.Do(func() {
		if n.links != nil {
			n.links.Close()
		}
		n.closed = n.handle.Close()
		if n.name != "" {
			n.closed = errors.Join(n.closed, netns.DeleteNamed(n.name))
		}
	})
	return n.closed
}

// Do runs f inside the namespace, on a thread that runs nothing else meanwhile. Sockets and TUN devices opened by f stay
// in the namespace. Goroutines that f starts are not inside it.
func (n *Namespace) Do(f func() error) error {
	return onOwnThread(func() error {
		if err := netns.Set(n.handle); err != nil {
			return fmt.Errorf("enter network namespace %q: %w", n.name, err)
		}
		return f()
	})
}

// Start starts a command inside the namespace. The caller waits for it as usual.
func (n *Namespace) Start(command *exec.Cmd) error {
	return n.Do(command.Start)
}

// Run runs a command inside the namespace and waits for it; an error carries what the command printed.
func (n *Namespace) Run(name string, args ...string) (output []byte, err error) {
	command := exec.Command(name, args...)
	err = n.Do(func() error {
		output, err = command.CombinedOutput()
		return err
	})
	if err != nil {
		return output, fmt.Errorf("%s in network namespace %q: %w: %s", command, n.name, err, output)
	}
	return output, nil
}

// onOwnThread runs f on a goroutine that never gives its thread back: the runtime ends a locked thread together with its
// goroutine, so a thread that changed its namespace is never used for anything else.
func onOwnThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		completed := false
		defer func() {
			if !completed { // f panicked or called runtime.Goexit, as t.FailNow does
				done <- errors.New("the function did not return")
			}
		}()
		err := f()
		completed = true
		done <- err
	}()
	return <-done
}
