package dialect

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// Encode adds to an Access-Accept what a decision grants, in the words of the equipment: what Grant reads back is what the
// decision says, as far as there are words for it. Of several pools the first is named (RFC 2869 section 5.18), an interim
// interval is at least a minute (section 5.16), and a rate is made one that the equipment can have.
//
// The error is a *Fault: a value does not fit in its attribute, or a filter cannot be named. The user must then not be let
// in, for it would get more than was meant.
func Encode(p *radius.Packet, d *aaa.Decision, e Equipment) error {
	w := writer{p: p, equipment: e}
	w.addresses(d)
	w.servers(d)
	w.timers(d)
	w.rates(d.RateUp, d.RateDown)
	w.filter(d.Filter)
	w.routes(d)
	w.marks(d)
	w.sixes(d)
	return w.fault
}

// leastInterim is the shortest interval that may be sent (RFC 2869 section 5.16).
const leastInterim = time.Minute

// writer adds attributes to a packet, and remembers the first that did not fit.
type writer struct {
	p         *radius.Packet
	equipment Equipment
	fault     error
}

// put adds one attribute. What is empty is left out.
func (w *writer) put(at key, value []byte) {
	if len(value) == 0 {
		return
	}
	err := error(nil)
	switch {
	case at.vendor != 0:
		err = wire.AddVendor(w.p, at.vendor, at.kind, value)
	case len(value) > wire.MaxValue:
		err = wire.ErrTooLong
	default:
		w.p.Add(radius.Type(at.kind), value)
	}
	if err != nil && w.fault == nil {
		row := table[at]
		w.fault = &Fault{Attribute: row.name, Value: row.show(value), Problem: fmt.Sprintf("it has %d octets, which does not fit", len(value))}
	}
}

func (w *writer) text(at key, s string)   { w.put(at, []byte(s)) }
func (w *writer) number(at key, n uint32) { w.put(at, binary.BigEndian.AppendUint32(nil, n)) }
func (w *writer) address(at key, a netip.Addr) {
	if a.IsValid() {
		w.put(at, a.AsSlice())
	}
}

// seconds adds a time of whole seconds, at least one. Zero is no limit and is not said.
func (w *writer) seconds(kind byte, d time.Duration) {
	if d > 0 {
		w.number(key{0, kind}, uint32(min((d+time.Second-1)/time.Second, math.MaxUint32)))
	}
}

// pair adds one of Cisco's.
func (w *writer) pair(format string, values ...any) {
	w.text(key{wire.Cisco, wire.CiscoAVPair}, fmt.Sprintf(format, values...))
}

func (w *writer) timers(d *aaa.Decision) {
	w.seconds(27, d.SessionTimeout)
	w.seconds(28, d.IdleTimeout)
	if d.Interim > 0 {
		w.seconds(85, max(d.Interim, leastInterim))
	}
	if d.MTU >= 64 && d.MTU <= math.MaxUint16 {
		w.number(key{0, 12}, uint32(d.MTU))
	}
	if d.MaxSessions > 0 {
		w.number(key{0, 62}, uint32(min(d.MaxSessions, 1<<30)))
	}
}

// addresses says which address the user gets, or else from which pool.
func (w *writer) addresses(d *aaa.Decision) {
	switch a := d.Address.Unmap(); {
	case a.Is4():
		w.address(key{0, 8}, a)
		return
	case d.AddressByPeer:
		w.address(key{0, 8}, userChooses)
	}
	if len(d.Pools) == 0 {
		return
	}
	switch pool := d.Pools[0]; w.equipment {
	case Cisco:
		w.pair("ip:addr-pool=%s", pool)
	case Huawei:
		w.text(key{wire.Huawei, wire.HuaweiFramedPool}, pool)
	default:
		w.text(key{0, 88}, pool)
	}
}

// servers says the name servers.
func (w *writer) servers(d *aaa.Decision) {
	first, second := byte(wire.MSPrimaryDNSServer), byte(wire.MSSecondaryDNSServer)
	switch w.equipment {
	case Cisco:
		w.pairServers("dns-servers", d.DNS)
		w.pairServers("wins-servers", d.NBNS)
		return
	case Huawei:
		w.four(key{wire.Huawei, wire.HuaweiPrimaryDNS}, d.DNS[0])
		w.four(key{wire.Huawei, wire.HuaweiSecondaryDNS}, d.DNS[1])
	default:
		w.four(key{wire.Microsoft, first}, d.DNS[0])
		w.four(key{wire.Microsoft, second}, d.DNS[1])
	}
	w.four(key{wire.Microsoft, wire.MSPrimaryNBNSServer}, d.NBNS[0])
	w.four(key{wire.Microsoft, wire.MSSecondaryNBNSServer}, d.NBNS[1])
}

// four adds an IPv4 address. There is no room for others here.
func (w *writer) four(at key, a netip.Addr) {
	if a = a.Unmap(); a.Is4() {
		w.address(at, a)
	}
}

func (w *writer) pairServers(name string, servers [2]netip.Addr) {
	var words []string
	for _, a := range servers {
		if a = a.Unmap(); a.Is4() {
			words = append(words, a.String())
		} else if len(words) == 0 {
			words = append(words, "0.0.0.0")
		}
	}
	if given(servers) {
		w.pair("ip:%s=%s", name, strings.Join(words, " "))
	}
}

// filter names the filter of the user's traffic.
func (w *writer) filter(name string) {
	if name == "" {
		return
	}
	if w.equipment == Accel && w.fault == nil {
		w.fault = &Fault{Attribute: "Filter-Id", Value: fmt.Sprintf("%q", name), Problem: "accel-ppp takes rates there and no filter; " +
			"take the filter out of the domain and the account, or filter elsewhere"}
		return
	}
	w.text(key{0, 11}, name)
}

// routes adds the networks behind the user. One that follows from a netmask is said as such.
func (w *writer) routes(d *aaa.Decision) {
	for i, r := range d.Routes {
		own := r.Implied && d.Address.IsValid() && r.Prefix == netip.PrefixFrom(d.Address, r.Prefix.Bits()).Masked()
		switch {
		case own && !slices.ContainsFunc(d.Routes[:i], func(r aaa.Route) bool { return r.Implied }):
			mask := uint32(math.MaxUint32) << (32 - r.Prefix.Bits())
			w.number(key{0, 9}, mask)
		case r.Gateway.IsValid():
			w.text(key{0, 22}, routeText(r, r.Gateway.String()))
		case r.Prefix.Addr().Is4():
			w.text(key{0, 22}, routeText(r, "0.0.0.0"))
		default:
			w.text(key{0, 99}, routeText(r, "::"))
		}
	}
}

// routeText is the form of RFC 2865 section 5.22 and RFC 3162 section 2.5. The gateway 0.0.0.0 is the user.
func routeText(r aaa.Route, gateway string) string {
	if r.Metric == 0 {
		return fmt.Sprintf("%s %s", r.Prefix, gateway)
	}
	return fmt.Sprintf("%s %s %d", r.Prefix, gateway, r.Metric)
}

// marks adds what goes into records, and what the user is told.
func (w *writer) marks(d *aaa.Decision) {
	w.text(key{0, 1}, d.UserName)
	for _, class := range d.Class {
		w.put(key{0, 25}, class)
	}
	w.put(key{0, 89}, d.CUI)
	for line := range strings.SplitSeq(d.Message, "\n") {
		for chunk := range slices.Chunk([]byte(line), wire.MaxValue) {
			w.put(key{0, 18}, chunk)
		}
	}
}
