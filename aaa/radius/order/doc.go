// Package order tells other NASes what to do with sessions of theirs: to end one, or to change what it was granted
// (Disconnect-Request and CoA-Request, RFC 5176, as the RADIUS server that it calls the dynamic authorization client).
//
// One socket for each family serves all NASes, and whoever calls Send waits for its own answer: a NAS that is not asked costs
// nothing. A request is repeated octet by octet until it is answered (RFC 5080 section 2.2.1). What comes from the network and
// is not the answer changes nothing but a counter.
//
// It does not know sessions, does not decide what is to be changed, and does not keep orders: aaa/foreign does.
package order
