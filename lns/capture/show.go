package capture

import (
	"fmt"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// Data is how much of the packets of users a capture shows.
type Data uint8

// The amounts.
const (
	NoData      Data = iota // they are left out
	DataHeaders             // IP, TCP and UDP headers
	WholeData               // all
	dataCount
)

var dataNames = [dataCount]string{"none", "headers", "whole"}

// String returns the amount in one lower-case word.
func (d Data) String() string {
	if d < dataCount {
		return dataNames[d]
	}
	return fmt.Sprintf("data %d", uint8(d))
}

// ParseData reads what String writes. The empty word is none.
func ParseData(word string) (Data, error) {
	for d, name := range dataNames {
		if word == name {
			return Data(d), nil
		}
	}
	if word == "" {
		return NoData, nil
	}
	return NoData, fmt.Errorf("there is no amount of user data %q: it is none, headers or whole", word)
}

// Shown is how much of what passes a capture shows.
type Shown struct {
	Secrets bool // passwords, responses, challenges and hidden AVPs as they are; otherwise zeros of the same length
	Data    Data
}

// show returns what a file may show of a datagram; false: nothing. The octets are a view into b, or fresh.
func (o Shown) show(b []byte) ([]byte, bool) {
	h, payload, err := l2tp.ParseHeader(b)
	if err != nil {
		return b[:min(len(b), 4)], true // flags, version and length; the rest may be anything
	}
	start := cap(b) - cap(payload)
	if h.Control {
		if o.Secrets {
			return b, true
		}
		return l2tp.AppendMasked(fresh(b[:start], b), payload), true
	}
	protocol, packet, err := ppp.ParseFrame(payload)
	start += len(payload) - len(packet)
	switch {
	case err != nil:
		return b[:cap(b)-cap(payload)], true
	case userData(protocol):
		return o.showData(protocol, b, start, packet)
	case o.Secrets:
		return b, true
	}
	return ppp.AppendMasked(fresh(b[:start], b), protocol, packet), true
}

func (o Shown) showData(p ppp.Protocol, b []byte, start int, packet []byte) ([]byte, bool) {
	switch {
	case o.Data == NoData:
		return nil, false
	case o.Data == WholeData:
		return b, true
	case p == ppp.IPv4 || p == ppp.IPv6:
		return b[:start+headersOf(packet)], true
	}
	return b[:start], true
}

// fresh copies the head of a datagram to memory with room for all of it.
func fresh(head, whole []byte) []byte { return append(make([]byte, 0, len(whole)), head...) }

// userData says whether packets of this protocol are those of users.
func userData(p ppp.Protocol) bool { return p < ppp.FirstControl }
