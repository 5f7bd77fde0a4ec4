package web

import (
	"fmt"

	"lnsgate/lns/admin"
)

// linePlot is the recent round trips of a line as bars: one that got no answer is as high as the plot, and hatched.
type linePlot struct {
	*admin.Line
	Bars  []bar
	Words string
	Loss  string // percent
}

// The box of the plot.
const (
	plotBar    = 15 // width of one round trip, with the gap
	plotHeight = 60
	plotMost   = 32
)

// plotLine draws the line of a session; nil: it was never asked.
func plotLine(line *admin.Line) *linePlot {
	if line == nil {
		return nil
	}
	p := &linePlot{Line: line, Loss: percent(uint64(line.Lost), uint64(line.Sent))}
	p.Words = fmt.Sprintf("%d of %d echo requests got no answer (%s%%). Round trips of late: %.1f to %.1f ms.", line.Lost, line.Sent, p.Loss, line.Shortest, line.Longest)
	most := max(1, line.Longest)
	recent := line.Recent[max(0, len(line.Recent)-plotMost):]
	for i, ms := range recent {
		b := bar{X: fixed(float64(i * plotBar)), Width: fixed(plotBar - 3), Class: "ok", Title: fmt.Sprintf("%.1f ms", ms)}
		height := max(2, ms/most*plotHeight*0.9)
		if ms < 0 {
			b.Class, b.Title, height = "lost", "no answer", plotHeight
		}
		b.Y, b.Height = fixed(plotHeight-height), fixed(height)
		p.Bars = append(p.Bars, b)
	}
	return p
}
