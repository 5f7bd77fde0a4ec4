package negotiate

import (
	"testing"
	"time"

	"lnsgate/lns/ppp"
)

// machines are one of each kind, in Req-Sent.
func machines() []driver {
	all := []driver{serverLCP(), clientLCP(), serverIPCP(), clientIPCP(), serverIPv6CP(), clientIPv6CP()}
	for _, d := range all {
		var out Out
		d.Open(start, &out)
		d.Up(start, &out)
	}
	return all
}

// FuzzReceive feeds packets in any order. The input is cut into pieces: an octet
// for the length and that many octets of packet. Between them time passes.
func FuzzReceive(f *testing.F) {
	seed := func(packets ...[]byte) {
		var all []byte
		for _, p := range packets {
			all = append(append(all, byte(len(p))), p...)
		}
		f.Add(all)
	}
	seed()
	seed(packet(ppp.ConfigureRequest, 1, lacReceived...), packet(ppp.ConfigureAck, 1, lacSent...))
	for _, d := range machines() {
		var out Out
		d.Down(start, &out)
		d.Up(start, &out)
		request := out.Frames[0].Packet
		ack, nak, reject := append([]byte(nil), request...), append([]byte(nil), request...), append([]byte(nil), request...)
		ack[0], nak[0], reject[0] = 2, 3, 4
		seed(ack, packet(ppp.ConfigureRequest, 9), packet(ppp.EchoRequest, 1, 0, 0, 0, 0, 1), packet(ppp.TerminateRequest, 2), packet(ppp.TerminateAck, 3))
		seed(nak, reject, packet(99, 1), packet(ppp.CodeReject, 1, 1), packet(ppp.ProtocolReject, 1, 0x80, 0x21))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range machines() {
			feed(t, d, data)
		}
	})
}

func feed(t *testing.T, d driver, data []byte) {
	now := start
	var out Out
	for len(data) > 0 {
		n := min(int(data[0]), len(data)-1)
		piece := data[1 : n+1]
		data = data[n+1:]
		now = now.Add(200 * time.Millisecond)
		out.Reset()
		d.Receive(piece, now, &out)
		if len(out.Frames) > 3 {
			t.Fatalf("one packet is answered with %d", len(out.Frames))
		}
		for _, f := range out.Frames {
			if len(f.Packet) > ppp.DefaultMRU {
				t.Fatalf("an answer of %d octets", len(f.Packet))
			}
			p, err := ppp.ParsePacket(f.Packet)
			if err != nil {
				t.Fatal(err)
			}
			if p.Code >= ppp.ConfigureRequest && p.Code <= ppp.ConfigureReject && ppp.Options(p.Data).Check() != nil {
				t.Fatalf("we sent a malformed list: % x", f.Packet)
			}
		}
		d.Advance(now, &out)
		if d.State().timed() && d.Deadline().IsZero() {
			t.Fatalf("no timer in %v", d.State())
		}
	}
	for range 200 {
		if at := d.Deadline(); d.State().timed() {
			d.Advance(at, &out)
		}
	}
	if d.State().timed() {
		t.Fatalf("it never comes to rest: %v", d.State())
	}
}

// FuzzAdopt feeds the three lists of the proxy LCP.
func FuzzAdopt(f *testing.F) {
	f.Add(lacReceived, lacSent, lacReceived)
	f.Add([]byte{}, []byte{1, 4, 5}, []byte{17, 4, 6, 0})
	f.Fuzz(func(t *testing.T, initial, sent, received []byte) {
		l := serverLCP()
		var out Out
		err := l.Adopt(initial, sent, received, start, &out)
		if (err == nil) != (l.State() == Opened) {
			t.Fatalf("%v in %v", err, l.State())
		}
		if r := l.Result(); r.PeerMRU < ppp.MinimumMRU || r.PeerMRU > 1460 {
			t.Fatalf("%+v", r)
		}
	})
}
