package frames

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"lnsgate/lns/host/netns"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

// MostVaried is how many octets at the beginning of a frame may differ from those of another one.
const MostVaried = 96

// liveFrames has the kernel do with a frame what the program says (BPF_F_TEST_XDP_LIVE_FRAMES).
const liveFrames = 1 << 1

// Maker makes frames. It is not to be used by more than one goroutine.
type Maker struct {
	all     framesObjects
	kept    link.Link
	aside   *netns.Namespace
	first   []byte
	context receivedAt
}

// receivedAt is struct xdp_md.
type receivedAt struct {
	Data, DataEnd, DataMeta, Interface, Queue, Egress uint32
}

// NewMaker is for frames that differ in their first octets alone, of which there are that many, and that arrive one after
// another, round and round.
func NewMaker(frames [][]byte, varied int) (*Maker, error) {
	words := (varied + 7) / 8
	if len(frames) == 0 || varied > MostVaried || len(frames[0]) < words*8 {
		return nil, fmt.Errorf("%d frames that differ in %d octets: they cannot be made", len(frames), varied)
	}
	spec, err := loadFrames()
	if err != nil {
		return nil, err
	}
	spec.Maps["heads"].MaxEntries = uint32(len(frames))
	err = errors.Join(spec.Variables["heads_used"].Set(uint32(len(frames))), spec.Variables["words_used"].Set(uint32(words)))
	if err != nil {
		return nil, err
	}
	m := &Maker{first: frames[0]}
	if err := spec.LoadAndAssign(&m.all, nil); err != nil {
		return nil, fmt.Errorf("load what makes frames: %w", err)
	}
	if err := m.keep(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	for i, frame := range frames {
		head := make([]byte, MostVaried)
		copy(head, frame)
		if err := m.all.Heads.Put(uint32(i), head); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// keep attaches the program where nothing ever comes in. The kernel keeps a list of the XDP programs that are in use; without
// this Make would be a change of it each time, and wait until all processors have noticed, for 20 ms.
func (m *Maker) keep() (err error) {
	if m.aside, err = netns.New(""); err != nil {
		return err
	}
	return m.aside.Do(func() error {
		loopback, err := net.InterfaceByName("lo")
		if err != nil {
			return err
		}
		m.kept, err = link.AttachXDP(link.XDPOptions{Program: m.all.Make, Interface: loopback.Index, Flags: link.XDPGenericMode})
		return err
	})
}

// Close forgets the frames.
func (m *Maker) Close() error {
	var err error
	if m.kept != nil {
		err = m.kept.Close()
	}
	if m.aside != nil {
		err = errors.Join(err, m.aside.Close())
	}
	return errors.Join(err, m.all.Close())
}

// At is where the frames arrive: an interface of the namespace in which Make is called.
func (m *Maker) At(device *net.Interface) {
	m.context = receivedAt{DataEnd: uint32(len(m.first)), Interface: uint32(device.Index)}
}

// Make has about so many frames arrive, and says how many it were. When it returns, the kernel has done with them what it does at once.
func (m *Maker) Make(count int) (int, error) {
	var before, after uint64
	if err := m.all.Made.Get(&before); err != nil {
		return 0, err
	}
	_, err := m.all.Make.Run(&ebpf.RunOptions{Data: m.first, Context: m.context, Repeat: uint32(count), Flags: liveFrames})
	if err != nil {
		return 0, fmt.Errorf("make frames: %w", err)
	}
	err = m.all.Made.Get(&after)
	return int(after - before), err
}

// Counter counts datagrams at the entrance of an interface, and drops them: those to a port, and user packets of IPv4 in L2TP.
type Counter struct {
	// Arrived says that about 64 more have come.
	Arrived <-chan struct{}

	all     framesObjects
	link    link.Link
	wakes   *ringbuf.Reader
	reading sync.WaitGroup
}

// NewCounter is for an interface of the namespace in which it is called.
func NewCounter(device *net.Interface, port uint16) (c *Counter, err error) {
	spec, err := loadFrames()
	if err != nil {
		return nil, err
	}
	if err := spec.Variables["counted_port"].Set(port>>8 | port<<8); err != nil {
		return nil, err
	}
	c = &Counter{}
	if err := spec.LoadAndAssign(&c.all, nil); err != nil {
		return nil, fmt.Errorf("load what counts frames: %w", err)
	}
	if c.wakes, err = ringbuf.NewReader(c.all.Wakes); err != nil {
		return nil, errors.Join(err, c.all.Close())
	}
	c.link, err = link.AttachTCX(link.TCXOptions{Interface: device.Index, Program: c.all.Count, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return nil, errors.Join(err, c.wakes.Close(), c.all.Close())
	}
	arrived := make(chan struct{}, 1)
	c.Arrived = arrived
	c.reading.Go(func() { c.read(arrived) })
	return c, nil
}

func (c *Counter) read(arrived chan<- struct{}) {
	var r ringbuf.Record
	for c.wakes.ReadInto(&r) == nil {
		select {
		case arrived <- struct{}{}:
		default:
		}
	}
}

// Close lets packets pass again.
func (c *Counter) Close() error {
	err := errors.Join(c.link.Close(), c.wakes.Close())
	c.reading.Wait()
	return errors.Join(err, c.all.Close())
}

// Taken is how many have come.
func (c *Counter) Taken() (int64, error) {
	var taken uint64
	err := c.all.Taken.Get(&taken)
	return int64(taken), err
}
