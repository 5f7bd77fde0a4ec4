// Package foreign keeps the sessions of NASes that lnsgate does not run itself but answers as a RADIUS server. It gives them
// addresses, counts them towards the limits of their account and domain, hands on what their NASes tell of them, and has them
// ended or changed when what their account gets is no longer what they were granted.
//
// A session begins as a login: an address is offered and a place within the limits is taken. The Start of the NAS binds both,
// each Interim keeps them, and the Stop gives them back; without a Start they fall back after Config.Offer. A NAS that
// says that it has started anew has none of the sessions that began before, and one that has been silent about a session for
// too long has lost it.
//
// What is known of sessions is kept by a Store: in a file for one node, in PostgreSQL for many.
//
// It does not speak RADIUS (aaa/radiusserver takes what NASes say, aaa/radius/order tells them what to do), does not check
// passwords and does not choose addresses.
package foreign
