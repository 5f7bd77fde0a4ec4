package tun

import (
	"errors"
	"fmt"
	"sync/atomic"

	wg "github.com/tailscale/wireguard-go/tun"
	"golang.org/x/sys/unix"
)

// This is the only file that knows the library which drives the TUN device. Its interface is marked experimental; what
// the rest of the package relies on is written down in device and checked by the tests against real devices.

// extent says where in the slab a packet lies.
type extent = wg.ReadPacket

const (
	// headroom is how many free octets the library leaves in front of every packet it reads, and behind the last one.
	headroom = wg.ReadPacketSpacing
	// writeOffset is how far into each buffer a written packet must begin. The library insists on room for a virtio
	// header there, although it no longer writes to it.
	writeOffset = 10
)

// nativeDevice is a TUN device of the kernel.
type nativeDevice struct {
	device  wg.Device
	queues  []wg.Queue
	write   func(flow int, packets [][]byte, offset int) (int, error)
	offload bool
	refused atomic.Uint64
}

// newNativeDevice takes over the open descriptors of one device, one per queue. They are closed in any case.
func newNativeDevice(descriptors []int, offload bool) (*nativeDevice, error) {
	dev, _, err := wg.CreateUnmonitoredTUNFromFDs(descriptors)
	if err != nil {
		return nil, err
	}
	return &nativeDevice{device: dev, queues: wg.QueuesOf(dev), write: wg.WriteToOf(dev), offload: offload}, nil
}

// Queues implements device.
func (d *nativeDevice) Queues() int { return len(d.queues) }

// BatchSize implements device. With offload the library has tables for so many packets and panics on more; without it
// says 1, but takes any number.
func (d *nativeDevice) BatchSize() int { return max(d.device.BatchSize(), plainBatch) }

// plainBatch is a batch without offload.
const plainBatch = 64

// Read implements device.
func (d *nativeDevice) Read(queue int, slab []byte, packets []extent) (int, error) {
	return d.queues[queue].Read(slab, packets)
}

// Write implements device.
//
// Kernel 6.6.44 and its neighbours answer EINVAL to merged segments that are correct. Since every single packet written
// here is a sound IPv4 packet, EINVAL can mean nothing else, and merging is given up for the life of the device. The
// batch at hand is lost in part: the library has written the merged length into its packets.
func (d *nativeDevice) Write(flow int, packets [][]byte) (failed int, err error) {
	_, err = d.write(flow, packets, writeOffset)
	if err == nil {
		return 0, nil
	}
	failed = min(countErrors(err), len(packets))
	if d.offload && errors.Is(err, unix.EINVAL) {
		d.refused.Add(1)
		if gro, ok := d.device.(wg.GRODevice); ok {
			gro.DisableTCPGRO()
			gro.DisableUDPGRO()
		}
		err = fmt.Errorf("%w: %w", errMergeRefused, err)
	}
	return failed, err
}

// Refused implements device.
func (d *nativeDevice) Refused() uint64 { return d.refused.Load() }

// Close implements device.
func (d *nativeDevice) Close() error { return d.device.Close() }

// countErrors tells how many system calls failed: the library joins their errors two by two.
func countErrors(err error) int {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return 1
	}
	n := 0
	for _, part := range joined.Unwrap() {
		n += countErrors(part)
	}
	return n
}
