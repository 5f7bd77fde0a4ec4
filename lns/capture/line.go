package capture

import (
	"strings"
	"time"

	"lnsgate/lns/trace"
)

// line is what one capture writes of one tunnel: all of it, or some of its calls. The last datagram is kept back until the next one
// comes, because it may be the very last, which has the verdict in its comment. The hub's lock guards it.
type line struct {
	capture *Capture
	tunnel  *tunnel
	whole   bool // the tunnel with all its calls is wanted
	calls   map[*call]*trace.Event
	since   bool // messages of the tunnel have been written: they are not written a second time

	last    *record
	news    []string // for the comment of the next datagram
	verdict []string // for the comment of the last one
	ending  int      // timers that are under way
}

// wants says whether a datagram belongs to the line.
func (l *line) wants(c *call) bool {
	switch {
	case l == nil:
		return false
	case l.whole:
		return true
	case c == nil:
		return len(l.calls) > 0 || l.ending > 0
	}
	_, wanted := l.calls[c]
	return wanted || c.over && c != before && l.ending > 0
}

// add writes a datagram, or rather the one before.
func (l *line) add(p *passed) {
	c := l.capture
	octets, ok := c.options.show(p.octets)
	if !ok || c.over {
		return
	}
	if p.call == nil {
		l.since = true
	}
	local := c.hub.local(p.path)
	from, to := local, p.path.Remote
	if p.in {
		from, to = to, from
	}
	r := record{at: p.at, incoming: p.in}
	r.octets, r.whole = appendUDP(nil, from, to, octets, len(p.octets))
	r.comment = strings.Join(l.news, "\n")
	l.news = nil
	l.flush()
	l.last = &r
	c.took()
}

// flush writes the datagram that is kept back.
func (l *line) flush() {
	if l.last != nil {
		l.capture.write(*l.last)
		l.last = nil
	}
}

// open takes a call into the line, and what is held of it.
func (l *line) open(c *call, e *trace.Event) {
	l.calls[c] = e
	l.news = append(l.news, introduce(e))
	again := l.since
	if l.whole {
		return // it has been written as it came
	}
	for i := range l.tunnel.held {
		if p := &l.tunnel.held[i]; p.call == c || p.call == nil && !again {
			l.add(p)
		}
	}
}

// tell notes what has become known of a call.
func (l *line) tell(c *call, e *trace.Event) {
	before := l.calls[c]
	l.calls[c] = e
	switch {
	case e.Kind == trace.SessionOpened:
		l.news = append(l.news, who(e)+": logged in, address "+e.Address.String())
	case before != nil && (before.Name != e.Name || before.Domain != e.Domain):
		l.news = append(l.news, introduce(e))
	}
}

// end gives a call its verdict. When it is the only one of the tunnel, what both ends still have to say of the end belongs to it,
// and the verdict waits for that.
func (l *line) end(c *call, e *trace.Event) {
	delete(l.calls, c)
	l.verdict = append(l.verdict, conclude(e))
	if len(l.calls) > 0 {
		l.finish()
		return
	}
	l.ending++
	time.AfterFunc(aftermath, func() {
		l.capture.hub.mu.Lock()
		defer l.capture.hub.mu.Unlock()
		if l.ending--; l.ending == 0 {
			l.finish()
		}
	})
}

// aftermath is how long the last words of a call may take.
const aftermath = time.Second

// finish writes what is kept back, with the verdicts in its comment.
func (l *line) finish() {
	if l.last != nil && len(l.verdict) > 0 {
		l.last.comment = strings.Join(append([]string{l.last.comment}, l.verdict...), "\n")
		l.last.comment = strings.TrimPrefix(l.last.comment, "\n")
		l.verdict = nil
	}
	l.flush()
}

// stop is the end of the capture: of what is still open that is said.
func (l *line) stop() {
	for _, e := range l.calls {
		l.verdict = append(l.verdict, who(e)+": "+state(e)+" when the capture ended")
	}
	l.finish()
}

func state(e *trace.Event) string {
	if e.Kind == trace.SessionOpened {
		return "logged in, and open"
	}
	return "under way"
}

func introduce(e *trace.Event) string {
	text := who(e) + ": peer " + e.Peer.String()
	if e.ID != "" {
		text += ", attempt " + e.ID
	}
	return text
}

// who names an attempt.
func who(e *trace.Event) string {
	var words []string
	if e.Session != "" {
		words = append(words, "session "+e.Session)
	}
	if e.Name != "" {
		words = append(words, "user "+e.Name)
	}
	if e.Domain != "" {
		words = append(words, "domain "+e.Domain)
	}
	if len(words) == 0 {
		return "attempt of " + e.Peer.Addr().String()
	}
	return strings.Join(words, ", ")
}

// conclude is the verdict in words, and what to do.
func conclude(e *trace.Event) string {
	cause := e.Verdict.Cause
	text := who(e) + ": verdict " + cause.Name() + ": " + e.Verdict.String()
	if cause.Helper() != trace.ByNobody {
		text += ". What to do (" + cause.Helper().String() + "): " + cause.Remedy()
	}
	return text
}
