package host

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// RouteProtocol marks routes and proxy ARP entries as ours, as `ip route` and `ip neigh` show it. The numbers from 128 up
// are free for routing daemons; 170 is not taken in iproute2's rt_protos. Write "170 lnsgate" into
// /etc/iproute2/rt_protos to see the name instead.
const RouteProtocol = 170

// Alias is the description that devices of virtual templates carry (ip link, "alias").
const Alias = "lnsgate virtual template"

// Config says how a Host works.
type Config struct {
	// StateDir is an existing directory for the journal of changed sysctls. Empty means that none is kept: what a crash
	// leaves in sysctls then stays.
	StateDir string
	// Log may be nil.
	Log *slog.Logger
}

// Host changes the network of this machine, in the network namespace of the thread that called New; all methods that
// read or write sysctls must be called in the same one. It is safe for concurrent use.
type Host struct {
	log     *slog.Logger
	links   *netlink.Handle
	entries *nl.SocketHandle // for what the handle cannot say
	journal *journal

	mu        sync.Mutex // guards what follows, and keeps changes apart from each other
	templates map[string]VirtualTemplate
	behind    map[behind]int // how many peers have added each route
	leading   []string       // the interfaces whose routes of peers Close removes
	undo      []undoStep
	claimed   claim
	closed    bool
}

// undoStep takes back one change.
type undoStep struct {
	what string
	run  func() error
}

// New opens netlink. It changes nothing and needs no privilege.
func New(c Config) (*Host, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	h := &Host{log: c.Log, templates: make(map[string]VirtualTemplate), behind: make(map[behind]int), journal: newJournal(c.StateDir)}
	var err error
	if h.links, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, failure("open netlink", err)
	}
	socket, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		h.links.Close()
		return nil, failure("open netlink", err)
	}
	h.entries = &nl.SocketHandle{Socket: socket}
	return h, nil
}

// Close takes back every change, last first, and tells all that could not be taken back. What is gone already, such as
// the addresses of a device that was removed, is no fault. Closing again does nothing.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	var faults []error
	for _, step := range slices.Backward(h.undo) {
		if err := step.run(); err != nil && !gone(err) {
			faults = append(faults, failure("take back: "+step.what, err))
		}
	}
	h.undo = nil
	h.claimed.release()
	h.links.Close()
	h.entries.Close()
	return errors.Join(faults...)
}

// onClose remembers how to take back a change.
func (h *Host) onClose(what string, run func() error) {
	h.undo = append(h.undo, undoStep{what, run})
}

// Error says what was tried on the host, and which privilege may be missing. Unwrap gives the system's error.
type Error struct {
	Action string
	Err    error
}

func failure(action string, err error) error { return &Error{Action: action, Err: err} }

// Error names the action, the cause and the remedy.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", e.Action, e.Err)
	switch {
	case errors.Is(e.Err, unix.EPERM), errors.Is(e.Err, unix.EACCES):
		text += " (CAP_NET_ADMIN is missing: run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN)"
	case errors.Is(e.Err, unix.EROFS):
		text += " (/proc/sys is read-only here: set the value from outside the container, " +
			"or remove ProtectKernelTunables from the service)"
	}
	return text
}

// Unwrap gives the system's error.
func (e *Error) Unwrap() error { return e.Err }

// ErrNoInterface says that an interface does not exist.
var ErrNoInterface = errors.New("no such interface")

// link finds an interface by name.
func (h *Host) link(name string) (netlink.Link, error) {
	link, err := h.links.LinkByName(name)
	if missing := new(netlink.LinkNotFoundError); errors.As(err, missing) {
		return nil, failure("find interface "+name, ErrNoInterface)
	}
	if err != nil {
		return nil, failure("find interface "+name, err)
	}
	return link, nil
}

// gone says that an error means that there is nothing left to take back.
func gone(err error) bool {
	for _, missing := range []error{unix.ENODEV, unix.ENXIO, unix.ESRCH, unix.ENOENT, unix.EADDRNOTAVAIL, ErrNoInterface} {
		if errors.Is(err, missing) {
			return true
		}
	}
	return false
}
