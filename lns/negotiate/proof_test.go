package negotiate

import (
	"testing"

	"lnsgate/lns/ppp"
)

func TestRFC1661Section5_8_OnlyThePeersMagicNumberProves(t *testing.T) {
	l := serverLCP()
	if _, ok := l.Question(); ok {
		t.Error("a question on a link that is not open")
	}
	openedLCP(t, l, 5, 6, 9, 8, 7, 6)
	question, ok := l.Question()
	if p, err := ppp.ParsePacket(question); !ok || err != nil || p.Code != ppp.EchoRequest {
		t.Fatalf("% x", question)
	}
	answer := packet(ppp.EchoReply, question[1], 9, 8, 7, 6)
	if !l.Proves(answer) {
		t.Error("the peer's answer proves nothing")
	}
	for name, b := range map[string][]byte{
		"our own number":   packet(ppp.EchoReply, question[1], 0x11, 0x11, 0x11, 0x11),
		"zero":             packet(ppp.EchoReply, question[1], 0, 0, 0, 0),
		"a request":        packet(ppp.EchoRequest, question[1], 9, 8, 7, 6),
		"to another":       packet(ppp.EchoReply, question[1]+1, 9, 8, 7, 6),
		"without a number": packet(ppp.EchoReply, question[1]),
	} {
		if l.Proves(b) {
			t.Errorf("%s proves", name)
		}
	}
	for n := range answer {
		if l.Proves(answer[:n]) {
			t.Errorf("%d octets of it prove", n)
		}
	}
	silent := serverLCP()
	openedLCP(t, silent)
	if _, ok := silent.Question(); ok || silent.Proves(packet(ppp.EchoReply, question[1], 0, 0, 0, 0)) {
		t.Error("a peer without a magic number proves")
	}
}
