package lns

import (
	"fmt"
	"testing"
	"time"
)

func TestLoginsOfTheLastHour(t *testing.T) {
	var r reconnects
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for minute := range 12 {
		r.add("anna", now.Add(time.Duration(minute)*10*time.Minute))
	}
	last := now.Add(110 * time.Minute)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 6}, {9 * time.Minute, 6}, {10 * time.Minute, 5}, {50 * time.Minute, 1}, {59 * time.Minute, 1}, {time.Hour, 0}, {24 * time.Hour, 0}} {
		if got := r.count("anna", last.Add(c.after)); got != c.want {
			t.Errorf("after %s: %d, want %d", c.after, got, c.want)
		}
	}
	if r.count("bob", last) != 0 {
		t.Error("bob never logged in")
	}
}

func TestLoginsOfManyAccountsAreBounded(t *testing.T) {
	var r reconnects
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range maxReconnectNames + 10 {
		r.add(fmt.Sprint(i), now)
	}
	if len(r.names) != maxReconnectNames {
		t.Errorf("%d accounts", len(r.names))
	}
	later := now.Add(2 * time.Hour)
	r.add("anna", later)
	if len(r.names) != 1 || r.count("anna", later) != 1 {
		t.Errorf("%d accounts are left", len(r.names))
	}
}
