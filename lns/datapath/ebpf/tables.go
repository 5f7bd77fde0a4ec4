package ebpf

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
)

// tables are the maps.
type tables struct {
	objects *pathObjects
	memory  []byte // the places, shared with the kernel
	short   shortCuts

	mu     *sync.Mutex // guards what follows
	places slots       // one for each session
	spare  slots       // and some more for entries that have changed, behind those
}

// sparePlaces is how many places there are for entries that have changed, as in tables.h.
const sparePlaces = 1 << 14

func newTables(o *pathObjects) (tables, error) {
	all := o.Places.MaxEntries()
	memory, err := unix.Mmap(o.Places.FD(), 0, int(all)*placeSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return tables{}, err
	}
	short, err := newShortCuts(o.ShortCuts)
	if err != nil {
		return tables{}, errors.Join(err, unix.Munmap(memory))
	}
	return tables{
		objects: o, memory: memory, short: short, mu: new(sync.Mutex),
		places: slots{most: all - sparePlaces}, spare: slots{next: all - sparePlaces, most: all},
	}, nil
}

// close gives the memory back. There are no places afterwards, for a session that is just being added.
func (t *tables) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	memory := t.memory
	t.memory = nil
	return errors.Join(t.short.close(), unix.Munmap(memory))
}

// take gives a place whose figures are all zero, or says that there is none.
func (t *tables) take() (place uint32, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.memory == nil {
		return 0, false
	}
	if place, ok = t.places.take(time.Now()); ok {
		*t.at(place) = pathPlace{}
	}
	return place, ok
}

func (t *tables) give(place uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.places.give(place, time.Now())
}

// paid is where the rates of the session with a place are kept.
func (t *tables) paid(place uint32) datapath.Paid {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.memory == nil {
		return datapath.Paid{}
	}
	f := t.at(place)
	return datapath.Paid{
		Up:   datapath.Lane{Paid: &f.Up.Paid, Waiting: &f.Up.Waiting},
		Down: datapath.Lane{Paid: &f.Down.Paid, Waiting: &f.Down.Waiting},
	}
}

// drops is how many packets the programs have dropped, by reason.
func (t *tables) drops() map[string]uint64 {
	all := make(map[string]uint64)
	for reason, word := range map[pathReason]datapath.Reason{
		pathReasonFILTERED: datapath.Filtered, pathReasonRATE_UP: datapath.OverRateUp, pathReasonRATE_DOWN: datapath.OverRateDown,
	} {
		var n uint64
		_ = t.objects.Drops.Lookup(uint32(reason), &n)
		all[word.String()] = n
	}
	return all
}

// write puts an entry where no program looks, and tells where that is: at the session's own place, if that is free.
func (t *tables) write(e pathEntry, free bool) (number uint32, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if number = e.Place; !free {
		if number, ok = t.spare.take(time.Now()); !ok {
			return 0, false
		}
	}
	t.at(number).Entry = e
	return number, true
}

// drop says that the entry of a session is not to be found any more. Its own place goes with the session.
func (t *tables) drop(number, own uint32) {
	if number == own {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spare.give(number, time.Now())
}

// placeSize is how many octets a place has.
const placeSize = int(unsafe.Sizeof(pathPlace{}))

func (t *tables) at(place uint32) *pathPlace {
	return (*pathPlace)(unsafe.Pointer(&t.memory[int(place)*placeSize]))
}

// insert makes a session's packets find an entry. When it fails, remove takes out what is there.
func (t *tables) insert(id, template, number uint32, spec *datapath.Spec) error {
	var faults []error
	if spec.Address.IsValid() {
		faults = append(faults, t.objects.Addresses.Put(pathDestination{Template: template, Address: number4(spec.Address)}, number))
	}
	t.routes(template, spec, func(m *ebpf.Map, r pathRoute) { faults = append(faults, m.Put(r, number)) })
	err := errors.Join(append(faults, t.objects.Sessions.Put(id, number))...)
	t.short.lead(id, template, spec.Address, number)
	return err
}

// remove undoes insert.
func (t *tables) remove(id, template, number uint32, spec *datapath.Spec) {
	t.short.end(id, template, spec.Address, number)
	if spec.Address.IsValid() {
		_ = t.objects.Addresses.Delete(pathDestination{Template: template, Address: number4(spec.Address)})
	}
	t.routes(template, spec, func(m *ebpf.Map, r pathRoute) { _ = m.Delete(r) })
	_ = t.objects.Sessions.Delete(id)
}

func (t *tables) routes(template uint32, spec *datapath.Spec, f func(*ebpf.Map, pathRoute)) {
	for _, p := range spec.Routes {
		f(t.objects.Routes4, routeOf(template, p))
	}
	for _, p := range spec.IPv6 {
		f(t.objects.Routes6, routeOf(template, p))
	}
}

func routeOf(template uint32, p netip.Prefix) pathRoute {
	r := pathRoute{Bits: uint32(32 + p.Bits()), Template: template}
	copy(r.Address[:], p.Addr().AsSlice())
	return r
}

// number4 is an IPv4 address as it lies in memory; 0 for none.
func number4(a netip.Addr) uint32 {
	if !a.Is4() {
		return 0
	}
	b := a.As4()
	return binary.NativeEndian.Uint32(b[:])
}

// networkOrder is a number whose octets in memory are those that travel.
func networkOrder(n uint16) uint16 {
	return binary.NativeEndian.Uint16([]byte{byte(n >> 8), byte(n)})
}

// idOf is a key as the ids lie in a data header.
func idOf(k datapath.Key) uint32 {
	return binary.NativeEndian.Uint32([]byte{byte(k.Tunnel >> 8), byte(k.Tunnel), byte(k.Session >> 8), byte(k.Session)})
}

// epoch ties the kernel's monotonic clock to Go's.
type epoch struct {
	at    time.Time
	mono  int64
	rates uint64 // from when rates count, on the kernel's clock
}

func newEpoch() epoch {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return epoch{at: time.Now(), mono: now.Nano()}
}

// nanoseconds is a time on the kernel's clock.
func (e epoch) nanoseconds(t time.Time) uint64 { return uint64(e.mono - int64(e.at.Sub(t))) }

// time is that of the kernel's nanoseconds; none for 0.
func (e epoch) time(nanoseconds uint64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return e.at.Add(time.Duration(int64(nanoseconds) - e.mono))
}
