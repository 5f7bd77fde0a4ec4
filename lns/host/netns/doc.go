// Package netns builds small networks out of Linux network namespaces: namespaces with or without a name, veth pairs
// and bridges between them, addresses and routes, functions and commands run inside. The demo and the tests stand on it.
// It needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
//
// It does not touch the namespace of the caller: everything it makes is inside a namespace that it made, and goes with it.
package netns
