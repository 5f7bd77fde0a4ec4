package e2e

import "testing"

// bySession is the usual table, where sockets share out sessions.
const bySession = usual + `
udp: {sockets: 4, spread: sessions}
`

// Control messages, PPP and packets of one client come by several sockets, and it notices nothing.
func TestSessionsAreSharedOutAmongSockets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clean := w.snapshot()
	s := w.serve(bySession)
	for range 3 {
		w.carriesExactly(s)
	}
	s.stop()
	checkSnapshot(t, clean, w.snapshot())
}
