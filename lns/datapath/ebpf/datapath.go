package ebpf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
)

// Config says what is to be carried in the kernel.
type Config struct {
	// Under carries what is not carried in the kernel. Close closes it too.
	Under datapath.DataPath
	// Templates are the virtual templates whose sessions are carried in the kernel; their interfaces must exist. Sessions of
	// others are left to Under.
	Templates []string
	// ByTheStack are those of them whose packets are all to pass the host's stack, whether or not somebody looks there.
	ByTheStack []string
	// Port is the UDP port on which all sockets listen.
	Port uint16
	// Log may be nil.
	Log *slog.Logger
}

// DataPath implements datapath.DataPath.
type DataPath struct {
	under      datapath.DataPath
	log        *slog.Logger
	port       uint16
	templates  map[string]uint32 // their interfaces
	byTheStack map[uint32]bool   // of those
	objects    pathObjects
	collector  *collector // nil: large packets are not made of small ones
	tables     tables
	filters    filters
	epoch      epoch
	paces      bool // under keeps its rates where the programs do
	namespace  uint64
	netlink    *netlink.Handle // in the network namespace of the programs
	changes    *os.File        // tells of those of interfaces
	end        context.CancelFunc
	following  sync.WaitGroup
	links      []link.Link // at the virtual templates
	carried    atomic.Int64
	dropped    map[string]uint64 // by the programs, until they were taken out
	full       sync.Once         // tells that sessions find no room
	unfit      atomic.Int64

	mu        sync.Mutex // guards what follows
	outside   map[uint32]link.Link
	open      map[*session]struct{}
	closed    bool
	broken    bool            // the collector is not used
	unwatched bool            // changes of interfaces are not noticed any more
	refused   map[uint32]bool // the interfaces of which it was said that the programs cannot be there
	told      map[string]bool // the filters of which it was said that they do not fit
}

// LoadError says why packets cannot be carried in the kernel here. Unwrap gives the kernel's error.
type LoadError struct {
	// Step is what was tried.
	Step string
	Err  error
}

// Error names the step, the cause and the remedy, if one is known.
func (e *LoadError) Error() string {
	text := fmt.Sprintf("data path ebpf: %s: %v", e.Step, e.Err)
	switch {
	case errors.Is(e.Err, unix.EPERM):
		text += " (CAP_BPF, CAP_NET_ADMIN or CAP_PERFMON is missing: run as root, or give the service these)"
	case errors.Is(e.Err, ebpf.ErrNotSupported):
		text += " (it needs Linux 6.6 or later with BPF, BTF and TCX)"
	}
	return text
}

// Unwrap gives the kernel's error.
func (e *LoadError) Unwrap() error { return e.Err }

// New loads the programs and attaches them, in the network namespace of the calling thread. A *LoadError says what the host
// lacks; nothing is left behind then, and Under is not closed.
func New(c Config) (*DataPath, error) {
	d := &DataPath{
		under: c.Under, log: c.Log, port: c.Port,
		templates: make(map[string]uint32), byTheStack: make(map[uint32]bool), outside: make(map[uint32]link.Link), open: make(map[*session]struct{}), epoch: newEpoch(),
		refused: make(map[uint32]bool), told: make(map[string]bool),
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if under, ok := c.Under.(datapath.SharesRates); ok {
		d.paces = true
		d.epoch.rates = d.epoch.nanoseconds(under.RateEpoch())
	}
	var err error
	if d.netlink, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, &LoadError{Step: "speak to the kernel about interfaces", Err: err}
	}
	if err := d.load(); err != nil {
		d.netlink.Close()
		return nil, err
	}
	if d.collector, err = newCollector(d.netlink); err != nil {
		d.log.Warn("packets of TCP from peers are routed one by one, which costs speed", "cause", err)
	}
	if err := d.attach(c.Templates, c.ByTheStack); err != nil {
		return nil, errors.Join(err, d.unload())
	}
	if err := d.follow(); err != nil {
		return nil, errors.Join(&LoadError{Step: "watch the network interfaces", Err: err}, d.unload())
	}
	d.Look()
	var ctx context.Context
	ctx, d.end = context.WithCancel(context.Background())
	d.following.Go(func() { d.keepNeighbours(ctx) })
	return d, nil
}

// Probe says whether the programs can be loaded here: nil, or a *LoadError.
func Probe() error {
	var d DataPath
	if err := d.load(); err != nil {
		return err
	}
	return d.unload()
}

func (d *DataPath) load() (err error) {
	failed := func(step string, err error) error { return &LoadError{Step: step, Err: err} }
	if d.namespace, err = namespace(); err != nil {
		return failed("ask for the network namespace", err)
	}
	spec, err := loadPath()
	if err != nil {
		return failed("read the programs", err)
	}
	if err := spec.Variables[pathVarPort].Set(networkOrder(d.port)); err != nil {
		return failed("set the port", err)
	}
	if err := spec.Variables[pathVarRateEpoch].Set(d.epoch.rates); err != nil {
		return failed("set the time", err)
	}
	if err := spec.LoadAndAssign(&d.objects, nil); err != nil {
		return failed("load the programs", err)
	}
	if d.tables, err = newTables(&d.objects); err != nil {
		return errors.Join(failed("map the counters", err), d.objects.Close())
	}
	d.filters = filters{
		most: d.objects.Filters.MaxEntries(), held: make(map[pathFilter]*heldFilter),
		put: func(number uint32, c pathFilter) error { return d.objects.Filters.Put(number, c) },
	}
	return nil
}

