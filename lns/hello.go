package lns

import (
	"bytes"
	"time"

	"lnsgate/lns/l2tp"
)

// helloPace is how often the HELLO of a tunnel is answered out of its turn: no peer asks more often, and one that does shall not
// keep the goroutine busy that reads for all.
const helloPace = 100 * time.Millisecond

// helloNow answers the HELLO of a peer that is in right here, on the goroutine that reads the socket: while thousands come at once
// the tunnel's own would have to wait for its turn, and a peer without an answer gives the tunnel up. It says false when the
// datagram is to go the usual way: it is something else, the tunnel is busy, or not up.
func (t *tunnel) helloNow(payload, datagram []byte, now time.Time) bool {
	if l2tp.PeekType(payload) != l2tp.TypeHello || !t.live.Load() {
		return false
	}
	t.mail.hurry()
	if !t.mail.borrow() {
		return false
	}
	if now.Sub(t.greeted) < helloPace {
		t.mail.giveBack()
		return false
	}
	t.greeted = now
	t.heard.Store(now.UnixNano())
	controlMessage{bytes.Clone(datagram)}.deliver(t, now)
	if t.over {
		t.server.readers.runAs(t.mail.read, true) // it is this tunnel's reader now, and leaves
		return true
	}
	t.setTimer()
	t.mail.giveBack()
	return true
}
