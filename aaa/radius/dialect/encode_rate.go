package dialect

import (
	"fmt"
	"math"

	"lnsgate/aaa/radius/wire"
)

// rates says both rates, in bits per second; 0 is no limit.
func (w *writer) rates(up, down uint64) {
	if up == 0 && down == 0 {
		return
	}
	switch w.equipment {
	case Mikrotik: // rx is what the router receives: up
		w.text(key{wire.Mikrotik, wire.MikrotikRateLimit}, rateText(up)+"/"+rateText(down))
	case WISPr:
		w.rate(key{wire.WISPr, wire.WISPrBandwidthMaxUp}, up)
		w.rate(key{wire.WISPr, wire.WISPrBandwidthMaxDown}, down)
	case Huawei: // a committed rate without a peak may burst to what the line can
		w.rate(key{wire.Huawei, wire.HuaweiInputAverageRate}, up)
		w.rate(key{wire.Huawei, wire.HuaweiInputPeakRate}, up)
		w.rate(key{wire.Huawei, wire.HuaweiOutputAverageRate}, down)
		w.rate(key{wire.Huawei, wire.HuaweiOutputPeakRate}, down)
	case Cisco:
		w.policer(1, "input", up)
		w.policer(2, "output", down)
	case Accel:
		w.text(key{0, 11}, fmt.Sprintf("%d/%d", inKilobits(down), inKilobits(up)))
	}
}

// rate adds a rate of four octets. One beyond 4.29 Gbit/s is said as that.
func (w *writer) rate(at key, n uint64) {
	if n > 0 {
		w.number(at, uint32(min(n, math.MaxUint32)))
	}
}

// rateText writes a rate as RouterOS has it, with the greatest suffix that loses nothing.
func rateText(n uint64) string {
	switch {
	case n == 0:
		return "0"
	case n%1e6 == 0:
		return fmt.Sprintf("%dM", n/1e6)
	case n%1e3 == 0:
		return fmt.Sprintf("%dk", n/1e3)
	}
	return fmt.Sprint(n)
}

// inKilobits rounds down, but no limit comes of no limit alone.
func inKilobits(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	return max(n/1000, 1)
}

// What committed access rate takes: multiples of 8000 bit/s (IOS Quality of Service Solutions, rate-limit).
const (
	policerStep = 8000
	policerMost = 2_000_000_000
)

// policer says a rate as the command of an interface. The bursts are what Cisco advises: what comes in 1.5 seconds, and twice
// that.
func (w *writer) policer(number int, direction string, n uint64) {
	if n == 0 {
		return
	}
	n = max(min(n, policerMost)/policerStep*policerStep, policerStep)
	burst := n / 8 * 3 / 2
	w.pair("lcp:interface-config#%d=rate-limit %s %d %d %d conform-action transmit exceed-action drop", number, direction, n, burst, 2*burst)
}
