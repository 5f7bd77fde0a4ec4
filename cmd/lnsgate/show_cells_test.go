package main

import "testing"

func TestDuration(t *testing.T) {
	for seconds, want := range map[int64]string{
		0: "00:00:00", 59: "00:00:59", 271: "00:04:31", 86399: "23:59:59", 86400: "1d 00:00:00", 94205: "1d 02:10:05",
	} {
		if got := duration(seconds); got != want {
			t.Errorf("duration(%d) = %s, want %s", seconds, got, want)
		}
	}
}

func TestOctets(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1.0 MiB", 1 << 20: "1.0 MiB",
		5 << 30: "5.0 GiB", 1<<64 - 1: "16.0 EiB",
	} {
		if got := octets(n); got != want {
			t.Errorf("octets(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestPercent(t *testing.T) {
	if got := percent(1, 3) + percent(0, 0) + percent(7, 7); got != "33%100%" {
		t.Errorf("got %s", got)
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"": "-", "anna": "anna", "Ännä": "Ännä", "a\tb\nc": "a?b?c", "\x1b[2J": "?[2J", "a\xffb": "a?b", "a\u202eb": "a?b",
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %q, want %q", text, got, want)
		}
	}
}
