package configs

import (
	"fmt"
	"strconv"
	"strings"
)

// Rate is a number of bits per second; 0 is no limit. A file says 512k, 10M, 1G or 0.
type Rate int64

var rateUnits = []struct {
	name string
	bits Rate
}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}, {"", 1}}

// UnmarshalText reads a number of bits per second, with k, M or G for powers of 1000.
func (r *Rate) UnmarshalText(b []byte) error {
	for _, unit := range rateUnits {
		digits, found := strings.CutSuffix(string(b), unit.name)
		if !found {
			continue
		}
		if n, err := strconv.ParseUint(digits, 10, 32); err == nil {
			*r = Rate(n) * unit.bits
			return nil
		}
		break
	}
	return fmt.Errorf("%q is not a rate such as 512k, 10M or 1G (bits per second)", b)
}

// String prints the rate with the largest unit that fits evenly.
func (r Rate) String() string {
	for _, unit := range rateUnits {
		if r >= unit.bits && r%unit.bits == 0 {
			return fmt.Sprintf("%d%s", r/unit.bits, unit.name)
		}
	}
	return "0"
}
