package order

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"layeh.com/radius"
)

// FuzzReplies has anything come from a NAS while it is asked: nothing panics, and only what is made with the secret counts.
func FuzzReplies(f *testing.F) {
	request := &radius.Packet{Code: radius.CodeDisconnectRequest, Identifier: 7}
	request.Add(typeMessageAuth, make([]byte, 16))
	octets, err := key.AppendRequest(nil, request)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{
		nil, octets, reply(octets, radius.CodeDisconnectACK), reply(octets, radius.CodeDisconnectNAK, refusing(503), signed),
		reply(octets, radius.CodeCoAACK), append(reply(octets, radius.CodeDisconnectACK), 1, 2, 3),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		s := New(Config{})
		p, _ := s.enter(background(), there)
		c := &call{key: key, code: request.Code, reply: make(chan *radius.Packet, 1), authenticator: [16]byte(octets[4:20])}
		p.waiting[7] = c
		s.take(datagram, there)
		select {
		case got := <-c.reply:
			if _, err := key.VerifyReply(datagram, c.authenticator); err != nil || got.Code != radius.CodeDisconnectACK && got.Code != radius.CodeDisconnectNAK {
				t.Errorf("%x was taken: %v", datagram, err)
			}
			_ = answerOf(got).Text
		default:
			if stats := s.Stats(); stats.Malformed+stats.Forged+stats.Late != 1 {
				t.Errorf("%x: %+v", datagram, stats)
			}
		}
	})
}

// TestRepliesCutAtEveryOctet never takes a part for the whole.
func TestRepliesCutAtEveryOctet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		s := New(Config{NAS: known(NAS{}), Listen: n.listen})
		whole := make(chan []byte, 1)
		n.nas = func(n *network, _ int, octets []byte, _ netip.AddrPort) {
			whole <- reply(octets, radius.CodeDisconnectNAK, refusing(503), signed)
		}
		done := make(chan bool)
		go func() { done <- s.Send(background(), disconnect()).Lost }()
		b := <-whole
		for i := range b {
			s.take(b[:i], there)
		}
		if stats := s.Stats(); stats.Malformed != uint64(len(b)) {
			t.Errorf("%+v", stats)
		}
		s.take(b, there)
		if !<-done {
			t.Error("the whole was not taken")
		}
		_ = s.Close()
	})
}
