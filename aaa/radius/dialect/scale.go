package dialect

import (
	"errors"
	"math"
	"strconv"
)

// scale is what a number and its suffix are worth in bits per second.
type scale struct {
	plain    uint64 // without a suffix
	suffixes map[byte]uint64
}

var (
	// MikroTik: "numbers with optional k (1,000s) or M (1,000,000s)", RouterOS takes G as well.
	bits1000 = scale{1, map[byte]uint64{'k': 1e3, 'K': 1e3, 'm': 1e6, 'M': 1e6, 'g': 1e9, 'G': 1e9}}
	// accel-ppp counts in kbit/s, and so its K is worth nothing more.
	kilobits = scale{1e3, map[byte]uint64{'k': 1e3, 'K': 1e3, 'm': 1e6, 'M': 1e6, 'g': 1e9, 'G': 1e9}}
)

var errNoRate = errors.New("it is not a rate")

// scaled reads a number with a suffix as bits per second.
func scaled(s string, by scale) (uint64, error) {
	factor := by.plain
	if n := len(s); n > 0 && by.suffixes[s[n-1]] != 0 {
		factor, s = by.suffixes[s[n-1]], s[:n-1]
	}
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, errNoRate
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > math.MaxUint64/factor/8 {
		return 0, errNoRate
	}
	return n * factor, nil
}
