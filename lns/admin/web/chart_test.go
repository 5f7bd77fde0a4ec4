package web

import (
	"strings"
	"testing"
	"time"

	"lnsgate/lns/trace"
)

func TestHistoryForgetsTheDayBefore(t *testing.T) {
	h := newHistory()
	h.sample(7, noon)
	h.count(&trace.Event{Kind: trace.SessionOpened}, noon)
	h.count(&trace.Event{Kind: trace.AttemptFailed, Verdict: trace.Verdict{Cause: trace.WrongPassword}}, noon)
	h.count(&trace.Event{Kind: trace.AttemptFailed, Verdict: trace.Verdict{Cause: trace.WrongPassword}}, noon)
	h.count(&trace.Event{Kind: trace.AttemptFailed, Verdict: trace.Verdict{Cause: trace.TunnelNoAnswer}}, noon)
	logins, failed, causes := tallies(h.last(60, noon.Add(30*time.Minute)))
	if logins != 1 || failed != 3 || len(causes) != 2 || causes[0] != (tally{trace.WrongPassword, 2}) {
		t.Errorf("%d logins, %d failed, %v", logins, failed, causes)
	}
	next := noon.Add(24 * time.Hour)
	h.sample(1, next)
	if m := h.last(1, next)[0]; m.open != 1 || m.logins != 0 || len(m.failed) != 0 {
		t.Errorf("a day later: %+v", m)
	}
	if logins, failed, _ = tallies(h.last(day, next)); logins+failed != 0 {
		t.Error("the day before counts")
	}
}

func TestSessionsChartHasGaps(t *testing.T) {
	minutes := make([]minute, day)
	for i := range minutes {
		minutes[i] = minute{at: noon.Unix()/60 + int64(i), open: -1}
	}
	if c := sessionsChart(minutes); len(c.Lines) != 0 || c.Words == "" {
		t.Errorf("nothing counted draws %+v", c)
	}
	minutes[day-90].open, minutes[day-2].open, minutes[day-1].open = 3, 90, 100_000
	c := sessionsChart(minutes)
	if len(c.Lines) != 2 || len(c.Dots) != 2 || c.Title != "Open sessions, last 2 hours" || c.Scale[2].Text != "100k" || !strings.Contains(c.Words, "100000 now, between 3 and 100000") {
		t.Errorf("%+v", c)
	}
}

func TestLoginsChartStacks(t *testing.T) {
	c := loginsChart([]minute{{at: 1, logins: 3, failed: map[trace.Cause]int{trace.WrongPassword: 1, trace.TunnelNoAnswer: 2}}})
	if len(c.Bars) != 3 || c.Bars[0].Class != "ok" || c.Bars[1].Class != "user" || c.Bars[2].Class != "network" {
		t.Errorf("%+v", c.Bars)
	}
}

func TestRoomyScalesHoldTheirNumber(t *testing.T) {
	for _, n := range []int{0, 1, 4, 5, 11, 99, 100, 101, 99_999, 100_000, 1 << 30} {
		if top := roomy(n); top < n || top > 2*n+4 || top%2 != 0 {
			t.Errorf("roomy(%d) = %d", n, top)
		}
	}
}
