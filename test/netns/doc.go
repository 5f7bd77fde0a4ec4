// Package netns builds small networks out of Linux network namespaces: namespaces with or without a name, veth pairs
// and bridges between them, addresses and routes, functions and commands run inside. It needs CAP_SYS_ADMIN and
// CAP_NET_ADMIN.
//
// It does not import testing, so that a command may use it; Require takes any value with the methods of *testing.T.
package netns
