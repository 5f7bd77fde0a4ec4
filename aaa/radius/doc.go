// Package radius is the NAS half of RADIUS: it asks servers who a user is and what they get, and tells them of sessions.
//
// Backend is an aaa.Backend for one group of servers: it makes an Access-Request of a login, relays EAP (RFC 3579), and reads
// the answer. Recorder is the sink of an accounting spool: it makes Accounting-Requests of records and answers only when a
// server has confirmed them (RFC 2866).
//
// It does not send or repeat (aaa/radius/client), sign (wire) or know the attributes that vendors have for an Accept
// (dialect), and it does not let servers change sessions (dynauth). It keeps nothing over a restart: that is for the spool.
package radius
