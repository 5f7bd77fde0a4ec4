// Package radiusserver is the server half of RADIUS: other NASes ask it who a user is and what they get, and tell it of their
// sessions (RFC 2865, 2866, 2869, 2548, 3579, 5997). The same aaa.Authenticator answers that answers for our own tunnels.
//
// A datagram is checked in this order, and what does not get through a step costs no more than that step: source, lengths and
// code, authenticators, what the client must sign, whether it came before. Only then is it understood and answered: at once
// with a yes, after a delay that is the same for every reason with a no, and not at all when nobody could be asked, so that
// the NAS asks its next server. Of a request that comes twice the second gets the same octets again. A no never has more
// octets than a request that anybody could have forged, so the server is no good as an amplifier. No client has more than three
// quarters of what is answered at the same time, and of what is remembered the client gives way that has most.
//
// Over TLS (RFC 6614) one port serves both kinds of requests. Who is there is found out by certificate and source, nothing comes
// twice, requests of one connection are answered as their answers come, and a client that does not read, or stops in the middle
// of a packet, costs its own connection only.
//
// What is granted is said in the words of the kind of equipment (aaa/radius/dialect). With each yes goes a mark, in Class, that
// the NAS sends back with its records: it tells which login a record belongs to, over restarts of both.
//
// It does not know accounts, does not store records, does not give out addresses, does not lead EAP conversations and does
// not change sessions of a NAS: Config names who does. It signs with aaa/radius/wire.
package radiusserver
