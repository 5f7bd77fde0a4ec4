package web

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"lnsgate/lns/trace"
)

// chart is a drawing in a box of chartWidth by chartHeight, with room for the scale at the left and the hours below.
type chart struct {
	Title, Words string // the alternative for who does not see it
	Lines        []string
	Dots         []tick // ends of lines, so that a short one is seen
	Areas        []string
	Bars         []bar
	Scale        []tick
	Times        []tick
}

type bar struct {
	X, Y, Width, Height string
	Class, Title        string
}

type tick struct {
	At   string
	Text string
}

const (
	chartWidth, chartHeight = 640, 180
	chartLeft, chartBottom  = 44, 22
	chartTop                = 8
)

func fixed(v float64) string { return fmt.Sprintf("%.1f", v) }

// across is where a minute stands, from left to right.
func across(i, n int) float64 {
	return chartLeft + float64(i)*(chartWidth-chartLeft)/float64(max(1, n))
}

// up is where a number stands on a scale.
func up(v, most int) float64 {
	return chartHeight - chartBottom - float64(v)*(chartHeight-chartBottom-chartTop)/float64(max(1, most))
}

// roomy is a round number that is not below n, for the end of a scale.
func roomy(n int) int {
	if n <= 4 {
		return 4
	}
	for unit := 1; ; unit *= 10 {
		for _, m := range []int{4, 6, 8, 10, 12, 16, 20, 30} {
			if unit*m >= n {
				return unit * m
			}
		}
	}
}

func (c *chart) scale(most int) {
	for i := 0; i <= 4; i += 2 {
		v := most * i / 4
		c.Scale = append(c.Scale, tick{fixed(up(v, most)), short(v)})
	}
}

// short writes a number of up to four signs.
func short(n int) string {
	switch {
	case n >= 1_000_000:
		return fmt.Sprintf("%.3gM", float64(n)/1e6)
	case n >= 10_000:
		return fmt.Sprintf("%.3gk", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}

// marks writes the time below, each so many minutes.
func (c *chart) marks(minutes []minute, every int64, form string) {
	for i, m := range minutes {
		if x := across(i, len(minutes)); m.at%every == 0 && x > chartLeft+12 && x < chartWidth-16 {
			c.Times = append(c.Times, tick{fixed(x), time.Unix(m.at*60, 0).UTC().Format(form)})
		}
	}
}

// span leaves the time out in which nobody counted yet, by whole hours.
func span(minutes []minute) []minute {
	first := slices.IndexFunc(minutes, func(m minute) bool { return m.open >= 0 })
	if first < 0 {
		return minutes
	}
	hours := (len(minutes) - first + 59) / 60
	return minutes[max(0, len(minutes)-60*hours):]
}

// sessionsChart draws how many were open. Minutes that nobody counted are gaps.
func sessionsChart(minutes []minute) chart {
	minutes = span(minutes)
	c := chart{Title: fmt.Sprintf("Open sessions, last %d hours", len(minutes)/60)}
	if len(minutes) == 60 {
		c.Title = "Open sessions, last hour"
	}
	most, least, last := 0, math.MaxInt, -1
	for _, m := range minutes {
		if m.open >= 0 {
			most, least, last = max(most, m.open), min(least, m.open), m.open
		}
	}
	if last < 0 {
		c.Words = "Nothing has been counted yet."
		return c
	}
	c.Words = fmt.Sprintf("%d now, between %d and %d in the time that was counted.", last, least, most)
	top := roomy(most)
	c.scale(top)
	c.marks(minutes, []int64{15, 30, 60, 120, 240}[min(4, len(minutes)/180)], "15:04")
	var run []string
	flush := func() {
		if len(run) > 0 {
			first, _, _ := strings.Cut(run[0], ",")
			end, height, _ := strings.Cut(run[len(run)-1], ",")
			floor := fixed(up(0, top))
			c.Lines = append(c.Lines, strings.Join(run, " "))
			c.Dots = append(c.Dots, tick{end, height})
			c.Areas = append(c.Areas, first+","+floor+" "+strings.Join(run, " ")+" "+end+","+floor)
		}
		run = nil
	}
	for i, m := range minutes {
		if m.open < 0 {
			flush()
			continue
		}
		x, y := across(i, len(minutes)), fixed(up(m.open, top))
		if len(run) == 0 {
			run = append(run, fixed(x)+","+y)
		}
		run = append(run, fixed(x+chartWidth/float64(len(minutes)))+","+y)
	}
	flush()
	return c
}

// loginKinds are the parts of a bar, from the ground up.
var loginKinds = []struct {
	class, what string
	count       func(*minute) int
}{
	{"ok", "logged in", func(m *minute) int { return m.logins }},
	{"user", "failed: the user can help", func(m *minute) int { return m.byHelper(trace.ByUser) + m.byHelper(trace.ByNobody) }},
	{"admin", "failed: an administrator can help", func(m *minute) int { return m.byHelper(trace.ByAdministrator) }},
	{"network", "failed: the network in between", func(m *minute) int { return m.byHelper(trace.ByNetwork) }},
}

// loginsChart draws the logins of each minute by what became of them.
func loginsChart(minutes []minute) chart {
	logins, failed, _ := tallies(minutes)
	c := chart{Title: "Logins per minute, last hour", Words: fmt.Sprintf("%d logged in and %d failed.", logins, failed)}
	most := 0
	for i := range minutes {
		sum := 0
		for _, kind := range loginKinds {
			sum += kind.count(&minutes[i])
		}
		most = max(most, sum)
	}
	top := roomy(most)
	c.scale(top)
	c.marks(minutes, 15, "15:04")
	width := (chartWidth - chartLeft) / float64(len(minutes))
	for i := range minutes {
		m, sum := &minutes[i], 0
		for _, kind := range loginKinds {
			n := kind.count(m)
			if n == 0 {
				continue
			}
			y := up(sum+n, top)
			c.Bars = append(c.Bars, bar{fixed(across(i, len(minutes)) + 1), fixed(y), fixed(width - 2), fixed(up(sum, top) - y), kind.class,
				fmt.Sprintf("%s UTC: %d %s", time.Unix(m.at*60, 0).UTC().Format("15:04"), n, kind.what)})
			sum += n
		}
	}
	return c
}
