package metrics

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// full has something in every family.
func full(t *testing.T) *Metrics {
	t.Helper()
	m := New(slog.New(slog.DiscardHandler))
	m.Ask(Source{
		Version: "1.2", Node: "hq-1",
		Counters: func() map[string]uint64 {
			return map[string]uint64{"tunnels_opened": 5, "tunnels_closed": 2, "sessions_opened": 4, "sessions_closed": 1, "drop_no_l2tp_group": 3,
				"data_filter": 7, "udp_rx_datagrams": 10, "udp_tx_datagrams": 11, "udp_rx_octets": 1000, "udp_tx_octets": 1100, "udp_rx_buffer_full": 1,
				"udp_sockets": 2, "tun_offload": 1, "db_changes": 6, "db_reached_now": 1, "nas_requests_accepted": 2, "nas_sessions_known_now": 1,
				"db_leases_now": 4, "spool_accepted": 99, "logins_accepted": 3}
		},
		Pools: func(context.Context) ([]pool.Usage, error) {
			return []pool.Usage{{Pool: "sales", Size: 10, Leased: 3, Quarantined: 1, Static: 2}}, errors.New("the others are not known")
		},
		Domains: func() []string { return []string{"sales"} },
		RADIUS: func() []RADIUSServer {
			return []RADIUSServer{{Group: "hq", Role: "authentication", Address: "192.0.2.1:1812", Up: true, RTT: 3 * time.Millisecond, Requests: 9,
				Resent: 1, Answered: 8, TimedOut: 1, Discarded: map[string]uint64{"forged": 2}}}
		},
		Spools:   func() []Spool { return []Spool{{Name: "database", Waiting: 4, Accepted: 20, Delivered: 15, Lost: 1}} },
		Database: func() Database { return Database{Up: true, Connections: 5, InUse: 1} },
		Recorder: func() Recorder { return Recorder{Live: 1, Kept: 2, Octets: 3, Unwatched: 4} },
	})
	log, books := m.Attempts(nil), m.Accounter(accounts{})
	log.Log(aaa.Attempt{Domain: "Sales", Cause: "logged-in", OK: true, Took: 70 * time.Millisecond})
	log.Log(aaa.Attempt{Domain: "made up 1", Cause: "unknown-user", Took: 2 * time.Second})
	log.Log(aaa.Attempt{Domain: "made up 2", Cause: "unknown-user", Took: 2 * time.Hour})
	log.Log(aaa.Attempt{Cause: "no-group"})
	for _, kind := range []aaa.RecordKind{aaa.RecordStart, aaa.RecordStart, aaa.RecordInterim, aaa.RecordStop} {
		books.Account(aaa.Record{Kind: kind, Domain: "sales", VirtualTemplate: "vt1"})
	}
	return m
}

type accounts struct{}

func (accounts) Account(aaa.Record) {}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("status %d, %v: %s", w.Code, err, text)
	}
	return string(text)
}

func TestFiguresArriveWhereTheyBelong(t *testing.T) {
	text := scrape(t, full(t))
	for _, line := range []string{
		`lnsgate_tunnels 3`,
		`lnsgate_sessions{domain="sales",virtual_template="vt1"} 1`,
		`lnsgate_logins_total{cause="logged-in",domain="sales"} 1`,
		`lnsgate_logins_total{cause="unknown-user",domain="other"} 2`,
		`lnsgate_logins_total{cause="no-group",domain=""} 1`,
		`lnsgate_login_duration_seconds_bucket{outcome="accepted",le="0.05"} 0`,
		`lnsgate_login_duration_seconds_bucket{outcome="accepted",le="0.1"} 1`,
		`lnsgate_login_duration_seconds_count{outcome="refused"} 3`,
		`lnsgate_drops_total{place="control",reason="no_l2tp_group"} 3`,
		`lnsgate_drops_total{place="data",reason="filter"} 7`,
		`lnsgate_drops_total{place="socket",reason="rx_buffer_full"} 1`,
		`lnsgate_udp_bytes_total{direction="in"} 1000`,
		`lnsgate_udp_sockets 2`,
		`lnsgate_pool_addresses{pool="sales",state="free"} 4`,
		`lnsgate_pools_unknown 1`,
		`lnsgate_radius_server_up{group="hq",role="authentication",server="192.0.2.1:1812"} 1`,
		`lnsgate_radius_server_rtt_seconds{group="hq",role="authentication",server="192.0.2.1:1812"} 0.003`,
		`lnsgate_database_up 1`,
		`lnsgate_accounting_spool_records{spool="database"} 4`,
		`lnsgate_nas_requests_total{outcome="accepted"} 2`,
		`lnsgate_db_changes_total 6`,
		`lnsgate_db_leases 4`,
		`lnsgate_logins_accepted_total 3`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no line %q", line)
		}
	}
	for _, twice := range []string{"lnsgate_spool_accepted", "lnsgate_db_reached", "made up"} {
		if strings.Contains(text, twice) {
			t.Errorf("%q is told, and stands elsewhere or nowhere", twice)
		}
	}
	for _, want := range []string{"lnsgate_build_info{", "go_goroutines ", "process_resident_memory_bytes "} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("there is no %s", want)
		}
	}
}

// The rules of promlint; the registry itself is pedantic.
func TestMetricsAreNamedByTheConventions(t *testing.T) {
	m := full(t)
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "lnsgate_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// A server that has neither database nor RADIUS nor anything else still answers.
func TestLittleSource(t *testing.T) {
	m := New(slog.New(slog.DiscardHandler))
	m.Ask(Source{Version: "1"})
	if text := scrape(t, m); !strings.Contains(text, "lnsgate_build_info{") || strings.Contains(text, "lnsgate_database_up") {
		t.Error(text)
	}
}

// A domain may go while its sessions are open: they are then of another one, and none is left over when they end, nor when it comes back.
func TestSessionsOfADomainThatGoes(t *testing.T) {
	m := New(slog.New(slog.DiscardHandler))
	domains := []string{"sales", "lab"}
	m.Ask(Source{Domains: func() []string { return domains }})
	books := m.Accounter(accounts{})
	account := func(kind aaa.RecordKind, domain string) {
		books.Account(aaa.Record{Kind: kind, Domain: domain, VirtualTemplate: "vt1"})
	}
	expect := func(when string, want ...string) {
		t.Helper()
		text, n := scrape(t, m), 0
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "lnsgate_sessions{") {
				n++
			}
		}
		for _, line := range want {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("%s: there is no %s", when, line)
			}
		}
		if n != len(want) {
			t.Errorf("%s: %d gauges, want %d", when, n, len(want))
		}
	}
	account(aaa.RecordStart, "sales")
	account(aaa.RecordStart, "sales")
	account(aaa.RecordStart, "lab")
	domains = []string{"lab"}
	expect("gone", `lnsgate_sessions{domain="lab",virtual_template="vt1"} 1`, `lnsgate_sessions{domain="other",virtual_template="vt1"} 2`)
	account(aaa.RecordStop, "sales")
	domains = []string{"lab", "sales"}
	expect("back", `lnsgate_sessions{domain="lab",virtual_template="vt1"} 1`, `lnsgate_sessions{domain="sales",virtual_template="vt1"} 1`)
	domains = []string{"lab"}
	account(aaa.RecordStop, "sales")
	account(aaa.RecordStop, "lab")
	expect("all over")
}
