package postgres

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestCopiedRowsSayWhatWasMeant: the binary format leaves no room for the server to correct anything.
func TestCopiedRowsSayWhatWasMeant(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `DROP TABLE IF EXISTS copied; CREATE TABLE copied (n integer, word text, said text, at timestamptz, took interval, host inet)`)
	const sql = `COPY copied (n, word, said, at, took, host) FROM STDIN (FORMAT binary)`
	rows := []struct {
		n          int32
		word, said string
		at         time.Time
		took       time.Duration
		host       netip.Addr
		want       string
	}{
		{1, "a", "b", time.Date(2026, 11, 23, 1, 2, 3, 456789999, time.UTC), 1500 * time.Millisecond, netip.MustParseAddr("192.0.2.9"),
			"1|a|b|2026-11-23 01:02:03.456789|00:00:01.5|192.0.2.9"},
		{-7, "", "", time.Date(1999, 12, 31, 23, 59, 59, 999999000, time.UTC), -time.Second, netip.MustParseAddr("fe80::1%eth0"),
			"-7|||1999-12-31 23:59:59.999999|-00:00:01|fe80::1"},
		{1 << 30, "\u00fc\t\\N\n", "x", time.Unix(0, 0), 49 * time.Hour, netip.MustParseAddr("::ffff:10.1.2.3"),
			"1073741824|\u00fc\t\\N\n|x|1970-01-01 00:00:00|49:00:00|10.1.2.3"},
		{0, "y", "z", time.Unix(0, 0), 0, netip.Addr{}, "0|y|z|1970-01-01 00:00:00|00:00:00|none"},
	}
	var c copyRows
	for range 2 { // the room is used again
		c.reset()
		for _, r := range rows {
			c.begin(6)
			c.integer(r.n)
			c.text(r.word)
			c.said(r.said)
			c.time(r.at)
			c.interval(r.took)
			c.address(r.host)
		}
		run(t, pool, "TRUNCATE copied")
		if err := c.send(context.Background(), pool, sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range rows {
		got := one[string](t, pool, fmt.Sprintf(`SELECT concat_ws('|', n, word, coalesce(said, ''), (at AT TIME ZONE 'UTC')::text, took::text, coalesce(host(host), 'none'))
			FROM copied WHERE n = %d AND (said IS NULL) = %t`, r.n, r.said == ""))
		if got != r.want {
			t.Errorf("%q instead of %q", got, r.want)
		}
	}
	if n := one[int](t, pool, "SELECT count(*) FROM copied"); n != len(rows) {
		t.Errorf("%d rows", n)
	}
}

// TestAWithdrawnSourceIsNotRead: a COPY that was broken off returns while pgx still reads.
func TestAWithdrawnSourceIsNotRead(t *testing.T) {
	rows := []byte("abcdef")
	source := &withdrawable{from: bytes.NewReader(rows)}
	first := make([]byte, 2)
	if n, err := source.Read(first); n != 2 || err != nil || string(first) != "ab" {
		t.Fatalf("%d, %v, %q", n, err, first)
	}
	reading := make(chan struct{})
	go func() { // a goroutine that nobody waits for before the rows are used again
		defer close(reading)
		for {
			if _, err := source.Read(first); err != nil {
				return
			}
		}
	}()
	source.withdraw()
	copy(rows, "ghijkl") // the race detector sees a Read of it
	<-reading
	if n, err := source.Read(first); n != 0 || err == nil {
		t.Errorf("%d octets after withdraw, %v", n, err)
	}
}
