package tun

import "sync/atomic"

// The state of a peer's sequence numbers in 32 bits: the last Ns, how many messages in a row were old, and whether there
// was any yet.
const (
	orderSeen  = 1 << 31
	orderRun   = 1 << 16
	orderRuns  = 0xFF
	resyncRuns = 64
)

// inOrder says whether a data message with this Ns is to be carried: not when it is old or was seen before, which RFC
// 2661 section 5.4 leaves to the receiver and section 5.8 defines as being the last number received or one of the 32767
// before it. Messages lost in between are not waited for.
//
// After 64 old ones in a row the peer has evidently begun to count anew, or more than half of the number space was lost
// at once; the newest is then taken as the start, where the rule alone would keep the session silent for 32768 packets.
func inOrder(state *atomic.Uint32, ns uint16) bool {
	for {
		old := state.Load()
		ahead := ns - uint16(old)
		fresh := old&orderSeen == 0 || ahead != 0 && ahead <= 0x8000
		run := (old/orderRun)&orderRuns + 1
		next := orderSeen | uint32(ns)
		if !fresh && run < resyncRuns {
			next = orderSeen | run*orderRun | old&0xFFFF
		}
		if state.CompareAndSwap(old, next) {
			return fresh || run >= resyncRuns
		}
	}
}
