package dialect

import (
	"net/netip"
	"strconv"

	"lnsgate/aaa/radius/wire"
)

// ascend is what Ascend began and others took over.
var ascend = family{
	wire.AscendDataRate: changing(number("Ascend-Data-Rate", func(o *offer, n uint32) error {
		o.ascend.data = append(o.ascend.data, uint64(n))
		return nil
	})),
	wire.AscendXmitRate: changing(number("Ascend-Xmit-Rate", func(o *offer, n uint32) error {
		v := uint64(n)
		o.ascend.xmit = &v
		return nil
	})),
	wire.AscendAssignIPPool: number("Ascend-Assign-IP-Pool", func(o *offer, n uint32) error {
		return pool(ofAscend)(o, strconv.FormatUint(uint64(n), 10))
	}),
	wire.AscendClientPrimaryDNS:   address4("Ascend-Client-Primary-DNS", server(0, ofAscend, dns)),
	wire.AscendClientSecondaryDNS: address4("Ascend-Client-Secondary-DNS", server(1, ofAscend, dns)),
}

// ascendRates are in bits per second. Which direction a Data-Rate is of depends on what else is there.
type ascendRates struct {
	data []uint64
	xmit *uint64
}

// rate reads them as RouterOS does: beside a Xmit-Rate, which is what the router sends and so down, Data-Rate is up; two
// Data-Rates are first down, then up; one alone is down.
func (r *ascendRates) rate() rate {
	switch {
	case r.xmit != nil && len(r.data) > 0:
		return rate{up: &r.data[0], down: r.xmit}
	case r.xmit != nil:
		return rate{down: r.xmit}
	case len(r.data) > 1:
		return rate{up: &r.data[1], down: &r.data[0]}
	case len(r.data) == 1:
		return rate{down: &r.data[0]}
	}
	return rate{}
}

// list is one of the lists of servers.
type list func(o *offer) *[dialects][2]netip.Addr

func dns(o *offer) *[dialects][2]netip.Addr  { return &o.dns }
func nbns(o *offer) *[dialects][2]netip.Addr { return &o.nbns }

// server reads the first (0) or second (1) address of a list. 0.0.0.0 says that there is none.
func server(at, dialect int, of list) func(*offer, netip.Addr) error {
	return func(o *offer, a netip.Addr) error {
		if a.IsUnspecified() {
			return nil
		}
		if err := usable(a); err != nil {
			return errNoServer
		}
		of(o)[dialect][at] = a
		return nil
	}
}
