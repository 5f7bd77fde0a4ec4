package dialect

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"lnsgate/aaa"
)

// route is a Framed-Route as it was read.
type route struct {
	aaa.Route
	gateway netip.Addr // zero: the user
	text    string
}

func readFramedRoute(o *offer, s string) error {
	r, err := parseRoute(s)
	if err == nil {
		o.routes = append(o.routes, r)
	}
	return err
}

// parseRoute reads the text of RFC 2865 section 5.22: a destination with or without a length, then a gateway, then metrics
// of which the first counts. Gateway and metrics may be left out. In place of a length some write a mask between
// destination and gateway.
func parseRoute(s string) (route, error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return route{}, errors.New("it is empty")
	}
	r := route{text: strconv.Quote(s)}
	destination, length, sized := strings.Cut(words[0], "/")
	a, err := netip.ParseAddr(destination)
	if err != nil || !a.Is4() {
		return route{}, fmt.Errorf("%q is not an IPv4 address", destination)
	}
	words = words[1:]
	n := classful(a)
	if sized {
		if n, err = strconv.Atoi(length); err != nil || n < 0 || n > 32 {
			return route{}, fmt.Errorf("%q is not a length of 0 to 32", length)
		}
	} else if m, ok := leadingMask(words); ok {
		n, words = m, words[1:]
	}
	r.Prefix = netip.PrefixFrom(a, n).Masked()
	err = r.rest(words)
	return r, err
}

// rest reads gateway and metrics.
func (r *route) rest(words []string) error {
	if r.Prefix.Bits() == 0 {
		return errors.New("it would send all traffic to one user")
	}
	if !r.Prefix.Addr().IsGlobalUnicast() {
		return fmt.Errorf("%s is no network that a user can have", r.Prefix)
	}
	if len(words) == 0 {
		return nil
	}
	gateway, err := netip.ParseAddr(words[0])
	if err != nil || gateway.Is4() != r.Prefix.Addr().Is4() {
		return fmt.Errorf("%q is not a gateway of the same family", words[0])
	}
	if !gateway.IsUnspecified() {
		r.gateway = gateway
	}
	if len(words) == 1 {
		return nil
	}
	metric, err := strconv.ParseInt(words[1], 10, 32)
	if err != nil {
		return fmt.Errorf("%q is not a metric", words[1])
	}
	r.Metric = int(max(metric, 0)) // -1 is in the example of the RFC and has no meaning there
	return nil
}

// classful is the length of a destination that has none: 8, 16 or 24 by its class.
func classful(a netip.Addr) int {
	switch first := a.As4()[0]; {
	case first < 128:
		return 8
	case first < 192:
		return 16
	}
	return 24
}

// leadingMask takes a first word such as 255.255.0.0, which cannot be a gateway.
func leadingMask(words []string) (int, bool) {
	if len(words) == 0 {
		return 0, false
	}
	a, err := netip.ParseAddr(words[0])
	if err != nil || !a.Is4() || a.As4()[0] != 255 {
		return 0, false
	}
	return maskLength(a)
}

// parseRoute6 reads the text of RFC 3162 section 2.5: prefix/length, gateway, metrics.
func parseRoute6(s string) (aaa.Route, error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return aaa.Route{}, errors.New("it is empty")
	}
	p, err := netip.ParsePrefix(words[0])
	if err != nil || !p.Addr().Is6() || p.Addr().Is4In6() {
		return aaa.Route{}, fmt.Errorf("%q is not an IPv6 prefix", words[0])
	}
	r := route{Route: aaa.Route{Prefix: p.Masked()}}
	err = r.rest(words[1:])
	return r.Route, err
}
