package lns_test

import (
	"sync"
	"time"

	"lnsgate/lns/datapath"
)

// carrier is a data path that keeps a record and carries nothing.
type carrier struct {
	mu       sync.Mutex
	sessions map[datapath.Key]*entry
	refuse   error
}

type entry struct {
	carrier  *carrier
	spec     datapath.Spec
	counters datapath.Counters
	ns       uint16
}

func (c *carrier) Add(s datapath.Spec) (datapath.Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return nil, c.refuse
	}
	if c.sessions == nil {
		c.sessions = make(map[datapath.Key]*entry)
	}
	if c.sessions[s.Key] != nil {
		return nil, &datapath.DuplicateError{Key: s.Key, Holder: s.Key}
	}
	e := &entry{carrier: c, spec: s, ns: s.FirstNs}
	c.sessions[s.Key] = e
	return e, nil
}

func (c *carrier) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sessions)
}

// traffic makes every session look as if its peer had sent a packet just now.
func (c *carrier) traffic() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.sessions {
		e.counters.RxPackets++
		e.counters.LastRx = time.Now()
	}
}

func (c *carrier) specs() []datapath.Spec {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []datapath.Spec
	for _, e := range c.sessions {
		all = append(all, e.spec)
	}
	return all
}

func (c *carrier) Ingress() datapath.Ingress           { return c }
func (c *carrier) Receive(datapath.Path, []byte) bool  { return false }
func (c *carrier) Flush()                              {}
func (c *carrier) Capabilities() datapath.Capabilities { return datapath.Capabilities{Name: "record"} }
func (c *carrier) Drops() map[string]uint64            { return nil }
func (c *carrier) Close() error                        { return nil }
func (e *entry) SetPath(p datapath.Path)               {}

func (e *entry) Counters() datapath.Counters {
	e.carrier.mu.Lock()
	defer e.carrier.mu.Unlock()
	return e.counters
}

func (e *entry) NextNs() uint16 {
	e.carrier.mu.Lock()
	defer e.carrier.mu.Unlock()
	e.ns++
	return e.ns - 1
}

func (e *entry) Close() datapath.Counters {
	e.carrier.mu.Lock()
	defer e.carrier.mu.Unlock()
	delete(e.carrier.sessions, e.spec.Key)
	return e.counters
}
