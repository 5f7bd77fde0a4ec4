package dialect

import (
	"errors"
	"fmt"
	"strings"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// mikrotik is what RouterOS takes, https://help.mikrotik.com/docs/spaces/ROS/pages/328097/RADIUS.
var mikrotik = family{
	wire.MikrotikRateLimit:         changing(text("Mikrotik-Rate-Limit", readMikrotikRate)),
	wire.MikrotikDelegatedIPv6Pool: text("Mikrotik-Delegated-IPv6-Pool", name6(func(v *aaa.IPv6) *string { return &v.DelegatedPool })),
}

// readMikrotikRate reads rx[/tx] and, behind it, up to five fields for bursts, priority and guaranteed rates. rx is what the
// router receives: up. One rate stands for both. Bursts are not given: the rate is the limit.
func readMikrotikRate(o *offer, s string) error {
	fields := strings.Fields(s)
	if len(fields) == 0 || len(fields) > 6 {
		return errors.New("it must be rx-rate[/tx-rate], with at most five more fields")
	}
	for i, field := range fields {
		up, down, err := pair(field)
		if err != nil {
			return fmt.Errorf("%q is not a number, or two with a / between, with k, M or G behind", field)
		}
		if i == 0 {
			o.rates[ofMikrotik] = rate{&up, &down}
		}
	}
	return nil
}

// pair reads one or two rates. One stands for both.
func pair(s string) (former, latter uint64, err error) {
	a, b, both := strings.Cut(s, "/")
	if former, err = scaled(a, bits1000); err != nil || !both {
		return former, former, err
	}
	latter, err = scaled(b, bits1000)
	return former, latter, err
}
