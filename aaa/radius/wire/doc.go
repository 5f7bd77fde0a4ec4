// Package wire signs, checks and takes apart RADIUS packets (RFC 2865, 2866, 2869, 5176), and names the attributes of
// vendors.
//
// A Key holds a shared secret. With it a packet is encoded and signed, Message-Authenticator first where one belongs, and
// a datagram is checked: its lengths, its authenticator and its Message-Authenticator, all over the length that the packet
// declares, for octets beyond that are padding. Secrets and digests are compared in constant time.
//
//	key := wire.NewKey("testing123")
//	octets, err := key.AppendRequest(nil, packet)
//	...
//	verified, err := key.VerifyReply(datagram, requestAuthenticator)
//	reply := key.Parse(verified)
//
// The codec of single attributes is that of layeh.com/radius. The package does not send or receive, does not wait, and
// does not know what an attribute is good for.
package wire
