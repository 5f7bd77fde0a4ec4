// Package explain proves that every login explains itself: each cause that the server can name is provoked by a peer, a server or
// an administrator that behaves so, and the record of the attempt has to name that cause and no other, with what matters of it, and
// no secret. It does not test how peers are served; that is what test/peers and test/e2e do.
package explain