// attach puts the program for the way down at the virtual templates.
func (d *DataPath) attach(names, byTheStack []string) error {
	if d.collector != nil {
		if err := d.collector.serve(d.objects.Collected); err != nil {
			return &LoadError{Step: "attach to the collector", Err: err}
		}
		d.broken = true // until it has been seen to run
	}
	for _, name := range names {
		i, err := net.InterfaceByName(name)
		if err != nil {
			return &LoadError{Step: "find virtual template " + name, Err: err}
		}
		l, err := link.AttachTCX(link.TCXOptions{Interface: i.Index, Program: d.objects.Down, Attach: ebpf.AttachTCXEgress})
		if err != nil {
			return &LoadError{Step: "attach to virtual template " + name, Err: err}
		}
		d.links = append(d.links, l)
		d.templates[name] = uint32(i.Index)
		d.byTheStack[uint32(i.Index)] = slices.Contains(byTheStack, name)
	}
	return d.goStraight()
}

// goStraight has packets go past the host's stack where nobody can tell. Those of more templates than the programs can keep in mind
// pass it always.
func (d *DataPath) goStraight() error {
	var all [mostTemplates]uint32
	n := 0
	for _, index := range d.templates {
		if n < len(all) && !d.byTheStack[index] {
			all[n] = index
			n++
		}
	}
	if err := d.objects.pathVariables.Templates.Set(all); err != nil {
		return &LoadError{Step: "say where the virtual templates are", Err: err}
	}
	return nil
}

// mostTemplates is how many the programs know, as in tables.h.
const mostTemplates = 8

// unload takes everything out of the kernel.
func (d *DataPath) unload() error {
	if d.end != nil {
		d.end()
	}
	faults := []error{d.ignore()}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dropped = d.drops()
	for _, l := range d.outside {
		faults = append(faults, l.Close())
	}
	for _, l := range d.links {
		faults = append(faults, l.Close())
	}
	faults = append(faults, d.collector.close())
	d.outside, d.links, d.closed = nil, nil, true
	if d.netlink != nil {
		d.netlink.Close()
	}
	return errors.Join(append(faults, d.tables.close(), d.objects.Close())...)
}

// Add implements datapath.DataPath. Its errors are those of the path beneath.
func (d *DataPath) Add(spec datapath.Spec) (datapath.Session, error) {
	template, ours := d.templates[spec.Interface]
	if !ours {
		return d.under.Add(spec)
	}
	place, ok := d.tables.take()
	if !ok {
		d.full.Do(func() {
			d.log.Warn("no more sessions find room in the kernel; user space carries the others",
				"sessions", d.tables.places.most)
		})
		return d.under.Add(spec)
	}
	spec.Paid = d.tables.paid(place)
	under, err := d.under.Add(spec)
	if err != nil {
		d.tables.give(place)
		return nil, err
	}
	return d.carry(under, spec, template, place), nil
}

// Ingress implements datapath.DataPath: it takes what user space receives.
func (d *DataPath) Ingress() datapath.Ingress { return d.under.Ingress() }

// Capabilities implements datapath.DataPath.
func (d *DataPath) Capabilities() datapath.Capabilities {
	c := d.under.Capabilities()
	c.Name = "ebpf"
	return c
}

// Drops implements datapath.DataPath.
func (d *DataPath) Drops() map[string]uint64 {
	all := d.under.Drops()
	d.mu.Lock()
	defer d.mu.Unlock()
	dropped := d.dropped
	if !d.closed {
		dropped = d.drops()
	}
	for reason, n := range dropped {
		all[reason] += n
	}
	return all
}

// drops are those of the programs, and of the collector, whose packets the counters of their sessions have. The lock is held.
func (d *DataPath) drops() map[string]uint64 {
	all := d.tables.drops()
	if n := d.collector.dropped(); n > 0 {
		all[datapath.InterfaceWrite.String()] += n
	}
	return all
}

// Templates is how many virtual templates have the programs.
func (d *DataPath) Templates() int { return len(d.templates) }

// Carried is how many sessions are carried in the kernel now, in one direction at least.
func (d *DataPath) Carried() int { return int(d.carried.Load()) }

// Unfit is how many sessions are carried by user space because their filters do not fit into the kernel: they have too many
// rules, or there are too many filters.
func (d *DataPath) Unfit() int { return int(d.unfit.Load()) }

// mostTold is how many filters the log may name.
const mostTold = 100

// countUnfit notes that the filter of a session does not fit, or not any more.
func (d *DataPath) countUnfit(f *datapath.Filter, unfit bool) {
	if !unfit {
		d.unfit.Add(-1)
		return
	}
	d.unfit.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told[f.Name()] || len(d.told) == mostTold {
		return
	}
	d.told[f.Name()] = true
	d.log.Warn("a filter does not fit into the kernel; user space carries the sessions that have it",
		"filter", f.Name(), "rules", len(f.Rules()), "most", mostRules, "filters", d.filters.most-1)
}

// Close implements datapath.DataPath.
func (d *DataPath) Close() error {
	err := d.under.Close() // nothing is added any more
	d.mu.Lock()
	d.closed, d.dropped = true, d.drops()
	open := d.open
	d.open = nil
	d.mu.Unlock()
	for s := range open {
		s.Close()
	}
	return errors.Join(err, d.unload())
}

var _ datapath.DataPath = (*DataPath)(nil)
