package tun

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	wg "github.com/tailscale/wireguard-go/tun"
	"golang.org/x/sys/unix"
)

// This file and queue.go are the only ones that know the library which merges and cuts segments. Its interface is marked
// experimental; what the rest of the package relies on is written down in device and checked by the tests against real devices.

// extent says where in the slab a packet lies.
type extent = wg.ReadPacket

const (
	// headroom is how many free octets the library leaves in front of every packet it reads, and behind the last one.
	headroom = wg.ReadPacketSpacing
	// writeOffset is how far into each buffer a written packet must begin: there is room for a virtio header in front.
	writeOffset = 10
)

// nativeDevice is a TUN device of the kernel.
type nativeDevice struct {
	device  wg.Device
	queues  []*queue
	write   func(flow int, packets [][]byte, offset int) (int, error)
	offload bool
	threads bool // the kernel carries on what is written, on threads
	refused atomic.Uint64
	lacking Lacking
}

// newNativeDevice takes over the open descriptors of one device, one per queue. They are closed in any case. With threads
// a queue can be full.
func newNativeDevice(descriptors []int, offload, threads bool) (*nativeDevice, error) {
	dev, _, err := wg.CreateUnmonitoredTUNFromFDs(descriptors)
	if err != nil {
		return nil, err
	}
	d := &nativeDevice{device: dev, write: wg.WriteToOf(dev), offload: offload, threads: threads}
	for _, each := range wg.QueuesOf(dev) {
		q, err := newQueue(each.File(), offload, threads)
		if err != nil {
			return nil, errors.Join(err, dev.Close())
		}
		d.queues = append(d.queues, q)
	}
	return d, nil
}

// Queues implements device.
func (d *nativeDevice) Queues() int { return len(d.queues) }

// BatchSize implements device. With offload the library has tables for so many packets and panics on more; without it
// says 1, but takes any number.
func (d *nativeDevice) BatchSize() int {
	if d.offload {
		return min(d.device.BatchSize(), largestBatch)
	}
	return largestBatch
}

// largestBatch is how many packets are written at once, and so the most segments that are merged into one: kernels before
// 6.9 answer EINVAL to more of them (UDP_MAX_SEGMENTS).
const largestBatch = 64

// Merges implements device.
func (d *nativeDevice) Merges() bool { return d.offload && d.refused.Load() == 0 }

// Read implements device.
func (d *nativeDevice) Read(queue int, slab []byte, packets []extent) (int, error) {
	return d.queues[queue].read(slab, packets)
}

// Write implements device. The library is asked only when merging pays: it takes longer for each packet, and allocates for
// every system call.
func (d *nativeDevice) Write(flow int, packets [][]byte) error {
	q := d.queues[flow%len(d.queues)]
	if d.Merges() && mergingPays(packets) {
		return d.merge(q, flow, packets)
	}
	return q.write(packets)
}

const (
	// spared is how many packets at least merging is to save of so many.
	spared = 16
	// mostMerged is how much is merged at most, in octets: with what the kernel needs beside it, less than half of what may
	// wait for a thread.
	mostMerged = threadQueue / 8
)

// mergingPays says whether enough of the packets seem to belong to the TCP or UDP flows of others.
func mergingPays(packets [][]byte) bool {
	wanted, octets := 1+len(packets)/spared, 0
	for _, b := range packets {
		octets += len(b)
	}
	if len(packets) < 2 || octets > mostMerged {
		return false
	}
	var seen [2 * largestBatch]uint64 // a hash table of flows, never more than half full
	for _, b := range packets {
		key := flowOf(b[writeOffset:])
		if key == 0 {
			continue
		}
		slot := key * 0x9E3779B97F4A7C15 >> 32 % uint64(len(seen))
		for seen[slot] != 0 && seen[slot] != key {
			slot = (slot + 1) % uint64(len(seen))
		}
		if seen[slot] == key {
			if wanted--; wanted == 0 {
				return true
			}
		}
		seen[slot] = key
	}
	return false
}

// flowOf is a hash of addresses and ports of a TCP or UDP packet; 0 for others.
func flowOf(p []byte) uint64 {
	const odd1, odd2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9
	if isIPv6(p) {
		if protocol := p[atNextHeader]; protocol != protocolTCP && protocol != protocolUDP || len(p) < ipv6HeaderLen+4 {
			return 0
		}
		var key uint64
		for at := atSource6; at < ipv6HeaderLen; at += 8 {
			key = key*odd1 ^ binary.BigEndian.Uint64(p[at:])
		}
		return key*odd1 ^ uint64(binary.BigEndian.Uint32(p[ipv6HeaderLen:]))*odd2 | 1
	}
	if protocol := p[atProtocol]; protocol != protocolTCP && protocol != protocolUDP || len(p) < minHeaderLen+4 {
		return 0
	}
	ports := binary.BigEndian.Uint32(p[minHeaderLen:])
	return uint64(source(p))<<32 ^ uint64(destination(p))*odd1 ^ uint64(ports)*odd2 | 1
}

// merge lets the library write packets, those of one flow as one.
//
// Kernel 6.6.44 and its neighbours answer EINVAL to merged segments that are correct. No other reason for EINVAL is known
// in what is written here, single packets that are sound and no more segments than any kernel takes; so merging is given
// up for the life of the device. After any error the whole batch counts as refused: what the library has merged cannot be
// told apart any more, and its packets bear the merged length.
func (d *nativeDevice) merge(q *queue, flow int, packets [][]byte) error {
	q.writing.Lock()
	defer q.writing.Unlock()
	err := q.awaitRoom()
	if err == nil {
		_, err = d.write(flow, packets, writeOffset)
	}
	if err == nil {
		return nil
	}
	clear(packets)
	if errors.Is(err, unix.EINVAL) {
		d.refused.Add(1)
		if gro, ok := d.device.(wg.GRODevice); ok { // for other readers that are about to write
			gro.DisableTCPGRO()
			gro.DisableUDPGRO()
		}
		err = fmt.Errorf("%w: %w", errMergeRefused, err)
	}
	return err
}

// Refused implements device.
func (d *nativeDevice) Refused() uint64 { return d.refused.Load() }

// Lacking implements device.
func (d *nativeDevice) Lacking() Lacking { return d.lacking }

// Close implements device.
func (d *nativeDevice) Close() error { return d.device.Close() }
