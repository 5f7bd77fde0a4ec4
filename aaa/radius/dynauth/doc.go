// Package dynauth lets RADIUS servers end and change live sessions: Disconnect and CoA (RFC 5176), from known sources only.
//
// A request is checked in this order, and what does not get through a step costs no more than that step: source, lengths,
// authenticators, age, whether it was answered before. Then it is understood as a whole before anything is done: is it for
// this server, which sessions does it name, what does it want of them. It applies to all sessions that match, and its
// answer is sent only after that is done. A yes is a yes for all of them.
//
// It does not know sessions: aaa.Sessions finds, changes and ends them. It does not speak of pools, addresses or tunnels that
// a living session cannot change, and it does not ask for authorization anew.
package dynauth
