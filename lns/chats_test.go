package lns

import (
	"net/netip"
	"testing"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
)

// chat is a data message with a DHCPv6 message of a session's peer, or an LCP Echo-Request.
func chat(t *tunnel, session int, lcp bool) []byte {
	frame := []byte{0xff, 3, 0xc0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0}
	if !lcp {
		packet := make([]byte, 48)
		packet[0], packet[5], packet[6], packet[7] = 0x60, 8, 17, 255
		copy(packet[8:], netip.MustParseAddr("fe80::2").AsSlice())
		copy(packet[24:], netip.MustParseAddr("ff02::1:2").AsSlice())
		copy(packet[40:], []byte{2, 34, 2, 35, 0, 8, 0, 0})
		frame = append([]byte{0xff, 3, 0, 0x57}, packet...)
	}
	h := l2tp.Header{Length: true, Tunnel: t.id, Session: l2tp.SessionID(session)}
	return append(l2tp.AppendDataHeader(nil, h, len(frame)), frame...)
}

// What one session says to its neighbour does not keep out the control of the others, nor what they say.
func TestChatHasAShareOfTheMailbox(t *testing.T) {
	s := crowd(1, 200)
	tun := s.tunnels.all()[0]
	tun.home.Store(&tun.path.Remote)
	tun.mail.reading = true // nobody reads for now
	from := datapath.Path{Remote: tun.path.Remote}
	for range 2000 {
		s.frame(from, chat(tun, 1, false))
	}
	if n := len(tun.mail.letters); n != maxSessionChat {
		t.Errorf("%d frames of one session wait", n)
	}
	if s.frame(from, chat(tun, 2, false)); len(tun.mail.letters) != maxSessionChat+1 {
		t.Error("another session is not heard")
	}
	for i := range 200 {
		for range 10 {
			s.frame(from, chat(tun, i+1, false))
		}
	}
	if n := len(tun.mail.letters); n != maxChat {
		t.Errorf("%d frames of all sessions wait", n)
	}
	if s.frame(from, chat(tun, 1, true)); len(tun.mail.letters) != maxChat+1 {
		t.Error("control is kept out")
	}
	for i, l := range tun.mail.take() {
		if i%2 == 0 {
			l.lost(s)
		} else {
			l.deliver(tun, time.Now())
		}
	}
	if tun.chats.all != 0 || tun.chats.waiting != nil {
		t.Errorf("still counted: %d, %v", tun.chats.all, tun.chats.waiting)
	}
	tun.mail.close()
	if s.frame(from, chat(tun, 1, false)); tun.chats.all != 0 {
		t.Error("what a closed mailbox does not take is counted")
	}
}
