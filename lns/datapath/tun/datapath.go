package tun

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/lns/datapath"
)

// Config says what one virtual template needs.
type Config struct {
	// Interface is the name of the TUN device to make.
	Interface string
	// MTU of the device in octets. Zero means 1500.
	MTU int
	// Sender takes the datagrams to the peers.
	Sender datapath.Sender
	// Queues is how many goroutines read from the device, each from a queue of its own. Zero means one. Packets of one
	// flow stay on one queue.
	Queues int
	// Offload lets large TCP and UDP packets cross the device unsegmented.
	Offload bool
	// Threads has threads of the kernel, one per queue, carry what peers send through the host, where it has such.
	Threads bool
	// Log may be nil.
	Log *slog.Logger
}

// DataPath carries the sessions of any number of virtual templates; Spec.Interface chooses among them. It implements
// datapath.DataPath.
type DataPath struct {
	drops drops
	// epoch is what times are counted from: they do not jump when the clock of the host is set.
	epoch  time.Time
	failed chan error
	// sequenced is held while numbered packets are numbered and sent, so that two queues cannot overtake each other.
	sequenced sync.Mutex

	mu       sync.Mutex // guards what follows, and all writing to tables
	sessions table      // by our ids
	ports    map[string]*port
	closed   bool
	readers  int
}

// port is one virtual template: its device and the sessions on it, by address.
type port struct {
	name      string
	device    device
	offload   bool
	sender    datapath.Sender
	log       *slog.Logger
	addresses table
	routes    routeTable
	queues    sync.WaitGroup
	pacer     *pacer
	closing   atomic.Bool
	ended     sync.Once // tells that the device has ended by itself
}

// ErrUnknownInterface says that a spec names a virtual template that has not been opened.
var ErrUnknownInterface = errors.New("no such virtual template")

// New makes the devices of all virtual templates in the network namespace of the calling thread, or none of them. They
// are down and have no address until lns/host sets them up. An *OpenError says what the host lacks.
func New(configs ...Config) (*DataPath, error) {
	d := &DataPath{epoch: time.Now(), failed: make(chan error, 1), ports: make(map[string]*port)}
	for _, c := range configs {
		if err := d.Open(c); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	return d, nil
}

// now is the time since the epoch in nanoseconds.
func (d *DataPath) now() int64 { return int64(time.Since(d.epoch)) }

// Open adds a virtual template. Errors: *OpenError, and one that says that it is open already.
func (d *DataPath) Open(c Config) error {
	if c.Sender == nil {
		return fmt.Errorf("virtual template %s: no sender", c.Interface)
	}
	if c.MTU == 0 {
		c.MTU = datapath.DefaultPeerMRU
	}
	c.Queues = max(c.Queues, 1)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return os.ErrClosed
	}
	if d.ports[c.Interface] != nil {
		return fmt.Errorf("virtual template %s is open already", c.Interface)
	}
	dev, err := openNative(c)
	if err != nil {
		return err
	}
	d.attach(c, dev)
	return nil
}

// attach starts reading a device.
func (d *DataPath) attach(c Config, dev device) *port {
	p := &port{name: c.Interface, device: dev, offload: c.Offload, sender: c.Sender, log: c.Log}
	d.ports[c.Interface] = p
	p.pacer = newPacer(d, p)
	p.pacer.running.Go(p.pacer.run)
	for queue := range dev.Queues() {
		e := newEgress(d, p, queue)
		p.queues.Go(e.run)
	}
	return p
}

// Close implements datapath.DataPath: all devices are gone when it returns, and nothing reads them any more.
func (d *DataPath) Close() error {
	d.mu.Lock()
	d.closed = true
	ports := d.ports
	d.ports = nil
	var open []*session
	d.sessions.each(func(s *session) { open = append(open, s) })
	d.mu.Unlock()
	for _, s := range open {
		s.Close()
	}
	var faults []error
	for _, p := range ports {
		faults = append(faults, p.close())
	}
	return errors.Join(faults...)
}

// close ends everybody who reads or writes the device before it waits for them: what waits in the pacer is lost.
func (p *port) close() error {
	p.closing.Store(true)
	close(p.pacer.stop)
	err := p.device.Close()
	p.pacer.running.Wait()
	p.queues.Wait()
	if err != nil {
		return fmt.Errorf("close virtual template %s: %w", p.name, err)
	}
	return nil
}

