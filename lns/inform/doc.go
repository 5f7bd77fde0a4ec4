// Package inform answers the DHCPINFORM that Windows and macOS send into a link once they have their address by IPCP (RFC
// 2131 section 4.4.3): it tells them the networks that are reached through the link, the DNS suffix, and the name servers.
//
// It gives no addresses and keeps no leases: every other DHCP message is left without an answer. It reads and writes whole
// IPv4 packets, and sends nothing itself.
package inform
