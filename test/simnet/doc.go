// Package simnet is a network in memory for tests: endpoints with addresses that send datagrams to each other with
// latency, jitter, loss, duplication and reordering, a NAT, and hooks to lose the n-th datagram or to watch them all.
// Its timers are those of package time, so that inside a testing/synctest bubble minutes pass at once; with equal seeds
// and equal sends, equal things happen.
//
// It knows no protocol, has no MTU and no bandwidth, and answers nothing by itself: a datagram to nobody is lost silently.
package simnet
