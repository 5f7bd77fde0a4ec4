package main

import (
	"strings"
	"testing"

	"lnsgate/lns/admin"
)

func TestShowSession(t *testing.T) {
	socket := serveFake(t, &fakeEngine{})
	out, err := lnsgate(t, "show", "session", "12/7", "--socket", socket)
	if err != nil || !strings.Contains(out, "anna@sales") || !strings.Contains(out, "20.0 MiB") || strings.Contains(out, "Line") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := lnsgate(t, "show", "session", "anna@sales", "--socket", socket, "-o", "json"); err != nil || !strings.Contains(out, `"session": "12/7"`) {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := lnsgate(t, "show", "session", "9/9", "--socket", socket); err == nil || !strings.Contains(err.Error(), "there is no session") {
		t.Errorf("%v", err)
	}
}

func TestALineInWords(t *testing.T) {
	l := &admin.Line{Sent: 120, Lost: 3, Last: 20.5, Smoothed: 21, Shortest: 20, Longest: 160, Recent: []float64{20, 160, -1, 80, 20.5}}
	if got := describeLine(l); got != "3 of 120 echoes lost (2.5%); last 20.5 ms, smoothed 21.0 ms, lately 20.0 to 160.0 ms" {
		t.Error(got)
	}
	if got := plot(l.Recent); got != "▂█x▅▂" {
		t.Error(got)
	}
	if got := describeLine(&admin.Line{Sent: 2, Lost: 2}) + plot([]float64{-1, -1}); got != "2 of 2 echoes lost (100.0%)xx" {
		t.Error(got)
	}
	if plot(nil) != "" {
		t.Error("a plot of nothing")
	}
}
