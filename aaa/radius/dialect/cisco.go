package dialect

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"lnsgate/aaa/radius/wire"
)

// cisco is the one attribute that holds all of Cisco's: protocol:attribute=value.
var cisco = family{wire.CiscoAVPair: changingPairs(text("Cisco-AVPair", readPair))}

// changingPairs marks the pairs that a living session can take: those that are about rates.
func changingPairs(a attribute) attribute {
	a.live = func(value []byte) bool {
		name, rest, _, ok := cutPair(string(value))
		words := strings.Fields(strings.ToLower(rest))
		return ok && (strings.HasPrefix(name, "sub-qos-policy-") && pairs[name] != nil ||
			name == "interface-config" && len(words) > 0 && words[0] == "rate-limit")
	}
	return a
}

// pairs are the attributes inside that we know. Names are in lower case, without the protocol.
var pairs = map[string]func(o *offer, value string) error{
	"addr":               readPairAddress,
	"addr-pool":          pool(ofCisco),
	"dns-servers":        pairServers(dns),
	"wins-servers":       pairServers(nbns),
	"route":              readFramedRoute,
	"sub-qos-policy-in":  policyRate(func(o *offer) **uint64 { return &o.rates[ofCisco].up }),
	"sub-qos-policy-out": policyRate(func(o *offer) **uint64 { return &o.rates[ofCisco].down }),
	"interface-config":   readInterfaceConfig,
	"vrf-id":             refuseVRF,
	"inacl":              refuseRules,
	"outacl":             refuseRules,
}

func readPair(o *offer, s string) error {
	name, value, optional, ok := cutPair(s)
	read := pairs[name]
	if !ok || read == nil {
		return nil
	}
	if err := read(o, value); err != nil && !optional {
		return err
	}
	return nil
}

// cutPair takes protocol:name=value apart. A * in place of the = marks what may be ignored.
func cutPair(s string) (name, value string, optional, ok bool) {
	at := strings.IndexAny(s, "=*")
	if at < 0 {
		return "", "", false, false
	}
	_, name, found := strings.Cut(s[:at], ":")
	if !found {
		name = s[:at]
	}
	name, _, _ = strings.Cut(strings.ToLower(name), "#") // interface-config#1
	return name, strings.TrimSpace(s[at+1:]), s[at] == '*', true
}

func readPairAddress(o *offer, s string) error {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return errors.New("it is not an IPv4 address")
	}
	if err := usable(a); err != nil {
		return err
	}
	o.addresses[ofCisco] = a
	return nil
}

// pairServers reads one or two addresses with a blank between.
func pairServers(of list) func(*offer, string) error {
	return func(o *offer, s string) error {
		for i, word := range strings.Fields(s) {
			a, err := netip.ParseAddr(word)
			if err != nil || !a.Is4() {
				return fmt.Errorf("%q is not an IPv4 address", word)
			}
			if i > 1 {
				return errors.New("a peer can be told two servers")
			}
			if err := server(i, ofCisco, of)(o, a); err != nil {
				return err
			}
		}
		return nil
	}
}

// policyRate reads a rate where Cisco has the name of a policy-map. in is what the router receives: up.
func policyRate(field func(*offer) **uint64) func(*offer, string) error {
	return func(o *offer, s string) error {
		n, err := scaled(s, bits1000)
		if err != nil {
			return errors.New("there are no policy-maps here; write the rate in bits per second, such as 10M")
		}
		return setRate(field(o), n)
	}
}

// readInterfaceConfig reads the one command of an interface that we know: rate-limit {input|output} and the rate in
// bits per second, as IOS has it for committed access rate. A VRF is refused, any other command left alone.
func readInterfaceConfig(o *offer, s string) error {
	words := strings.Fields(strings.ToLower(s))
	switch {
	case strings.Contains(s, "vrf forwarding"):
		return refuseVRF(o, s)
	case len(words) == 0 || words[0] != "rate-limit":
		return nil
	case len(words) < 3:
		return errors.New("it must be rate-limit {input|output} and the rate in bits per second")
	case words[2] == "access-group":
		return errors.New("a limit for a part of the traffic does not exist here")
	}
	n, err := strconv.ParseUint(words[2], 10, 40)
	if err != nil {
		return fmt.Errorf("%q is not a rate in bits per second", words[2])
	}
	switch words[1] {
	case "input":
		return setRate(&o.rates[ofCisco].up, n)
	case "output":
		return setRate(&o.rates[ofCisco].down, n)
	}
	return fmt.Errorf("%q is neither input nor output", words[1])
}

// refuseVRF: to carry on would put the user into the wrong network.
func refuseVRF(*offer, string) error {
	return errors.New("this server has no VRF; a virtual template of the domain separates its traffic")
}
