package tun

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patienceInTests = 10 * time.Second

// memory is a device without a kernel.
type memory struct {
	in     []chan []byte // per queue, what the host sends into the virtual template
	out    chan []byte   // what came out of it
	closed chan struct{}
	once   sync.Once
	refuse error // what Write answers to the first packet of a batch
}

func newMemory(queues int) *memory {
	m := &memory{out: make(chan []byte, 1024), closed: make(chan struct{})}
	for range queues {
		m.in = append(m.in, make(chan []byte, 1024))
	}
	return m
}

func (m *memory) Queues() int      { return len(m.in) }
func (m *memory) BatchSize() int   { return 8 }
func (m *memory) Merges() bool     { return true }
func (m *memory) Refused() uint64  { return 0 }
func (m *memory) Lacking() Lacking { return Lacking{} }

func (m *memory) Read(queue int, slab []byte, packets []extent) (int, error) {
	select {
	case p := <-m.in[queue]:
		n := copy(slab[headroom:len(slab)-headroom], p)
		packets[0] = extent{Offset: headroom, Size: n}
		return 1, nil
	case <-m.closed:
		return 0, os.ErrClosed
	}
}

func (m *memory) Write(_ int, packets [][]byte) error {
	if len(packets) > m.BatchSize() {
		panic("the library would panic here, too")
	}
	for i, p := range packets {
		if m.refuse != nil && i == 0 {
			packets[i] = nil
			continue
		}
		select {
		case m.out <- bytes.Clone(p[writeOffset:]):
		case <-m.closed:
			packets[i] = nil
		}
	}
	return m.refuse
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// sent is what a recorder was given.
type sent struct {
	path     datapath.Path
	datagram []byte
}

// recorder is a Sender that keeps everything.
type recorder chan sent

func (r recorder) Send(p datapath.Path, datagram []byte) error {
	r <- sent{p, bytes.Clone(datagram)}
	return nil
}

func (r recorder) SendBatch(p datapath.Path, datagrams [][]byte) error {
	for _, d := range datagrams {
		r <- sent{p, bytes.Clone(d)}
	}
	return nil
}

// memoryRig is a data path on a device in memory.
type memoryRig struct {
	t      *testing.T
	path   *DataPath
	device *memory
	sender recorder
}

func newMemoryRig(t *testing.T) *memoryRig {
	t.Helper()
	r := &memoryRig{t: t, device: newMemory(1), sender: make(recorder, 1024)}
	var err error
	if r.path, err = New(); err != nil {
		t.Fatal(err)
	}
	r.path.attach(Config{Interface: "vt1", Sender: r.sender, Log: testLog(t)}, r.device)
	t.Cleanup(func() {
		if err := r.path.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *memoryRig) DataPath() datapath.DataPath { return r.path }
func (r *memoryRig) Interface() string           { return "vt1" }
func (r *memoryRig) FromPeers() []byte           { return wait(r.t, r.device.out) }
func (r *memoryRig) ToPeers(packet []byte)       { r.device.in[0] <- packet }

func (r *memoryRig) Sent() (datapath.Path, []byte) {
	s := wait(r.t, r.sender)
	return s.path, s.datagram
}

func wait[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patienceInTests):
		t.Fatal("nothing came")
		panic("not reached")
	}
}

func TestContractInMemory(t *testing.T) {
	datapathtest.Run(t, func(t *testing.T) datapathtest.Rig { return newMemoryRig(t) })
}

func TestIPv6InMemory(t *testing.T) {
	datapathtest.RunIPv6(t, func(t *testing.T) datapathtest.Rig { return newMemoryRig(t) })
}
