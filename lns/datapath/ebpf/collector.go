package ebpf

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// collector is a pair of interfaces: what the programs send into the one comes out of the other, packets of TCP that follow each other
// made one. Nobody else has to do with it, so it has no addresses.
type collector struct {
	netlink *netlink.Handle
	in, out netlink.Link
	link    link.Link // of the program at its end
	lost    uint64    // what it had dropped when it was last asked
}

const (
	// collectorMark is the alias of the end of a collector that works. Without a program there, its process has been killed. One that
	// is killed before it works has no mark, and stays.
	collectorMark = "lnsgate collects TCP here"
	// entranceMark is that of its other end.
	entranceMark = "lnsgate sends TCP here"
	// collectorMTU is that of the largest packet.
	collectorMTU = 65535
	// mostCollectors is how many there can be in a network namespace.
	mostCollectors = 64
)

// newCollector makes the pair, in the network namespace of the calling thread and of the handle, and removes those whose process has
// been killed. The handle must stay open.
func newCollector(h *netlink.Handle) (*collector, error) {
	sweepCollectors(h)
	c := &collector{netlink: h}
	if err := c.addPair(); err != nil {
		return nil, errors.Join(fmt.Errorf("add a pair of interfaces: %w", err), c.close())
	}
	if err := c.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("set up %s: %w", c.in.Attrs().Name, err), c.close())
	}
	return c, nil
}

// addPair adds a pair with names that are free.
func (c *collector) addPair() (err error) {
	for i := range mostCollectors {
		attributes := netlink.NewLinkAttrs()
		attributes.Name, attributes.MTU = collectorName(i, "in"), collectorMTU
		attributes.NumTxQueues, attributes.NumRxQueues = runtime.NumCPU(), runtime.NumCPU()
		pair := &netlink.Veth{
			LinkAttrs: attributes, PeerName: collectorName(i, "out"), PeerMTU: collectorMTU,
			PeerNumTxQueues: uint32(runtime.NumCPU()), PeerNumRxQueues: uint32(runtime.NumCPU()),
		}
		if err = c.netlink.LinkAdd(pair); errors.Is(err, unix.EEXIST) {
			continue
		}
		if err == nil {
			c.in = pair
			c.out, err = c.netlink.LinkByName(pair.PeerName)
		}
		return err
	}
	return err
}

func collectorName(i int, end string) string { return fmt.Sprintf("lnsgate%d%s", i, end) }

// prepare has packets collected at the end of the pair: the kernel does so only for what comes from an end that leaves the cutting of
// large packets to the stack.
func (c *collector) prepare() error {
	var faults []error
	for name, feature := range map[string]struct{ command, value uint32 }{
		c.in.Attrs().Name:  {unix.ETHTOOL_STSO, 0},
		c.out.Attrs().Name: {unix.ETHTOOL_SGRO, 1},
	} {
		_, err := ethtool(name, feature.command, feature.value)
		faults = append(faults, err)
	}
	for _, end := range []netlink.Link{c.in, c.out} {
		err := c.netlink.LinkSetIP6AddrGenMode(end, nl.IN6_ADDR_GEN_MODE_NONE)
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
			err = nil // without IPv6 there is nothing to say
		}
		faults = append(faults, err, c.netlink.LinkSetARPOff(end), c.netlink.LinkSetUp(end))
	}
	return errors.Join(faults...)
}

// serve attaches the program at the end of the pair.
func (c *collector) serve(program *ebpf.Program) (err error) {
	c.link, err = link.AttachTCX(link.TCXOptions{Interface: c.out.Attrs().Index, Program: program, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return err
	}
	return errors.Join(c.netlink.LinkSetAlias(c.in, entranceMark), c.netlink.LinkSetAlias(c.out, collectorMark))
}

// index is the interface that packets are sent into. Zero: there is none.
func (c *collector) index() uint32 {
	if c == nil {
		return 0
	}
	return uint32(c.in.Attrs().Index)
}

// has says whether an interface belongs to it.
func (c *collector) has(index uint32) bool {
	return c != nil && (index == uint32(c.in.Attrs().Index) || index == uint32(c.out.Attrs().Index))
}

// works says whether both ends are among the interfaces, run, and take the largest packet.
func (c *collector) works(all []networkLink) bool {
	ends := 0
	for _, l := range all {
		if c.has(l.index) && l.runs && l.mtu == collectorMTU {
			ends++
		}
	}
	return ends == 2
}

// dropped is how many packets found no room in it. It never falls, whatever becomes of the interfaces.
func (c *collector) dropped() uint64 {
	if c == nil {
		return 0
	}
	l, err := c.netlink.LinkByIndex(c.in.Attrs().Index)
	if err == nil && l.Attrs().Statistics != nil {
		c.lost = max(c.lost, l.Attrs().Statistics.TxDropped)
	}
	return c.lost
}

// lookAtCollector does without the collector while somebody has set its interfaces down, has made them small, or has removed them. The
// lock is held.
func (d *DataPath) lookAtCollector(all []networkLink) {
	if d.collector != nil {
		d.useCollector(!d.unwatched && d.collector.works(all))
	}
}

// unwatch does without the collector from now on: nobody would notice that it does not work any more.
func (d *DataPath) unwatch() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unwatched = true; d.collector != nil && !d.closed {
		d.useCollector(false)
	}
}

// useCollector has the programs send packets of TCP into the collector, or not. The lock is held.
func (d *DataPath) useCollector(use bool) {
	if use != d.broken {
		return
	}
	d.broken = !use
	index, name := d.collector.index(), d.collector.in.Attrs().Name
	if use {
		d.log.Info("packets of TCP are collected", "interface", name)
	} else {
		index = 0
		d.log.Warn("an interface of the data path is down, gone, changed or not watched: packets of TCP from peers are routed one by one, which "+
			"costs speed", "interface", name)
	}
	if err := d.objects.Collector.Set(index); err != nil {
		d.log.Error("the programs cannot be told where to collect packets", "cause", err)
	}
}

// close takes the pair away.
func (c *collector) close() error {
	if c == nil {
		return nil
	}
	var faults []error
	if c.link != nil {
		faults = append(faults, c.link.Close())
	}
	if c.in != nil {
		if err := c.netlink.LinkDel(c.in); !errors.Is(err, unix.ENODEV) { // or somebody was faster
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// sweepCollectors removes what a process that was killed has left.
func sweepCollectors(h *netlink.Handle) {
	all, err := h.LinkList()
	if err != nil {
		return
	}
	for _, l := range all {
		if l.Type() != "veth" || l.Attrs().Alias != collectorMark {
			continue
		}
		r, err := link.QueryPrograms(link.QueryOptions{Target: l.Attrs().Index, Attach: ebpf.AttachTCXIngress})
		if err == nil && len(r.Programs) == 0 {
			_ = h.LinkDel(l) // or it stays, which costs nothing
		}
	}
}
