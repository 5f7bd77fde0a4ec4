// Package foreign keeps the sessions of NASes that lnsgate does not run itself but answers as a RADIUS server. It gives them
// addresses, counts them towards the limits of their account and domain, hands on what their NASes tell of them, and has them
// ended or changed when what their account gets is no longer what they were granted.
//
// A session begins as a login: an address is offered, with the prefixes of its link and of the networks behind it where its domain
// has pools of them, and a place within the limits is taken. The Start of the NAS binds all, each Interim keeps them, and the Stop
// gives them back; without a Start they fall back after Config.Offer. A NAS that does not speak IPv6 never uses the prefixes; nothing
// in a request tells, so they are lent all the same. Where NASes do not tell of prefixes our Class does. A NAS that
// says that it has started anew has none of the sessions that began before, and one that has been silent about a session for
// too long has lost it.
//
// What is known of sessions is kept by a Store: in a file for one node, in PostgreSQL for many.
//
// A client of the RADIUS server may have so many live sessions and no more (Client.MostSessions): then its logins are refused and
// records that would begin another are not taken, so that the NAS keeps them. They are counted by the Store once in every Sweep, and
// here in between; of what other nodes hear meanwhile nothing is known.
//
// It does not speak RADIUS (aaa/radiusserver takes what NASes say, aaa/radius/order tells them what to do), does not check
// passwords and does not choose addresses.
//
// # What a crash does
//
// A record is confirmed to its NAS when all of this is done, in this order, and the NAS sends it again otherwise:
//
//	Start, Interim   address kept, place taken | record where no crash takes it away (Records) | session in the Store
//	Stop             record where no crash takes it away | session out of the Store | address and place given back
//
// At each bar the process may die. An address that was kept and not written down runs out by itself; a place that was taken ends
// with the process. A record that is stored and not in the Store comes again, and a Sink of records takes it once. After a Stop
// is written down the address runs out by itself and the place ends with the process, and the Stop that comes again gives both
// back. Nothing is given back before it is written down that the session has ended.
//
// What the pools or the registry cannot be told (they are away) does not hold up a record: it is owed, and tried again until it is done.
// With pools in memory nobody is let in after a start before the sessions of the Store have their addresses and places again,
// and before addresses that were offered shortly before are set aside (Offers).
//
// # What is late, and what is a guess
//
// A record with a Sequence that is not above that of the one before changes nothing, and neither does one of a session that has
// ended. A Stop that is made here is a guess: it has the next Sequence, so that a NAS that goes on telling of the session opens it
// again, and the NAS's own Stop, which has the highest, counts more. Only what a NAS says of the time before it started anew
// opens nothing.
//
// Silent is a session of which nothing was heard for three Interims and two minutes. A NAS that has never sent an Interim may not
// send any, whatever it was asked for; its sessions have a day. The clock of a NAS does not count, and neither does the time
// in which this process was away, nor for what another node hears, in which the Store was.
//
// A NAS that does not send our Class back names its sessions itself; they are found by Acct-Session-Id or by the address, or the
// prefix, that was offered. Where another node had the login, and the offer cannot be found, the address it says it has is taken over
// from the offer.
//
// # Orders
//
// What a NAS is to be told is written down first (Store.Order), told at once, and told again until it is answered or the session
// is over. The key of an order is made of what the session had and what it is to have, so that of several nodes which see the same
// change one tells it; it is compared with the session's last order alone, so that a change and its opposite can follow each
// other for ever, and what a NAS has refused is not asked again and again. A NAS that does not answer holds up no other.
// A session that its NAS says it has ended, or does not know, is closed here when no Stop comes.
package foreign
