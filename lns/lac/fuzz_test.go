package lac

import (
	"encoding/binary"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// FuzzCaller lets a hostile server say anything at any stage: a number of steps of a good login, then the datagrams of
// the input, each with its length in front, with our ids written in so that they get as far as they can.
func FuzzCaller(f *testing.F) {
	recorded := newWorld(f, chapLNS(), testConfig())
	var seeds [][]byte
	recorded.lose = func(int, bool) bool { return false }
	recorded.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	for !recorded.isUp() {
		for _, d := range recorded.flying {
			if !d.toServer {
				seeds = append(seeds, d.datagram)
			}
		}
		recorded.step(recorded.now.Add(time.Second))
	}
	for i, s := range seeds {
		f.Add(uint8(i), append([]byte{byte(len(s))}, s...))
	}
	for steps := range uint8(60) {
		terminate := ppp.Packet{Code: ppp.TerminateRequest, Identifier: 3}.Append([]byte{0xff, 0x03, 0xc0, 0x21})
		d := append(l2tp.AppendDataHeader(nil, l2tp.Header{Length: true}, len(terminate)), terminate...)
		f.Add(steps, append([]byte{byte(len(d))}, d...))
	}
	f.Fuzz(func(t *testing.T, steps uint8, input []byte) {
		w := newWorld(t, chapLNS(), testConfig())
		w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP, aaa.MSCHAPv2, aaa.PAP))
		for range steps {
			w.step(w.now.Add(time.Second))
		}
		for len(input) > 0 {
			n := min(int(input[0]), len(input)-1)
			d := address(append([]byte(nil), input[1:1+n]...))
			input = input[1+n:]
			w.caller.Receive(d, w.now, &w.out)
			w.collect()
		}
		w.caller.Close(w.now, &w.out)
		w.collect()
		for range 10_000 {
			if w.finished || !w.step(w.now.Add(10*time.Minute)) {
				break
			}
		}
		if !w.finished {
			t.Fatal("the caller does not come to an end")
		}
		if len(w.ended) != 1 {
			t.Fatalf("the call ended %d times", len(w.ended))
		}
	})
}

// address writes our ids into a datagram that is long enough to have some.
func address(d []byte) []byte {
	at := 2
	if len(d) > 0 && d[0]&0x40 != 0 {
		at = 4
	}
	if len(d) >= at+4 {
		binary.BigEndian.PutUint16(d[at:], 4711)
		binary.BigEndian.PutUint16(d[at+2:], uint16(7)*uint16(d[at+3]&1))
	}
	return d
}
