package web

import (
	"strings"
	"testing"

	"lnsgate/lns/admin"
)

func TestLinePlot(t *testing.T) {
	if plotLine(nil) != nil {
		t.Error("a line that was never asked is drawn")
	}
	p := plotLine(&admin.Line{Sent: 4, Lost: 1, Shortest: 10, Longest: 40, Recent: []float64{10, -1, 40}})
	if len(p.Bars) != 3 || p.Bars[1].Class != "lost" || p.Bars[0].Height != "13.5" || p.Bars[2].Y != "6.0" {
		t.Errorf("bars %+v", p.Bars)
	}
	if !strings.Contains(p.Words, "1 of 4") || p.Loss != "25.0" {
		t.Errorf("says %q", p.Words)
	}
}
