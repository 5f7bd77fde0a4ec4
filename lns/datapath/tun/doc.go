// Package tun is the data path in user space: one TUN device per virtual template, any number of queues on each.
//
// Up, a transport reader hands every datagram that is not a control message to its Ingress, which finds the session,
// checks peer, sequence and source address, and collects IP packets until Flush writes them into the device. While a reader
// finds more datagrams waiting, packets are gathered in a copy, up to a thousand, because packets of one flow are written as one
// and the batch of a LAC has few of each. Otherwise no payload is copied.
//
// Down, one goroutine per queue reads packets, finds the session by destination address, writes PPP and L2TP headers into the
// free octets in front of the packet and sends it, without a copy. Neither direction allocates per packet.
//
// Of several queues the kernel takes the one that the destination address of a packet chooses, by a BPF program where the host
// takes one. What peers send is carried through the host's stack by the reader itself, or on request by threads of the
// kernel, one for each queue: less work with many flows, and work beside the reader, but with few flows two threads wait for
// each other where one had gone on.
//
// What is over a session's rate waits in a copy for up to a tenth of a second, so that TCP finds a queue that it can fill and
// keeps to the rate; only what would wait longer is dropped. One goroutine per device lets go what waits.
//
// IPv4 and IPv6 go the same way. What a peer says to its IPv6 neighbour, such as router solicitations, is left to the
// engine; nothing else that is of one link only leaves it.
//
// What leaves the limits of a peer: packets longer than its MRU are fragmented, or refused with an ICMP "fragmentation
// needed" when they must not be; IPv6 packets never are. The device's own MTU makes the host do the same earlier; this is for peers whose MRU
// is smaller than the device's MTU.
//
// It does not set addresses, routes or link state (lns/host does), speak PPP control protocols, or own a socket.
package tun
