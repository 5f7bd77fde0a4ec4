// Package quirk knows what kinds of clients need treated otherwise than others: phones that sleep, clients that do not
// answer HELLO, routers that forget their tunnel id. Recognise tells the kind from what a peer says in its SCCRQ, and a
// Profile turns the policy of a group into that for this peer.
//
// It does not talk to peers, and it changes nothing that the RFC demands: whoever is recognised wrongly is only waited
// for longer.
package quirk
