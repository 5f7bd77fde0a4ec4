// Package guard keeps guessers away from passwords. A Guard stands before whoever checks logins, and lets those wait longer and longer who
// fail; Bans are the names and networks that are shut out until they are let in again, by an operator's word or because they failed too
// often. It does not check a password, and it does not know who does: accounts of the file, of a database and of a RADIUS server are
// guarded alike.
package guard
