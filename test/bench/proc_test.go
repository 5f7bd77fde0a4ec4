package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseResident(t *testing.T) {
	got, err := parseResident("Name:\tlnsgate\nVmHWM:\t  9 kB\nVmRSS:\t    2048 kB\nThreads:\t9\n")
	if err != nil || got != 2<<20 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, faulty := range []string{"", "VmRSS:\t-1 kB\n", "VmRSS:\t1 MB\n"} {
		if got, err := parseResident(faulty); err == nil {
			t.Errorf("%q: got %v", faulty, got)
		}
	}
}

func TestParseProcessorTime(t *testing.T) {
	got, err := parseProcessorTime("123 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20")
	if err != nil || got != 2*time.Second {
		t.Errorf("got %v, %v", got, err)
	}
	for _, faulty := range []string{"", "1 (a) S 1 2", "123 (a) S 1 2 3 4 5 6 7 8 9 10 x 50 0"} {
		if got, err := parseProcessorTime(faulty); err == nil {
			t.Errorf("%q: got %v", faulty, got)
		}
	}
}

func TestFamilyTimeCountsTheDead(t *testing.T) {
	if got, err := parseTimes("123 (a) S 1 2 3 4 5 6 7 8 9 10 150 50 200 100 20", 4); err != nil || got != 5*time.Second {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := familyTime(os.Getpid()); err != nil {
		t.Error(err)
	}
	if pid, err := parent(os.Getpid()); err != nil || pid != os.Getppid() {
		t.Errorf("parent %d, %v", pid, err)
	}
}

func TestOwnProcessIsMeasured(t *testing.T) {
	if rss, err := resident(os.Getpid()); err != nil || rss < 1<<20 {
		t.Errorf("resident memory %v, %v", rss, err)
	}
	if _, err := processorTime(os.Getpid()); err != nil {
		t.Error(err)
	}
	if line := machine(); !strings.Contains(line, "cores") || !strings.Contains(line, "Linux") {
		t.Errorf("machine: %s", line)
	}
}

func TestProcessor(t *testing.T) {
	if got := processor("processor\t: 0\nmodel name\t: Fast One\n"); got != "Fast One" {
		t.Errorf("got %q", got)
	}
	if got := processor("nothing"); got != "" {
		t.Errorf("got %q", got)
	}
}
