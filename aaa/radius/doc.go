// Package radius is the NAS half of RADIUS: it asks servers who a user is and what they get, and tells them of sessions.
//
// Backend is an aaa.Backend for one group of servers: it makes an Access-Request of a login, relays EAP (RFC 3579), and reads
// the answer. Recorder is the sink of an accounting spool: it makes Accounting-Requests of records and answers only when a
// server has confirmed them (RFC 2866).
//
// Where another NAS asked lnsgate (aaa.Request.NAS), the request goes on as a new one: without its Proxy-State, with what lnsgate
// understands of it and nothing else, and by the name and port of that NAS. Servers end all sessions of a NAS that says that it
// has started; those of others outlive this process. The session is named as lnsgate names it (aaa.Request.Session), and its
// records say the same of it as the request did. Keys of the link that come with the yes are read for that NAS.
//
// It does not send or repeat (aaa/radius/client), sign (wire) or know the attributes that vendors have for an Accept
// (dialect), and it does not let servers change sessions (dynauth). It keeps nothing over a restart: that is for the spool.
package radius
