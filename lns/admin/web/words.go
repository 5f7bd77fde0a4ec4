package web

import (
	"fmt"
	"html/template"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
)

// words are the functions of the templates.
var words = template.FuncMap{
	"num": num, "octets": octets, "lasted": lasted, "moment": moment, "clock": clock, "iso": iso, "sentence": sentence, "tone": tone,
	"outcome": outcome, "seconds": inSeconds, "percent": percent, "join": strings.Join, "addr": addr, "list": text[string], "addrs": text[netip.Addr], "nets": text[netip.Prefix], "rate": rate,
	"endpoint": endpoint, "stage": func(s trace.Stage) string { return s.String() }, "deref": deref,
}

// num groups the digits of a number by threes, with narrow spaces that do not break.
func num(n any) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && unicode.IsDigit(rune(digits[i-1])) {
			b.WriteRune('\u202f')
		}
		b.WriteRune(d)
	}
	return b.String()
}

func octets(n uint64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1000, 0
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	return fmt.Sprintf("%.3g %cB", v, units[i])
}

func rate(bits uint64) string {
	if bits == 0 {
		return "no limit"
	}
	return strings.TrimSuffix(octets(bits), "B") + "bit/s"
}

// lasted writes a time span with its two largest units.
func lasted(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

func inSeconds(n int64) string { return lasted(time.Duration(n) * time.Second) }

// moment is a time for a table: always with its date, always in UTC, as the log has it.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// sentence begins with a capital letter and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	first, width := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(first)) + s[width:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// tone is how an attempt went, in one word that the style knows.
func tone(a *admin.Attempt) string {
	switch {
	case a.Failed():
		return "bad"
	case a.Ended.IsZero() && !a.Opened.IsZero():
		return "ok"
	case a.Ended.IsZero():
		return "busy"
	}
	return "over"
}

// outcome is that word for people.
func outcome(a *admin.Attempt) string {
	return map[string]string{"bad": "Failed", "ok": "Online", "busy": "Under way", "over": "Ended"}[tone(a)]
}

func percent(part, whole uint64) string {
	if whole == 0 {
		return "0"
	}
	return strconv.FormatFloat(float64(part)*100/float64(whole), 'f', 1, 64)
}

func addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func endpoint(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}

// text writes lists with commas.
func text[T any](list []T) string {
	parts := make([]string, len(list))
	for i := range list {
		parts[i] = fmt.Sprint(list[i])
	}
	return strings.Join(parts, ", ")
}

// deref writes what a pointer points to, or nothing.
func deref(v any) string {
	switch p := v.(type) {
	case *string:
		if p != nil {
			return *p
		}
	case *time.Time:
		if p != nil {
			return moment(*p)
		}
	case *int:
		if p != nil {
			return strconv.Itoa(*p)
		}
	}
	return ""
}
