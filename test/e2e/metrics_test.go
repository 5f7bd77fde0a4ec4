package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// metrics is what Prometheus would be told.
func (s *server) metrics() string {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.socket)
	}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://lnsgate/metrics")
	must(s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(s.t, err)
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s", resp.Status, text)
	}
	return string(text)
}

func TestMetricsOfTheRealServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	refused := w.dial(w.client, "l2tpuser", "Wrong@123")
	refused.gone()
	s.empty()
	c, _ := w.online("l2tpuser", "Admin@123")
	w.ping(w.client, hqAddress)
	has := func(lines ...string) {
		t.Helper()
		text := s.metrics()
		for _, line := range lines {
			if !strings.Contains(text, "\n"+line) {
				t.Errorf("there is no %q", line)
			}
		}
		for _, never := range []string{"l2tpuser", clientAddress, "Admin@123"} {
			if strings.Contains(text, never) {
				t.Errorf("a metric tells %q", never)
			}
		}
	}
	has(`lnsgate_sessions{domain="default",virtual_template="vt1"} 1`, `lnsgate_tunnels `, `lnsgate_logins_total{cause="logged-in",domain="default"} 1`,
		`lnsgate_logins_total{cause="wrong-password",domain="default"} 1`, `lnsgate_pool_addresses{pool="pool1",state="leased"} 1`,
		`lnsgate_login_duration_seconds_count{outcome="accepted"} 1`, `lnsgate_udp_bytes_total{direction="in"} `, `lnsgate_build_info{`, `go_goroutines `)
	counters, err := s.admin.Counters(context.Background())
	must(t, err)
	if text := s.metrics(); strings.Count(text, "\nlnsgate_drops_total{") < 10 || strings.Count(text, "\nlnsgate_") < len(counters) {
		t.Errorf("%d counters, but:\n%s", len(counters), text)
	}
	c.hangUp()
	s.empty()
	has(`lnsgate_tunnels `, fmt.Sprintf(`lnsgate_pool_size_addresses{pool="pool1"} %d`, 241))
	if strings.Contains(s.metrics(), `lnsgate_sessions{`) {
		t.Error("a session is left in the metrics")
	}
	s.stop()
}
