package client

import (
	"time"

	"layeh.com/radius"
)

// Request is one question to a group.
type Request struct {
	Code radius.Code
	// Build adds the attributes. The packet has code, secret, identifier and authenticator of the server that is to be
	// asked, so that passwords can be hidden with them; of these it must change nothing. It is called once for each server
	// that is tried, from the goroutine that called Exchange. The packet is not valid after it returns. A
	// Message-Authenticator is not for Build to add. An error ends the exchange, and is what Exchange returns.
	Build func(p *radius.Packet) error
	// Server is the name of the only server to ask, as a conversation with State needs it; "" = the best.
	Server string
}

// Reply is an answer that was checked.
type Reply struct {
	// Packet has the secret of the server, and in Authenticator that of the request, so that hidden attributes can be read.
	Packet *radius.Packet
	Server string        // who answered
	RTT    time.Duration // from the transmission before the answer
	Signed bool          // it carried a Message-Authenticator
}