// Add implements datapath.DataPath. Besides the errors named there: *datapath.SpecError, ErrUnknownInterface.
func (d *DataPath) Add(spec datapath.Spec) (datapath.Session, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if err := checkFamily(spec); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.ports[spec.Interface]
	if p == nil {
		return nil, fmt.Errorf("session %s: %w: %s", spec.Key, ErrUnknownInterface, spec.Interface)
	}
	if duplicate := d.taken(p, spec); duplicate != nil {
		return nil, duplicate
	}
	s := newSession(d, p, spec)
	if s.source != 0 {
		p.addresses.insert(s.source, s)
	}
	p.routes.insert(s)
	d.sessions.insert(id(s.key.Tunnel, s.key.Session), s)
	return s, nil
}

// forget takes a session out of all tables.
func (d *DataPath) forget(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions.remove(id(s.key.Tunnel, s.key.Session))
	if s.source != 0 {
		s.port.addresses.remove(s.source)
	}
	s.port.routes.remove(s)
}

func checkFamily(spec datapath.Spec) error {
	if spec.Address.IsValid() && !spec.Address.Is4() {
		return fmt.Errorf("session %s: address %s: a single IPv6 address is %w", spec.Key, spec.Address, datapath.ErrNotSupported)
	}
	for _, route := range spec.Routes {
		if !route.Addr().Is4() {
			return fmt.Errorf("session %s: route %s: IPv6 among those of IPv4 is %w", spec.Key, route, datapath.ErrNotSupported)
		}
	}
	return nil
}

// taken finds what of a spec belongs to another session already.
func (d *DataPath) taken(p *port, spec datapath.Spec) error {
	if s := d.sessions.get(id(spec.Key.Tunnel, spec.Key.Session)); s != nil {
		return &datapath.DuplicateError{Key: spec.Key, Holder: s.key}
	}
	if spec.Address.IsValid() {
		s := p.addresses.get(number(spec.Address))
		if s == nil {
			s = p.routes.exactly(netip.PrefixFrom(spec.Address, 32))
		}
		if s != nil {
			return &datapath.DuplicateError{Key: spec.Key, Holder: s.key, Address: spec.Address}
		}
	}
	for _, prefix := range spec.IPv6 {
		if s := p.routes.exactly(prefix); s != nil {
			return &datapath.DuplicateError{Key: spec.Key, Holder: s.key, Prefix: prefix}
		}
	}
	for _, route := range spec.Routes {
		s := p.routes.exactly(route)
		if s == nil && route.IsSingleIP() {
			s = p.addresses.get(number(route.Addr()))
		}
		if s != nil {
			return &datapath.DuplicateError{Key: spec.Key, Holder: s.key, Prefix: route}
		}
	}
	return nil
}

// lookup finds the session that an address belongs to, or nil.
func (p *port) lookup(address uint32) *session {
	if s := p.addresses.get(address); s != nil {
		return s
	}
	return p.routes.lookup(address)
}

// Ingress implements datapath.DataPath.
func (d *DataPath) Ingress() datapath.Ingress {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readers++
	return &ingress{path: d, flow: d.readers - 1}
}

// Capabilities implements datapath.DataPath.
func (d *DataPath) Capabilities() datapath.Capabilities {
	d.mu.Lock()
	defer d.mu.Unlock()
	offload := len(d.ports) > 0
	for _, p := range d.ports {
		offload = offload && p.offload && p.device.Refused() == 0
	}
	return datapath.Capabilities{Name: "tun", IPv6: true, Routes: true, Sequencing: true, ClampMSS: true, Offload: offload}
}

// Failed delivers an error when a device has ended without having been closed; only the first one is kept. The sessions
// on it receive nothing any more, so a server should end, and be started again.
func (d *DataPath) Failed() <-chan error { return d.failed }

// Drops implements datapath.DataPath. The words are those of datapath.Reason.
func (d *DataPath) Drops() map[string]uint64 { return d.drops.byReason() }

// MergeRefused counts how often the kernel has refused merged segments. After the first time on a device, packets are
// written one by one there.
func (d *DataPath) MergeRefused() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var n uint64
	for _, p := range d.ports {
		n += p.device.Refused()
	}
	return n
}

// Lacking counts virtual templates for which this host does not have what would carry packets faster. They carry the same
// packets without it, and the log said why when they were opened.
type Lacking struct {
	// Threads counts those that were to have threads of the kernel.
	Threads int
	// Steering counts those that have several queues and no BPF program to choose among them.
	Steering int
}

// Lacking is what the open virtual templates lack together.
func (d *DataPath) Lacking() (all Lacking) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.ports {
		l := p.device.Lacking()
		all.Threads += l.Threads
		all.Steering += l.Steering
	}
	return all
}

// RateEpoch implements datapath.SharesRates.
func (d *DataPath) RateEpoch() time.Time { return d.epoch }

var _ datapath.SharesRates = (*DataPath)(nil)
