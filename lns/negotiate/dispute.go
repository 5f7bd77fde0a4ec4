package negotiate

import (
	"fmt"

	"lnsgate/lns/ppp"
)

// What the reason leaves open is put into words when a negotiation fails, and
// only then: an agreement keeps nothing of it.

// countCopies tells how often we have asked for nothing.
func (m *machine) countCopies() {
	m.detail = fmt.Sprintf("%d Configure-Requests sent, none answered", m.attempt)
}

// quoteAnswer tells what the peer said to our request in the end.
func (m *machine) quoteAnswer(p policy, in ppp.Packet) {
	var room [requestRoom]byte
	ours := ppp.Packet{Code: ppp.ConfigureRequest, Data: p.appendRequest(room[:0])}
	m.detail = fmt.Sprintf("we ask for %s; the peer's answer is %s: %s", ours.Detail(p.protocol()),
		ppp.CodeName(p.protocol(), in.Code), in.Detail(p.protocol()))
}

// quoteRequest tells what the peer insists on, and what we say to it.
func (m *machine) quoteRequest(p policy, in ppp.Packet, answer []byte) {
	ours := ppp.Packet{Code: ppp.Code(answer[0]), Data: answer[ppp.HeaderSize:]}
	m.detail = fmt.Sprintf("the peer insists on %s; our answer is %s: %s", in.Detail(p.protocol()),
		ppp.CodeName(p.protocol(), ours.Code), ours.Detail(p.protocol()))
}

// quoteReject tells which code the peer does not know.
func (m *machine) quoteReject(p policy, code ppp.Code) {
	m.detail = "the peer does not know " + ppp.CodeName(p.protocol(), code)
}

// Detail tells more of Reason, in words: what was asked how often, or what each
// side insisted on. It is empty where there is no more to tell.
func (l *LCP) Detail() string { return l.m.detail }

// Heard says that something of the peer came: its frames reach us.
func (l *LCP) Heard() bool { return l.m.heard }

// Detail tells more of Reason, see LCP.Detail.
func (i *IPCP) Detail() string { return i.m.detail }
