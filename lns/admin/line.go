package admin

import (
	"time"

	"lnsgate/lns"
)

// plotted is how many sessions a list may have that tells each round trip.
const plotted = 200

// lineFrom is nil for a line that was never asked.
func lineFrom(s *lns.SessionInfo) *Line {
	q := &s.Quality
	if q.Sent == 0 {
		return nil
	}
	last, shortest, longest := q.Bounds()
	line := &Line{Sent: q.Sent, Lost: q.Lost, Last: milliseconds(last), Smoothed: milliseconds(q.Smoothed), Shortest: milliseconds(shortest),
		Longest: milliseconds(longest)}
	for _, trip := range q.Recent() {
		if trip < 0 {
			line.Recent = append(line.Recent, -1)
			continue
		}
		line.Recent = append(line.Recent, milliseconds(trip))
	}
	return line
}

// milliseconds has a tenth as its smallest part: that is how exactly it is measured.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
}
