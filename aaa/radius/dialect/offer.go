package dialect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// The dialects that have words for the same thing, the one that counts first in front. The order of the rates is
// MikroTik's own, see https://help.mikrotik.com/docs/spaces/ROS/pages/328097/RADIUS: Mikrotik-Rate-Limit, Ascend, WISPr.
const (
	ofStandard = iota
	ofMikrotik
	ofAscend
	ofWISPr
	ofCisco
	ofHuawei
	ofFilter
	dialects
)

// rate is what one dialect says of the rates. nil: nothing.
type rate struct {
	up, down *uint64 // bits per second; 0 = no limit
}

// offer is what the attributes say, before the dialects are put in order.
type offer struct {
	addresses [dialects]netip.Addr
	bits      *int    // of Framed-IP-Netmask
	routes    []route // of Framed-Route
	pools     [dialects][]string
	dns, nbns [dialects][2]netip.Addr
	rates     [dialects]rate
	ascend    ascendRates
	huawei    huaweiRates

	session, idle, interim *time.Duration
	filters                []string
	portLimit              int
	mtu                    int
	userName               string
	class                  [][]byte
	cui                    []byte
	messages               []string
	ipv6                   aaa.IPv6
}

// The magic values of Framed-IP-Address (RFC 2865 section 5.8).
var (
	nasChooses  = netip.MustParseAddr("255.255.255.254")
	userChooses = netip.MustParseAddr("255.255.255.255")
)

// Options are what reading depends on.
type Options struct {
	LeastInterim time.Duration // a shorter interval between interim records is made this long (RFC 5080 section 2.1.1)
}

// Grant reads what an Access-Accept grants. The error is a *Fault.
func Grant(p *radius.Packet, options Options) (aaa.Grant, error) {
	o := &offer{}
	if err := readAll(o, p); err != nil {
		return aaa.Grant{}, err
	}
	g := aaa.Grant{
		Pools:          first(o.pools[:], func(names []string) bool { return len(names) > 0 }),
		DNS:            first(o.dns[:], given),
		NBNS:           first(o.nbns[:], given),
		SessionTimeout: value(o.session),
		IdleTimeout:    value(o.idle),
		MTU:            o.mtu,
		MaxSessions:    o.portLimit,
		Message:        strings.Join(o.messages, "\n"),
		UserName:       o.userName,
		Class:          o.class,
		CUI:            o.cui,
		IPv6:           o.ipv6,
	}
	g.Interim = o.clamped(options.LeastInterim)
	up, down := o.limits()
	g.RateUp, g.RateDown = value(up), value(down)
	switch a := first(o.addresses[:], netip.Addr.IsValid); a {
	case userChooses:
		g.AddressByPeer = true
	case nasChooses:
	default:
		g.Address = a
	}
	var err error
	if g.Filter, err = o.filter(); err != nil {
		return aaa.Grant{}, err
	}
	if g.Routes, err = o.networks(g.Address); err != nil {
		return aaa.Grant{}, err
	}
	return g, nil
}

// first returns the first of the dialects' words that says something.
func first[T any](words []T, says func(T) bool) T {
	if i := slices.IndexFunc(words, says); i >= 0 {
		return words[i]
	}
	var none T
	return none
}

func given(pair [2]netip.Addr) bool { return pair[0].IsValid() || pair[1].IsValid() }

// value is what p points to, or zero.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// clamped is the interval between interim records. Zero says nothing.
func (o *offer) clamped(least time.Duration) time.Duration {
	if value(o.interim) == 0 {
		return 0
	}
	return max(*o.interim, least)
}

// limits puts the rates of the dialects in order, each direction by itself.
func (o *offer) limits() (up, down *uint64) {
	o.rates[ofAscend] = o.ascend.rate()
	o.rates[ofHuawei] = o.huawei.rate()
	said := func(p *uint64) bool { return p != nil }
	for _, r := range o.rates {
		up, down = first([]*uint64{up, r.up}, said), first([]*uint64{down, r.down}, said)
	}
	return up, down
}

// filter is the one filter that was named.
func (o *offer) filter() (string, error) {
	names := slices.Compact(slices.Sorted(slices.Values(o.filters)))
	if len(names) > 1 {
		return "", &Fault{Attribute: "Filter-Id", Value: fmt.Sprintf("%q", o.filters),
			Problem: "a session has one filter; make one of them that has the rules of all (RFC 5080 section 2.3.1)"}
	}
	if len(names) == 0 {
		return "", nil
	}
	return names[0], nil
}

// networks are the routes to networks behind the peer.
func (o *offer) networks(peer netip.Addr) ([]aaa.Route, error) {
	var list []aaa.Route
	if o.bits != nil && *o.bits < 32 && peer.Is4() {
		list = append(list, aaa.Route{Prefix: netip.PrefixFrom(peer, *o.bits).Masked(), Implied: true})
	}
	for _, r := range o.routes {
		if r.gateway.IsValid() && r.gateway != peer && !r.Prefix.Contains(r.gateway) {
			r.Gateway = r.gateway // ours, or a mistake: only the NAS knows
		}
		list = append(list, r.Route)
	}
	return list, nil
}

// Change reads what a CoA-Request changes. Attributes that cannot be changed while a session lives are the business of
// Changeable. The error is a *Fault.
func Change(p *radius.Packet, options Options) (aaa.Change, error) {
	o := &offer{}
	if err := readAll(o, p); err != nil {
		return aaa.Change{}, err
	}
	c := aaa.Change{SessionTimeout: o.session, IdleTimeout: o.idle, Class: o.class}
	if o.interim != nil {
		interval := o.clamped(options.LeastInterim)
		c.Interim = &interval
	}
	c.RateUp, c.RateDown = o.limits()
	name, err := o.filter()
	if err != nil {
		return aaa.Change{}, err
	}
	if len(o.filters) > 0 {
		c.Filter = &name
	}
	return c, nil
}

// Changeable says whether an attribute with this value can be changed while a session lives. Vendor 0 is the standard.
func Changeable(vendor wire.Vendor, kind byte, value []byte) bool {
	live := table[key{vendor, kind}].live
	return live != nil && live(value)
}
