package datapath

import (
	"errors"
	"fmt"
)

const (
	// DefaultPeerMRU is used when a spec names none: what PPP assumes without negotiation (RFC 1661 section 6.1).
	DefaultPeerMRU = 1500
	// MinimumPeerMRU is the smallest packet every IPv4 host forwards unfragmented (RFC 791 section 3.2).
	MinimumPeerMRU = 68
	// MinimumIPv6MRU is the smallest packet that every link must carry for IPv6 (RFC 8200 section 5).
	MinimumIPv6MRU = 1280
)

// SpecError says what is wrong with a spec. It is a fault of the caller, not of the network.
type SpecError struct {
	Key     Key
	Problem string
}

// Error names the session and the problem.
func (e *SpecError) Error() string { return fmt.Sprintf("session %s: %s", e.Key, e.Problem) }

// Validate tells what would keep any data path from carrying this spec: every fault, joined, each a *SpecError; a
// family that is not carried is ErrNotSupported and left to the path.
func (s Spec) Validate() error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, &SpecError{Key: s.Key, Problem: fmt.Sprintf(format, args...)})
		}
	}
	fault(s.Key.Tunnel == 0 || s.Key.Session == 0, "our tunnel and session ids must not be zero")
	fault(s.PeerTunnel == 0 || s.PeerSession == 0, "the peer's tunnel and session ids must not be zero")
	fault(!s.Path.Remote.IsValid() || s.Path.Remote.Port() == 0, "the peer's address and port are not known")
	fault(s.Path.Remote.Addr().Is4In6(), "the peer's address %s is written as IPv6", s.Path.Remote.Addr())
	fault(s.Interface == "", "no interface is named")
	fault(!s.Address.IsValid() && len(s.IPv6) == 0 || s.Address.IsValid() && s.Address.IsUnspecified(), "no address is assigned")
	fault(s.Address.Is4In6(), "the address %s is written as IPv6", s.Address)
	fault(s.PeerMRU != 0 && s.PeerMRU < MinimumPeerMRU, "PeerMRU %d is below %d", s.PeerMRU, MinimumPeerMRU)
	fault(s.MSS < 0 || s.MSS > 65535, "MSS %d is not within 0-65535", s.MSS)
	fault(s.MSS6 < 0 || s.MSS6 > 65535, "MSS %d of IPv6 is not within 0-65535", s.MSS6)
	fault(!s.Address.IsValid() && len(s.Routes) > 0, "routes behind a peer without an address")
	fault(len(s.IPv6) > 0 && s.PeerMRU != 0 && s.PeerMRU < MinimumIPv6MRU, "PeerMRU %d is below %d, the least for IPv6", s.PeerMRU, MinimumIPv6MRU)
	for _, route := range s.Routes {
		fault(!route.IsValid() || route != route.Masked(), "route %s is not a network", route)
	}
	for _, prefix := range s.IPv6 {
		fault(!prefix.IsValid() || !prefix.Addr().Is6() || prefix.Addr().Is4In6() || prefix != prefix.Masked(), "%s is not an IPv6 network", prefix)
		fault(prefix.IsValid() && prefix.Overlaps(linkLocal), "%s takes in the addresses of links", prefix)
	}
	return errors.Join(faults...)
}
