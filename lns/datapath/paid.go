package datapath

import "time"

// Paid is where the rates of a session are kept, for what comes from the peer and for what goes there, so that two paths that
// both carry it hold to them together.
type Paid struct {
	Up, Down Lane
}

// Lane is one direction of a session, as far as its rate goes. The numbers are read and written by atomic operations alone. Nil:
// whoever keeps to a rate has a place of its own for it.
type Lane struct {
	// Paid is when all that was carried so far will have been paid for at the rate, in nanoseconds since RateEpoch.
	Paid *int64
	// Waiting is how many packets the path beneath holds until they are due. The one above carries none meanwhile, which would
	// overtake them.
	Waiting *int64
}

// SharesRates is a data path that keeps its rates where Spec.Paid says.
type SharesRates interface {
	DataPath
	// RateEpoch is the moment from which times of payment are counted. It has a monotonic clock reading.
	RateEpoch() time.Time
}
