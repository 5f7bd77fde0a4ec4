// Package order tells other NASes what to do with sessions of theirs: to end one, or to change what it was granted
// (Disconnect-Request and CoA-Request, RFC 5176).
//
// One socket for each family serves all NASes, and whoever calls Send waits for its own answer: a NAS that is not asked costs
// nothing. A request is repeated octet by octet until it is answered (RFC 5080 section 2.2.1). What comes from the network and
// is not the answer changes nothing but a counter.
//
// # How a session is named
//
// In the words of its NAS: all attributes of a request must fit (RFC 5176 section 3), so one too many is as bad as one too few.
// There is always Event-Timestamp, which some demand, and Message-Authenticator. There is no Proxy-State: we are no proxy.
//
//	all         Acct-Session-Id and User-Name
//	but WISPr   Framed-IP-Address: MikroTik wants two names besides Acct-Session-Id, and l2tpns knows none but User-Name,
//	            Framed-IP-Address and NAS-Port
//	WISPr       Calling-Station-Id, as access points know stations by their MAC; hostapd refuses Framed-IP-Address
//	Standard, WISPr, Accel   NAS-Identifier, if the NAS said one: accel-ppp can be set to demand it. MikroTik and Cisco do
//	            without, and some switches refuse it
//	all behind a proxy       NAS-Identifier, and NAS-IP-Address or NAS-IPv6-Address, for the proxy to find the NAS
//
// A NAS that is asked directly gets no NAS-IP-Address: behind NAT, or bound to no address as l2tpns is by default, it thinks
// that another is meant (403). One that finds an attribute unsupported (401) or its value wrong (407), and it may be a name, is
// asked once more with Acct-Session-Id alone.
//
// The package does not know sessions, does not decide what is to be changed, and does not keep orders: aaa/foreign does. What
// can be changed in which words stands in aaa/radius/dialect.
package order
