// Package peers is the quirk lab: a scriptable L2TP client, router or LAC that behaves exactly as a named real one does,
// and the tests that show that the server copes with it. A Profile says what a peer puts on the wire and how patient it
// is; a Peer plays it, octet by octet, and notes as a fault whatever the real one would not have understood.
//
// It is written from descriptions of those clients and from the RFCs, with an encoder and a decoder of its own. It uses
// neither the state machines of the server nor those of lns/lac, so that a misreading of the RFC in one does not hide
// the same misreading in the other.
package peers
