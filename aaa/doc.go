// Package aaa is the contract between the network server and everything that knows users: who is it, may they, and
// what do they get. It holds the words both sides share (Identity, Proof, Request, Decision, Rejection), the Backend a
// store of accounts implements, and the Gateway, which chooses the domain, walks its chain of back ends and merges what
// the account and the domain grant.
//
// It does not hash a password (aaa/secret), does not store an account (aaa/local and its siblings), does not give out an
// address (pool) and does not speak PPP or RADIUS. It starts no goroutine, keeps no clock and writes no log: whatever
// it has to tell the administrator is in Decision.Rule, in Rejection, and in the Trail of whoever wants to know more.
package aaa
