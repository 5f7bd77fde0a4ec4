package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
)

// duration reads like the clock of a router: 00:04:31, and 3d 02:10:05 from one day on.
func duration(seconds int64) string {
	clock := fmt.Sprintf("%02d:%02d:%02d", seconds/3600%24, seconds/60%60, seconds%60)
	if days := seconds / 86400; days > 0 {
		return fmt.Sprintf("%dd %s", days, clock)
	}
	return clock
}

// limit is a duration where 0 means that there is none.
func limit(seconds int64) string {
	if seconds == 0 {
		return ""
	}
	return duration(seconds)
}

// moment is a time in the zone of the person who reads.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// octets reads 512 B, 1.5 KiB, 20.0 MiB: powers of 1024.
func octets(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	// 1023.95 would be printed as 1024.0 of the smaller unit.
	for ; value >= 1023.95 && unit < 5; unit++ {
		value /= 1024
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[unit])
}

func percent(part, whole uint64) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f%%", 100*float64(part)/float64(whole))
}

func mark(yes bool) string {
	if yes {
		return "*"
	}
	return ""
}

// address is empty for a peer that has none yet.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// holds is what a session has: its address, and the prefix of its link.
func holds(a netip.Addr, six []netip.Prefix) string {
	if len(six) == 0 {
		return address(a)
	}
	return strings.TrimSpace(address(a) + " " + six[0].String())
}

func addresses(list []netip.Addr) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, ",")
}

func networks(list []netip.Prefix) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = n.String()
	}
	return strings.Join(texts, ",")
}

func printableRune(r rune) bool { return unicode.IsPrint(r) && r != unicode.ReplacementChar }

// known is a number that is never 0, or nothing.
func known[T comparable](n T) any {
	var zero T
	if n == zero {
		return ""
	}
	return n
}
