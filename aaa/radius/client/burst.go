package client

import "time"

const (
	// burstSize is how many small datagrams fit in the receive buffer of a Linux server as shipped (212,992 octets), less
	// some. One more would be lost, and sent again only after seconds.
	burstSize = 128
	// burstTime is how long a server that is not busy may take to read them.
	burstTime = 20 * time.Millisecond
)

// burst keeps a storm of logins from overflowing the receive buffer of a server: of the requests on their way, only so
// many may be young. One that was answered has left that buffer, and so has one that is older, such as those that a server
// holds back for a second because it rejects them. The more time answers take beyond the quickest one, the longer is the
// line in the buffer, and the longer a request counts as young.
type burst struct {
	calls    callList      // the young ones, in the order in which they were granted
	quickest time.Duration // of all answers; 0 = none yet
	smoothed time.Duration
}

// add notes a call that was granted an identifier. TCP minds the buffers itself.
func (b *burst) add(c *call, now time.Time) {
	if c.link.stream {
		return
	}
	c.grantedAt, c.young = now, true
	b.calls.push(c)
}

func (b *burst) remove(c *call) {
	if c.young {
		c.young = false
		b.calls.remove(c)
	}
}

// full says whether one more must wait.
func (b *burst) full(now time.Time) bool {
	for b.calls.count > 0 && !now.Before(b.over()) {
		b.remove(b.calls.first)
	}
	return b.calls.count >= burstSize
}

// over is when the oldest of the young ones is not young any more; zero when there is none.
func (b *burst) over() time.Time {
	if b.calls.count == 0 {
		return time.Time{}
	}
	return b.calls.first.grantedAt.Add(burstTime + b.smoothed - b.quickest)
}

// measure takes the round trip of an answer that the server did not hold back.
func (b *burst) measure(rtt time.Duration) {
	if b.quickest == 0 {
		b.quickest, b.smoothed = rtt, rtt
		return
	}
	b.quickest = min(b.quickest+b.quickest/1024, rtt) // the way may become longer
	b.smoothed = max(b.smoothed+(rtt-b.smoothed)/8, b.quickest)
}
