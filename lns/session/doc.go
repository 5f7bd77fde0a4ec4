// Package session is one subscriber's life, from the moment its call is up until it is over: it agrees on the link (LCP),
// learns who the peer is, has that checked, obtains addresses, agrees on them (IPCP, IPv6CP), says when user traffic may flow, keeps
// the link alive and ends it for a stated reason.
//
// It composes the machines of negotiate and authenticate and is as pure as they are: frames, answers and the time come in
// through methods, what must be done goes out through Out. It does not send, check, lease or forward anything itself.
package session
