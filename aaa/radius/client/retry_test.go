package client

import (
	"slices"
	"testing"
	"time"
)

// The times of RFC 5080 section 2.2.1, without and with the whole of the jitter.
func TestRFC5080Section2_2_1_Schedule(t *testing.T) {
	tests := []struct {
		name   string
		retry  RetryConfig
		random float64
		want   []time.Duration // in ms
	}{
		{"authentication", DefaultRetry(), 0, []time.Duration{2000, 4000, 8000, 16000, 16000}},
		{"accounting", EndlessRetry(), 0, []time.Duration{2000, 4000, 8000, 16000, 16000}},
		{"late", DefaultRetry(), 1, []time.Duration{2200, 4620, 9702, 17600, 17600}},
		{"early", DefaultRetry(), -1, []time.Duration{1800, 3420, 6498, 12346, 14400}},
		{"no longest", RetryConfig{Initial: time.Second}, 1, []time.Duration{1000, 2000, 4000, 8000, 16000}},
	}
	for _, test := range tests {
		got := []time.Duration{test.retry.First(test.random)}
		for range 4 {
			got = append(got, test.retry.Following(got[len(got)-1], test.random))
		}
		for i := range got {
			got[i] = got[i].Round(time.Millisecond) / time.Millisecond
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, not %v", test.name, got, test.want)
		}
	}
	if d := DefaultRetry(); d.Exhausted(4) || !d.Exhausted(5) || EndlessRetry().Exhausted(1000) {
		t.Error("five transmissions, or any number")
	}
	if got := (RetryConfig{Jitter: 0.3}).OrDefault(); got.Initial != 2*time.Second || got.Jitter != 0.3 {
		t.Errorf("default with another jitter: %+v", got)
	}
}
