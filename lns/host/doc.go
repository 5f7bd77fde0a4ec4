// Package host arranges the network of this machine around the virtual templates, by netlink: address, MTU and state of
// their devices, routes to the pools, IPv4 and IPv6 forwarding, and proxy ARP for peers whose addresses lie inside a network that
// an interface of this machine is attached to. Everything it does it undoes on Close, last first.
//
// What belongs to lnsgate can be told apart after a crash: routes carry the routing protocol number RouteProtocol, proxy
// ARP entries carry it too (NDA_PROTOCOL), devices are known by name, and old values of sysctls are kept in a journal
// file. CleanUp removes what a predecessor left.
//
// It does not create the devices (lns/datapath/tun does), carry packets, or touch firewalls.
package host
