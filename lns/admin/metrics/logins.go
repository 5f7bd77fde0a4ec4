package metrics

import (
	"strings"
	"sync"
	"time"

	"lnsgate/aaa"

	"github.com/prometheus/client_golang/prometheus"
)

// other stands for a domain that there is not, so that whoever types names makes no metrics.
const other = "other"

// tally counts what passes: logins by domain and cause, and the sessions that are open by domain and virtual template.
type tally struct {
	known func(domain string) string

	mu       sync.Mutex // guards what follows
	logins   map[login]uint64
	sessions map[place]int       // by the domain of the session, which may be gone before it
	took     map[bool]*histogram // of logins that went well, and of the others
}

type login struct{ domain, cause string }

type place struct{ domain, template string }

// buckets are bounds of how long a login takes, in seconds: from one in the same room to one that somebody gives up.
var buckets = []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60}

type histogram struct {
	below []uint64 // by bucket
	count uint64
	sum   float64
}

func newTally(known func(string) string) *tally {
	t := &tally{known: known, logins: make(map[login]uint64), sessions: make(map[place]int), took: make(map[bool]*histogram)}
	for _, ok := range []bool{true, false} {
		t.took[ok] = &histogram{below: make([]uint64, len(buckets))}
	}
	return t
}

func (t *tally) login(a *aaa.Attempt) {
	key := login{t.known(a.Domain), a.Cause}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logins[key]++
	t.took[a.OK].add(a.Took)
}

func (h *histogram) add(d time.Duration) {
	seconds := d.Seconds()
	h.count++
	h.sum += seconds
	for i, bound := range buckets {
		if seconds <= bound {
			h.below[i]++
		}
	}
}

func (t *tally) session(r *aaa.Record) {
	key, step := place{r.Domain, r.VirtualTemplate}, 0
	switch r.Kind {
	case aaa.RecordStart:
		step = 1
	case aaa.RecordStop:
		step = -1
	default:
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[key] += step; t.sessions[key] == 0 {
		delete(t.sessions, key)
	}
}

func (t *tally) collect(out chan<- prometheus.Metric) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, n := range t.logins {
		out <- prometheus.MustNewConstMetric(logins.desc, prometheus.CounterValue, float64(n), key.domain, key.cause)
	}
	for key, n := range t.shown() {
		out <- prometheus.MustNewConstMetric(sessions.desc, prometheus.GaugeValue, float64(n), key.domain, key.template)
	}
	for ok, h := range t.took {
		outcome := "refused"
		if ok {
			outcome = "accepted"
		}
		below := make(map[float64]uint64, len(buckets))
		for i, bound := range buckets {
			below[bound] = h.below[i]
		}
		out <- prometheus.MustNewConstHistogram(loginSeconds.desc, h.count, h.sum, below, outcome)
	}
}

// shown are the sessions that are open, by the domains that there are now. The caller holds the lock.
func (t *tally) shown() map[place]int {
	all := make(map[place]int, len(t.sessions))
	for key, n := range t.sessions {
		all[place{t.known(key.domain), key.template}] += n
	}
	return all
}

// Attempts counts logins on their way to the log, which may be nil.
func (m *Metrics) Attempts(next aaa.AttemptLog) aaa.AttemptLog { return attempts{m.tally, next} }

type attempts struct {
	*tally
	next aaa.AttemptLog
}

func (a attempts) Log(attempt aaa.Attempt) {
	a.login(&attempt)
	if a.next != nil {
		a.next.Log(attempt)
	}
}

// Accounter counts sessions on the way of their records.
func (m *Metrics) Accounter(next aaa.Accounter) aaa.Accounter { return accounter{m.tally, next} }

type accounter struct {
	*tally
	next aaa.Accounter
}

func (a accounter) Account(r aaa.Record) {
	a.session(&r)
	a.next.Account(r)
}

// domainName is the domain as a label: one that there is, or other.
func (m *Metrics) domainName(domain string) string {
	if domain == "" || m.source.Domains == nil {
		return ""
	}
	for _, name := range m.source.Domains() {
		if strings.EqualFold(name, domain) {
			return name
		}
	}
	return other
}
