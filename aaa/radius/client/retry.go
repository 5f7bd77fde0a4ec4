package client

import "time"

// The schedule of RFC 5080 section 2.2.1. The argument named random is from [-1, 1), and Jitter says how much of it counts.

// First is the time from the first transmission to the second.
func (r RetryConfig) First(random float64) time.Duration {
	return r.Initial + r.spread(r.Initial, random)
}

// Following is the time to the transmission after the one that came after previous.
func (r RetryConfig) Following(previous time.Duration, random float64) time.Duration {
	next := 2*previous + r.spread(previous, random)
	if r.Max > 0 && next > r.Max {
		return r.Max + r.spread(r.Max, random)
	}
	return next
}

func (r RetryConfig) spread(d time.Duration, random float64) time.Duration {
	return time.Duration(float64(d) * r.Jitter * random)
}

// Exhausted says whether that many transmissions to one server are all that may be.
func (r RetryConfig) Exhausted(transmissions int) bool {
	return r.Count > 0 && transmissions >= r.Count
}

// OrDefault is r, or what stands for its zero value.
func (r RetryConfig) OrDefault() RetryConfig {
	if r.Initial == 0 && r.Max == 0 && r.Count == 0 && r.Duration == 0 {
		d := DefaultRetry()
		if r.Jitter != 0 {
			d.Jitter = r.Jitter
		}
		return d
	}
	return r
}
