package lns

import (
	"testing"
	"time"
)

func TestWhatIsFarAwayWaitsForAStrokeOfTheClock(t *testing.T) {
	at := func(seconds, milliseconds int) time.Time {
		return time.Unix(int64(seconds), int64(milliseconds)*int64(time.Millisecond))
	}
	now := at(1000, 30)
	for _, c := range []struct{ due, want time.Time }{
		{at(999, 990), at(999, 990)},
		{at(1000, 280), at(1000, 280)}, // a restart timer is in a hurry
		{at(1003, 950), at(1003, 950)},
		{at(1004, 30), at(1004, 100)},
		{at(1030, 0), at(1030, 0)},
		{at(1030, 1), at(1030, 100)},
		{at(1030, 999), at(1031, 0)},
	} {
		if got := now.Add(unhurried(c.due.Sub(now), c.due)); !got.Equal(c.want) {
			t.Errorf("due %v, woken %v, want %v", c.due, got, c.want)
		}
	}
}
