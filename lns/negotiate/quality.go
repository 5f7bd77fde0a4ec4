package negotiate

import "time"

// samples is how many Echo-Requests are remembered with what became of them.
const samples = 32

// Quality is how well a line has answered Echo-Requests (RFC 1661 section 5.8). A line whose peer sends without a pause is not asked,
// so that it tells of its quiet moments. It is a copy.
type Quality struct {
	Sent, Lost uint32        // since the link opened; one that is on its way is in Sent alone
	Smoothed   time.Duration // of the round trips, by an eighth (RFC 6298 section 2); zero: none yet
	recent     [samples]sample
	next       uint8 // where the next one goes; the oldest stands there once all places are taken
	filled     uint8
}

// sample is a round trip in steps of 100 µs, which reaches to 6.5 s; a longer one is cut to that. Zero: there was no answer.
type sample uint16

const sampleStep = 100 * time.Microsecond

// Unanswered in place of a round trip says that there was no answer.
const Unanswered = time.Duration(-1)

// Recent returns the last round trips, at most 32, the oldest first; Unanswered for those without an answer.
func (q *Quality) Recent() []time.Duration {
	all := make([]time.Duration, 0, q.filled)
	for i := range q.filled {
		s := q.recent[(q.next+samples-q.filled+i)%samples]
		if s == 0 {
			all = append(all, Unanswered)
			continue
		}
		all = append(all, time.Duration(s)*sampleStep)
	}
	return all
}

// Bounds returns the last, the shortest and the longest of the recent round trips; zero when there was none.
func (q *Quality) Bounds() (last, shortest, longest time.Duration) {
	for _, trip := range q.Recent() {
		if trip == Unanswered {
			continue
		}
		last, longest = trip, max(longest, trip)
		if shortest == 0 || trip < shortest {
			shortest = trip
		}
	}
	return last, shortest, longest
}

// echoWatch measures the Echo-Request that is on its way. The zero value watches none.
type echoWatch struct {
	quality Quality
	sent    time.Time // zero: none is on its way
}

// asked notes that a request leaves. The one before it, if it is still on its way, is lost.
func (w *echoWatch) asked(now time.Time) {
	w.gaveUp()
	w.quality.Sent++
	w.sent = now
}

// answered notes the answer to the last request. A second one means nothing.
func (w *echoWatch) answered(now time.Time) {
	if w.sent.IsZero() {
		return
	}
	trip := max(now.Sub(w.sent), 0)
	w.sent = time.Time{}
	if q := &w.quality; q.Smoothed == 0 {
		q.Smoothed = trip
	} else {
		q.Smoothed += (trip - q.Smoothed) / 8
	}
	w.quality.add(sample(min(max(trip/sampleStep, 1), 1<<16-1)))
}

// gaveUp notes that there is no answer to the last request.
func (w *echoWatch) gaveUp() {
	if w.sent.IsZero() {
		return
	}
	w.sent = time.Time{}
	w.quality.Lost++
	w.quality.add(0)
}

func (q *Quality) add(s sample) {
	q.recent[q.next] = s
	q.next = (q.next + 1) % samples
	q.filled = min(q.filled+1, samples)
}

// Quality returns how well the line has answered Echo-Requests since it opened.
func (l *LCP) Quality() Quality { return l.watch.quality }
