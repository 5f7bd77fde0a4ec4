//go:build !race

package soak

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"lnsgate/aaa"
)

// books keep count of what the server says of sessions and of the network, and hold only what is open.
type books struct {
	mu             sync.Mutex
	open           map[string]uint32 // number of the last record, by session
	entered        map[string]bool
	attached       map[netip.Addr]bool
	routes         map[netip.Prefix]bool
	starts, stops  uint64
	attempts, good uint64
	faults         []string
}

func newBooks() *books {
	return &books{open: map[string]uint32{}, entered: map[string]bool{}, attached: map[netip.Addr]bool{}, routes: map[netip.Prefix]bool{}}
}

func (b *books) write(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *books) fault(format string, args ...any) {
	if len(b.faults) < 10 {
		b.faults = append(b.faults, fmt.Sprintf(format, args...))
	}
}

// Account implements aaa.Accounter: each session has one start, then one stop.
func (b *books) Account(r aaa.Record) {
	b.write(func() {
		last, known := b.open[r.Session]
		if known == (r.Kind == aaa.RecordStart) || r.Sequence <= last {
			b.fault("record %+v after number %d", r, last)
		}
		switch r.Kind {
		case aaa.RecordStart:
			b.starts++
			b.open[r.Session] = r.Sequence
		case aaa.RecordStop:
			b.stops++
			delete(b.open, r.Session)
		}
	})
}

// Log implements aaa.AttemptLog.
func (b *books) Log(a aaa.Attempt) {
	b.write(func() {
		b.attempts++
		if a.OK {
			b.good++
		}
	})
}

// Enter implements aaa.Registry.
func (b *books) Enter(_ context.Context, e aaa.Entry) error {
	b.write(func() { b.entered[e.Session] = true })
	return nil
}

// Leave implements aaa.Registry.
func (b *books) Leave(_ context.Context, session string) error {
	b.write(func() { delete(b.entered, session) })
	return nil
}

// Attach implements lns.Host.
func (b *books) Attach(_ string, a netip.Addr) error {
	b.write(func() {
		if b.attached[a] {
			b.fault("%s is attached twice", a)
		}
		b.attached[a] = true
	})
	return nil
}

// Detach implements lns.Host.
func (b *books) Detach(_ string, a netip.Addr) error {
	b.write(func() { delete(b.attached, a) })
	return nil
}

// AddRoutes implements lns.Router.
func (b *books) AddRoutes(_ string, routes []aaa.Route) error {
	b.write(func() {
		for _, r := range routes {
			b.routes[r.Prefix] = true
		}
	})
	return nil
}

// RemoveRoutes implements lns.Router.
func (b *books) RemoveRoutes(_ string, routes []aaa.Route) error {
	b.write(func() {
		for _, r := range routes {
			delete(b.routes, r.Prefix)
		}
	})
	return nil
}

// held is how much is not given back.
func (b *books) held() (n int) {
	b.write(func() { n = len(b.open) + len(b.entered) + len(b.attached) + len(b.routes) })
	return n
}
