package dialect

import (
	"fmt"
	"math"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// endless is said where there is no limit any more. Nought would do for some NASes, and end the session at once for others.
const endless = 10 * 365 * 24 * time.Hour

// EncodeChange adds to a CoA-Request what is different for a session from now on, in the words of the equipment: those of terms
// that changed names. The session is that old; some NASes count a new Session-Timeout from when they hear of it.
//
// An interval between records is left out where the equipment does not take one then, for nobody gets more or less of it.
// Everything else that the equipment has no word for, or takes without heeding it, is a *Fault: nothing must then be sent.
func EncodeChange(p *radius.Packet, terms *aaa.Terms, changed *aaa.Change, age time.Duration, e Equipment) error {
	w := writer{p: p, equipment: e}
	if changed.SessionTimeout != nil {
		w.seconds(27, orEndless(w.counted(terms.SessionTimeout, age)))
	}
	if changed.IdleTimeout != nil {
		w.newIdleTimeout(terms.IdleTimeout)
	}
	if changed.Interim != nil && terms.Interim > 0 && e != Mikrotik && e != Accel {
		w.seconds(85, max(terms.Interim, leastInterim))
	}
	if changed.RateUp != nil || changed.RateDown != nil {
		w.newRates(terms.RateUp, terms.RateDown)
	}
	if changed.Filter != nil {
		w.newFilter(terms.Filter)
	}
	return w.fault
}

// fail notes what cannot be said.
func (w *writer) fail(attribute, value, problem string) {
	if w.fault == nil {
		w.fault = &Fault{Attribute: attribute, Value: value, Problem: problem}
	}
}

// counted is a limit of a session as the equipment counts it: from the begin, or from now (accel-ppp sets a timer, Huawei has
// the time that is left). Nought stays nought.
func (w *writer) counted(limit, age time.Duration) time.Duration {
	if limit > 0 && (w.equipment == Accel || w.equipment == Huawei) {
		return max(limit-age, time.Second)
	}
	return limit
}

func orEndless(d time.Duration) time.Duration {
	if d == 0 {
		return endless
	}
	return d
}

func (w *writer) newIdleTimeout(d time.Duration) {
	if w.equipment == Accel {
		w.fail("Idle-Timeout", d.String(), "accel-ppp takes it at login alone, and says yes to it all the same")
		return
	}
	w.seconds(28, orEndless(d))
}

// newRates says both rates, for most equipment has one word for both; 0 takes a limit away.
func (w *writer) newRates(up, down uint64) {
	both := fmt.Sprintf("%d/%d bit/s", up, down)
	switch w.equipment {
	case Mikrotik:
		w.text(key{wire.Mikrotik, wire.MikrotikRateLimit}, rateText(up)+"/"+rateText(down))
	case Accel:
		w.text(key{0, 11}, fmt.Sprintf("%d/%d", inKilobits(down), inKilobits(up)))
	case WISPr:
		w.rate(key{wire.WISPr, wire.WISPrBandwidthMaxUp}, orMost(up))
		w.rate(key{wire.WISPr, wire.WISPrBandwidthMaxDown}, orMost(down))
	case Huawei:
		if up == 0 || down == 0 {
			w.fail("HW-Input-Average-Rate", both, "Huawei has no word for no limit")
			return
		}
		w.rates(up, down)
	case Cisco:
		w.fail("Cisco-AVPair", both, "commands for the interface count when it is made, and no more for an open session")
	default:
		w.fail("rates", both, "the standard has no word for them; say what kind of equipment the NAS is")
	}
}

func orMost(n uint64) uint64 {
	if n == 0 {
		return math.MaxUint32
	}
	return n
}

// newFilter names another filter. accel-ppp never had one.
func (w *writer) newFilter(name string) {
	if name == "" && w.equipment != Accel {
		w.fail("Filter-Id", `""`, "there is no word for no filter; name one that lets everything through")
		return
	}
	w.filter(name)
}
