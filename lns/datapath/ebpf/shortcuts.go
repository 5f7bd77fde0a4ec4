package ebpf

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Where a short cut is, as in tables.h: by id in the first half, by address in the other one.
const (
	shortCutsEach = 1 << 17
	spread        = 0x9e3779b1
)

// shortCuts lead to the places of sessions, like the hashes do. They are memory that is shared with the kernel.
type shortCuts struct {
	memory []byte
	slots  []uint64
}

func newShortCuts(m *ebpf.Map) (shortCuts, error) {
	memory, err := unix.Mmap(m.FD(), 0, 2*shortCutsEach*8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return shortCuts{}, err
	}
	return shortCuts{memory, unsafe.Slice((*uint64)(unsafe.Pointer(&memory[0])), 2*shortCutsEach)}, nil
}

func (c shortCuts) close() error {
	if c.memory == nil {
		return nil
	}
	return unix.Munmap(c.memory)
}

// lead has the short cuts of a session lead to a place, even if they have led to another session's.
func (c shortCuts) lead(id, template uint32, address netip.Addr, number uint32) {
	for _, slot := range slotsOf(id, template, address) {
		atomic.StoreUint64(&c.slots[slot], uint64(number)+1)
	}
}

// end has those that lead to a place lead nowhere.
func (c shortCuts) end(id, template uint32, address netip.Addr, number uint32) {
	for _, slot := range slotsOf(id, template, address) {
		atomic.CompareAndSwapUint64(&c.slots[slot], uint64(number)+1, 0)
	}
}

// slotsOf are those of a session with an id and perhaps an address.
func slotsOf(id, template uint32, address netip.Addr) []uint32 {
	key := binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, id))
	slots := []uint32{(key + key>>16*spread) % shortCutsEach}
	if address.Is4() {
		b := address.As4()
		slots = append(slots, shortCutsEach|(binary.BigEndian.Uint32(b[:])+template*spread)%shortCutsEach)
	}
	return slots
}
