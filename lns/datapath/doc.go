// Package datapath is the contract between the engine and whatever carries user packets: what a session needs to be
// carried (Spec), where its peer is (Path), what has been carried (Counters), and the three directions datagrams take
// (Ingress from the readers, Session for one subscriber, Sender towards the peers).
//
// It is types only. It does not open a socket or a device, hold a table of sessions, or know PPP and L2TP control
// messages; those live in lns/transport, in the packages below this one, and in the engine.
package datapath
