package main

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   sample
		want float64
	}{
		{sample{7}, 7}, {sample{9, 1}, 5}, {sample{9, 1, 2}, 2}, {sample{4, 1, 3, 2}, 2.5},
	} {
		if got := c.of.median(); got != c.want {
			t.Errorf("median of %v: %v, want %v", c.of, got, c.want)
		}
	}
	if got := (sample{}).median(); !math.IsNaN(got) {
		t.Errorf("median of nothing: %v", got)
	}
	unsorted := sample{3, 1, 2}
	unsorted.median()
	if unsorted[0] != 3 {
		t.Error("the median has reordered the runs")
	}
}

func TestSpread(t *testing.T) {
	if got := (sample{2500, 1, 30}).spread(); got != "1.00 - 2,500" {
		t.Errorf("got %q", got)
	}
	if got := (sample{}).spread(); got != "-" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestRatiosAreTakenRunByRun(t *testing.T) {
	got := sample{10, 40, 5}.over(sample{20, 40}) // the third run has no reference yet
	if len(got) != 2 || got[0] != 0.5 || got[1] != 1 {
		t.Errorf("got %v", got)
	}
}

func TestAroundTakesTheReferenceBeforeAndAfter(t *testing.T) {
	var order []string
	references := []float64{10, 30}
	reference := func() (float64, error) {
		order = append(order, "reference")
		r := references[0]
		references = references[1:]
		return r, nil
	}
	got, err := around(reference, func() error { order = append(order, "measure"); return nil })
	if err != nil || got != 20 || strings.Join(order, " ") != "reference measure reference" {
		t.Errorf("%v, %v, %v", got, err, order)
	}
	failure := errors.New("mine")
	references = []float64{1, 2}
	if _, err := around(reference, func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}

func TestFigure(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 14.72: "14.7", 1: "1.00", 0.06789: "0.0679", 999: "999", 1000: "1,000", 1234: "1,230", 1234567: "1,230,000",
		12.999: "13.0", -2500: "-2,500", 1e-9: "0.000000", math.NaN(): "-", math.Inf(1): "-",
	} {
		if got := figure(x); got != want {
			t.Errorf("%v: %q, want %q", x, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var c collection
	for _, v := range []float64{100, 300, 200} {
		c.add("speed | up", "Mbit/s", v, "plain", 2*v)
		c.add("memory", "KB", v/10, "at most 16")
	}
	want := strings.Join([]string{
		"| figure | median | min - max | beside it | its median | ratio |",
		"|---|---:|---:|---|---:|---:|",
		`| speed \| up | 200 Mbit/s | 100 - 300 | plain | 400 Mbit/s | 0.500 |`,
		"| memory | 20.0 KB | 10.0 - 30.0 | at most 16 |  |  |",
		"",
	}, "\n")
	if got := table(c.all()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestServesStream(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	line := func(local, state string) string {
		return "   0: 0100007F:" + local + " 0100007F:A000 " + state + " 00000000:00000000 00:00000000 00000000     0        0 1\n"
	}
	for sockets, want := range map[string]bool{
		head: false, head + line("1451", "0A"): false, head + line("1451", "06"): false, head + line("1452", "01"): false,
		head + line("1451", "0A") + line("1451", "01"): true, head + line("1451", "08"): true,
	} {
		if got := servesStream(sockets); got != want {
			t.Errorf("%v of\n%s", got, sockets)
		}
	}
}
