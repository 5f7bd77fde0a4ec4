// Package neighbour is what the two ends of a PPP link say to each other about IPv6 once IPv6CP has opened it. Router, the
// end that serves, advertises itself and the session's prefix (RFC 4861, RFC 8106), answers neighbour solicitations and
// pings to its own address, and serves DHCPv6: name servers, a delegated prefix, one address (RFC 8415). Host is the end
// that dials, and takes all that.
//
// It is pure: packets and the time come in through methods, the packets to send come out. It does not negotiate the link
// (lns/negotiate), choose prefixes (pool), or carry packets that go any further.
package neighbour
