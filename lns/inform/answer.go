package inform

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Facts is what a peer may be told.
type Facts struct {
	Server netip.Addr     // our end of the link
	Peer   netip.Addr     // the address that the peer was given
	Routes []netip.Prefix // reached through the link
	Suffix string         // DNS suffix; empty: none
	DNS    []netip.Addr
	NBNS   []netip.Addr
	Limit  int // the longest packet that the peer takes, octets
}

// ErrNotInform says that a packet is no DHCPINFORM of this peer; errors that wrap it say why.
var ErrNotInform = errors.New("no DHCPINFORM of this peer")

// optionRoutesOfMicrosoft is what Windows and macOS call option 121 (MS-DHCPE section 2.2.9); the contents are the same.
const optionRoutesOfMicrosoft = dhcpv4.GenericOptionCode(249)

// Answer makes the answer to a peer's packet: an IPv4 packet with a DHCPACK. A peer that lists what it wants gets nothing
// else; routes are told in both forms to whoever knows one. Errors wrap ErrNotInform.
func Answer(packet []byte, f Facts) ([]byte, error) {
	request, err := read(packet, f.Peer)
	if err != nil {
		return nil, err
	}
	reply, err := dhcpv4.New(
		dhcpv4.WithReply(request),
		dhcpv4.WithMessageType(dhcpv4.MessageTypeAck),
		dhcpv4.WithClientIP(f.Peer.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(f.Server.AsSlice())),
	)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotInform, err)
	}
	w := wishes(request)
	f.tell(reply, w)
	f.tellRoutes(reply, w)
	return wrap(f.Server, f.Peer, reply.ToBytes()), nil
}

// read finds the DHCPINFORM in an IPv4 packet.
func read(packet []byte, peer netip.Addr) (*dhcpv4.DHCPv4, error) {
	payload, err := unwrap(packet)
	if err != nil {
		return nil, err
	}
	request, err := dhcpv4.FromBytes(payload)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotInform, err)
	case request.OpCode != dhcpv4.OpcodeBootRequest || request.MessageType() != dhcpv4.MessageTypeInform:
		return nil, fmt.Errorf("%w: it is a %s", ErrNotInform, request.MessageType())
	case !request.ClientIPAddr.IsUnspecified() && !request.ClientIPAddr.Equal(peer.AsSlice()):
		return nil, fmt.Errorf("%w: it is about %s", ErrNotInform, request.ClientIPAddr)
	}
	return request, nil
}

// wants says which options a peer asks for.
type wants func(dhcpv4.OptionCode) bool

func wishes(request *dhcpv4.DHCPv4) wants {
	list := request.ParameterRequestList()
	return func(code dhcpv4.OptionCode) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(c dhcpv4.OptionCode) bool { return c.Code() == code.Code() })
	}
}

// tell puts everything but routes into the reply.
func (f *Facts) tell(reply *dhcpv4.DHCPv4, w wants) {
	if w(dhcpv4.OptionSubnetMask) {
		reply.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(32, 32)))
	}
	if len(f.DNS) > 0 && w(dhcpv4.OptionDomainNameServer) {
		reply.UpdateOption(dhcpv4.OptDNS(addresses(f.DNS)...))
	}
	if f.Suffix != "" && w(dhcpv4.OptionDomainName) {
		reply.UpdateOption(dhcpv4.OptDomainName(f.Suffix))
	}
	if len(f.NBNS) > 0 && w(dhcpv4.OptionNetBIOSOverTCPIPNameServer) {
		reply.UpdateOption(dhcpv4.OptNetBIOSNameServers(addresses(f.NBNS)...))
	}
}

// Sizes of an answer. One option holds 255 octets; some clients do not put together what RFC 3396 splits.
const (
	maxOption = 255
	headers   = 20 + 8 // IPv4 and UDP
	minLimit  = 576    // what every host takes (RFC 2131 section 2)
)

// tellRoutes adds as many routes as one option holds and the peer takes, in their order.
func (f *Facts) tellRoutes(reply *dhcpv4.DHCPv4, w wants) {
	if !w(dhcpv4.OptionClasslessStaticRoute) && !w(optionRoutesOfMicrosoft) {
		return
	}
	room := (max(f.Limit, minLimit) - headers - len(reply.ToBytes()) - 4) / 2
	value := RouteOption(f.Routes, f.Server, min(room, maxOption))
	if len(value) == 0 {
		return
	}
	reply.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClasslessStaticRoute, value))
	reply.UpdateOption(dhcpv4.OptGeneric(optionRoutesOfMicrosoft, value))
}

// RouteOption is the value of option 121 (RFC 3442): destination and router, again and again, as far as they fit.
func RouteOption(routes []netip.Prefix, router netip.Addr, limit int) []byte {
	var b []byte
	for _, r := range routes {
		if !r.Addr().Is4() {
			continue
		}
		octets := r.Masked().Addr().As4()
		entry := append([]byte{byte(r.Bits())}, octets[:(r.Bits()+7)/8]...)
		if entry = append(entry, router.AsSlice()...); len(b)+len(entry) > limit {
			break
		}
		b = append(b, entry...)
	}
	return b
}

func addresses(list []netip.Addr) (ips []net.IP) {
	for _, a := range list {
		ips = append(ips, a.AsSlice())
	}
	return ips
}
