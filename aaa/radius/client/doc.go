// Package client asks RADIUS servers, over UDP (RFC 2865, 2866, 5080) and over TLS (RFC 6614).
//
// A Group is a set of servers that stand in for each other, for one purpose: authentication or accounting. Exchange sends
// a request to the best of them, repeats it octet by octet until it is answered, goes on to the next server when it is
// not, and returns an answer that was checked. How the group knows which server is the best is in state.go: servers are
// alive, zombie, dead or probing (RFC 5997).
//
// A server has one connected socket with 256 identifiers, and more when more requests are on their way at once. A socket
// for each request would fill the memory of the other end. Identifiers are used in turn, and rest after a request that was
// never answered. A storm is spread so that it fits in the receive buffer of the other end: burst.go.
//
// What comes from the network and is not the answer changes nothing but a counter: not the request that waits, and not
// its timers.
//
// There is one goroutine for all timers of a group, one for each server that opens and closes its sockets, and one for
// each socket that reads. There is none per request. One mutex of the group guards everything that they share; nobody
// holds it while reading, writing or waiting.
//
// The package does not know attributes but those it needs for itself, does not keep requests over a restart, and does
// not decide what an answer means.
package client
