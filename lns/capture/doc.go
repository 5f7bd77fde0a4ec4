// Package capture writes down what one subscriber and the server say to each other, in the pcapng format, for Wireshark: the
// control messages and PPP control frames of a login, with true addresses and times, what is secret in them masked, and the
// verdict as a comment on the last packet. Tap is what it costs when nobody captures: one look at a variable for each call.
//
// A capture may be armed before the call that it is about exists: then the datagrams of every attempt to log in are held in bounded
// memory until it is known whose it is, or that it has failed.
//
// It does not decide who may see a capture, speak HTTP, or look into packets of users beyond their headers; it does not own
// tunnels or sessions, and learns of them from what passes and from the events of logins.
package capture
