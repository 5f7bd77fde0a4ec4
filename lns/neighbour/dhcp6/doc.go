// Package dhcp6 reads and writes the DHCPv6 messages (RFC 8415) between a router and the peer of a point-to-point link, in
// terms of netip. It puts a library behind a few plain values.
//
// It does not decide what to answer (lns/neighbour does), and knows no UDP.
package dhcp6
