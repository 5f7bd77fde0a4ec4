package tun

import "errors"

// device is what this package needs of a TUN device. Tests put one of their own in its place.
type device interface {
	// Queues is how many queues can be read.
	Queues() int
	// BatchSize is the largest number of packets in one Write.
	BatchSize() int
	// Merges says that packets of one flow that are written at once may become one.
	Merges() bool
	// Read waits for packets on a queue and puts them into the slab with headroom free octets before each. The first n
	// extents are good even when there is an error. os.ErrClosed means that the device is gone.
	Read(queue int, slab []byte, packets []extent) (n int, err error)
	// Write writes IPv4 and IPv6 packets, each writeOffset octets into its buffer, in order. It may change their contents. Those
	// that were refused are nil afterwards, and the error says why. Writes with the same flow number stay in order.
	Write(flow int, packets [][]byte) error
	// Refused is how often the kernel has refused merged segments.
	Refused() uint64
	// Lacking is what was asked for when it was opened, and is not there.
	Lacking() Lacking
	// Close removes the device and ends waiting reads.
	Close() error
}

// errMergeRefused marks an error of Write after which segments are no longer merged.
var errMergeRefused = errors.New("the kernel refuses merged segments, so packets are written one by one from now on")
