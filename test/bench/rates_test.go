package main

import (
	"strings"
	"testing"
	"time"
)

// A rate counts from the first octets on, not from the moment in which somebody began to look.
func TestDuringCountsFromTheBegin(t *testing.T) {
	const before, quiet = 500, 150 * time.Millisecond
	began := time.Now()
	rate, err := during(t.Context(), before, time.Second, func() (uint64, error) {
		sending := max(0, time.Since(began)-quiet)
		return before + uint64(sending.Seconds()*1e6), nil // 8 Mbit/s
	})
	if err != nil || rate < 7.2 || rate > 8.1 {
		t.Errorf("%v Mbit/s, %v", rate, err)
	}
}

func TestEveryLimitHasAUser(t *testing.T) {
	text := limitedUsers()
	for _, want := range []string{"rate2 Cleartext-Password := \"Admin@123\"\n\tMikrotik-Rate-Limit = \"2M/2M\"\n", "rate200 "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}
