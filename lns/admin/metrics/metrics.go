package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"lnsgate/pool"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are those of the server. It is safe for concurrent use.
type Metrics struct {
	source   Source
	tally    *tally
	registry *prometheus.Registry
	log      *slog.Logger
}

// New makes metrics without a source, which must be given before anybody asks; what passes is counted at once.
func New(log *slog.Logger) *Metrics {
	m := &Metrics{log: log, registry: prometheus.NewPedanticRegistry()}
	m.tally = newTally(m.domainName)
	m.registry.MustRegister(m, rest{m}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Ask says where the figures come from. It is called once, before anything passes.
func (m *Metrics) Ask(s Source) { m.source = s }

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4,
		Timeout: scrapeTime, ErrorHandling: promhttp.ContinueOnError})
}

// Bounds of one question.
const (
	scrapeTime = 20 * time.Second
	poolTime   = 5 * time.Second
)

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, f := range families {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	build.put(out, 1, m.source.Version, runtime.Version(), m.source.Node)
	m.tally.collect(out)
	m.counters(out)
	m.pools(out)
	m.radius(out)
	m.storage(out)
	if m.source.Recorder != nil {
		r := m.source.Recorder()
		attemptsLive.put(out, float64(r.Live))
		attemptsKept.put(out, float64(r.Kept))
		attemptsBytes.put(out, float64(r.Octets))
		eventsLost.put(out, float64(r.Unwatched))
	}
}

func (m *Metrics) counters(out chan<- prometheus.Metric) {
	if m.source.Counters == nil {
		return
	}
	all := m.source.Counters()
	for name, n := range all {
		if f, labels, ok := sorted(name); ok {
			f.put(out, float64(n), labels...)
		}
	}
	tunnels.put(out, float64(all["tunnels_opened"])-float64(all["tunnels_closed"]))
}

// sorted finds the family that has a counter, and the labels there.
func sorted(name string) (*family, []string, bool) {
	if d, ok := direct[name]; ok {
		return d.family, d.labels, true
	}
	for _, p := range prefixed {
		if last, ok := strings.CutPrefix(name, p.prefix); ok {
			return p.family, append(slices.Clone(p.labels), last), true
		}
	}
	for _, prefix := range socketDrops {
		if strings.HasPrefix(name, prefix) {
			return drops, []string{"socket", strings.TrimPrefix(name, "udp_")}, true
		}
	}
	return nil, nil, false
}

func (m *Metrics) pools(out chan<- prometheus.Metric) {
	if m.source.Pools == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), poolTime)
	defer cancel()
	all, err := m.source.Pools(ctx)
	failed := 0.0
	if err != nil {
		failed = 1
	}
	poolsFailed.put(out, failed)
	seen := make(map[string]bool)
	for _, u := range all {
		if !seen[u.Pool] {
			seen[u.Pool] = true
			putPool(out, u)
		}
	}
}

func putPool(out chan<- prometheus.Metric, u pool.Usage) {
	poolSize.put(out, float64(u.Size), u.Pool)
	for state, n := range map[string]uint64{"free": u.Free(), "leased": u.Leased, "quarantined": u.Quarantined, "reserved": u.Static} {
		poolAddresses.put(out, float64(n), u.Pool, state)
	}
}

func (m *Metrics) radius(out chan<- prometheus.Metric) {
	if m.source.RADIUS == nil {
		return
	}
	for _, s := range m.source.RADIUS() {
		labels := []string{s.Group, s.Role, s.Address}
		radiusUp.put(out, one(s.Up), labels...)
		radiusRTT.put(out, s.RTT.Seconds(), labels...)
		radiusInFlight.put(out, float64(s.InFlight), labels...)
		radiusRequests.put(out, float64(s.Requests), labels...)
		radiusResent.put(out, float64(s.Resent), labels...)
		radiusAnswered.put(out, float64(s.Answered), labels...)
		radiusTimedOut.put(out, float64(s.TimedOut), labels...)
		for reason, n := range s.Discarded {
			radiusDiscarded.put(out, float64(n), append(slices.Clone(labels), reason)...)
		}
	}
}

func (m *Metrics) storage(out chan<- prometheus.Metric) {
	if m.source.Database != nil {
		d := m.source.Database()
		databaseUp.put(out, one(d.Up))
		databaseOpen.put(out, float64(d.Connections))
		databaseBusy.put(out, float64(d.InUse))
		databaseLost.put(out, float64(d.LoginsLost))
		databaseLeases.put(out, float64(d.LeasesDebt))
	}
	if m.source.Spools == nil {
		return
	}
	for _, s := range m.source.Spools() {
		spoolWaiting.put(out, float64(s.Waiting), s.Name)
		spoolAccepted.put(out, float64(s.Accepted), s.Name)
		spoolDelivered.put(out, float64(s.Delivered), s.Name)
		spoolLost.put(out, float64(s.Lost), s.Name)
		spoolFault.put(out, one(s.Fault), s.Name)
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// rest has the counters that are in no family. Which there are depends on what is configured, so it describes none in advance.
type rest struct{ metrics *Metrics }

// Describe implements prometheus.Collector.
func (rest) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (r rest) Collect(out chan<- prometheus.Metric) {
	if r.metrics.source.Counters == nil {
		return
	}
	for name, n := range r.metrics.source.Counters() {
		_, _, ok := sorted(name)
		if ok || slices.ContainsFunc(elsewhere, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			continue
		}
		plain(name).put(out, float64(n))
	}
}
