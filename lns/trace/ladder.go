package trace

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Widths of a ladder, in columns: time, the way between peer and LNS, the one between LNS and the others, and what is left of 100
// for details.
const (
	timeWidth   = 9
	wireWidth   = 32
	houseWidth  = 15
	detailWidth = 100 - timeWidth - wireWidth - houseWidth - 5
)

// Ladder draws the dialogue of an attempt for a terminal of 100 columns: who said what to whom, and when; repetitions are one line. Then
// come the verdict, what to do, and who can do it.
func (a *Attempt) Ladder() string { return a.Drawn(0, true) }

// Drawn draws the ladder of an attempt that is being watched: its steps from one on, with the head if that is the first, and with the
// verdict if that is wanted.
func (a *Attempt) Drawn(from int, judged bool) string {
	var b strings.Builder
	if from == 0 {
		a.head(&b)
	}
	rest := *a
	rest.Steps = a.Steps[min(from, len(a.Steps)):]
	for _, r := range rest.Rungs() {
		r.draw(&b)
	}
	if a.LeftOut > 0 && judged {
		fmt.Fprintf(&b, "%*s ... and %d more\n", timeWidth, "", a.LeftOut)
	}
	if judged {
		b.WriteString("\n")
		a.judge(&b)
	}
	return b.String()
}

func (a *Attempt) head(b *strings.Builder) {
	for _, fact := range a.facts() {
		paragraph(b, fact[0], fact[1])
	}
	b.WriteString("\n")
	fmt.Fprintf(b, "%*s %-*s%*s\n", timeWidth, "", wireWidth-1, "peer", houseWidth+5, "lnsgate      others")
}

// facts are what is known besides the steps.
func (a *Attempt) facts() [][2]string {
	var all [][2]string
	add := func(name string, parts ...string) {
		if parts[0] != "" {
			all = append(all, [2]string{name, strings.Join(parts, "")})
		}
	}
	optional := func(before, text, after string) string {
		if text == "" {
			return ""
		}
		return before + text + after
	}
	name := a.Name
	if name == "" {
		name = "(the peer never said a name)"
	}
	add("User", name, optional(", by ", a.Method, ""))
	add("Peer", a.Peer.String(), optional(", host ", a.HostName, ""), optional(", looks like ", a.Fingerprint, ""))
	add("Began", a.Began.UTC().Format("2006-01-02 15:04:05 MST"), optional(" on node ", a.Node, ""), optional(", session ", a.Handle(), ""))
	add("Group", a.Group, optional(", virtual template ", a.Template, ""))
	add("Domain", a.Domain, optional(": ", a.Rule, ""))
	add("Back end", a.Backend, optional(", account ", a.Account, ""))
	if a.Address.IsValid() {
		add("Address", a.Address.String(), optional(" of pool ", a.Pool, ""), optional(": ", a.Why, ""))
	}
	add("Attempt", a.ID)
	return all
}

func (a *Attempt) judge(b *strings.Builder) {
	v := a.Verdict
	words := v.String()
	if a.Times > 1 {
		words += fmt.Sprintf(" (%d times, the last one at %s)", a.Times, a.Ended.UTC().Format("15:04:05 MST"))
	}
	paragraph(b, "Verdict", words+" ["+v.Cause.Name()+"]")
	if v.Cause.Helper() == ByNobody {
		return
	}
	paragraph(b, "Remedy", v.Cause.Remedy())
	paragraph(b, "Who", v.Cause.Helper().String())
}

func paragraph(b *strings.Builder, title, text string) {
	for _, line := range wrap(safe(text), 100-11) {
		fmt.Fprintf(b, "%-10s %s\n", title, line)
		title = ""
	}
}

// Rung is a step of a ladder, with its repetitions.
type Rung struct {
	Step
	Times  int           // said so often
	Last   time.Duration // the last time
	Silent bool          // the peer never answered any of it
}

// Rungs puts repetitions together with what they repeat.
func (a *Attempt) Rungs() []Rung {
	var rungs []Rung
	for _, s := range a.Steps {
		if i := repeated(rungs, &s); i >= 0 {
			rungs[i].Times++
			rungs[i].Last = s.After
			continue
		}
		rungs = append(rungs, Rung{Step: s, Times: 1, Last: s.After})
	}
	for i := range rungs {
		rungs[i].Silent = rungs[i].Times > 1 && rungs[i].Actor == LNS && rungs[i].IsMessage() && !answered(rungs[i+1:], &rungs[i])
	}
	return rungs
}

// repeated finds what a step says again; below zero: nothing.
func repeated(rungs []Rung, s *Step) int {
	if !s.Again {
		return -1
	}
	for i := len(rungs) - 1; i >= 0; i-- {
		r := &rungs[i]
		if r.Actor == s.Actor && r.What == s.What && (s.Detail == "" || r.Detail == s.Detail) {
			return i
		}
	}
	return -1
}

// answered says whether the peer has said something later in the language of the rung.
func answered(later []Rung, r *Rung) bool {
	protocol, _, ppp := strings.Cut(r.What, " ")
	for i := range later {
		if later[i].Actor != Peer {
			continue
		}
		its, _, also := strings.Cut(later[i].What, " ")
		if ppp == also && (!ppp || its == protocol) {
			return true
		}
	}
	return false
}

// IsMessage says that the step is a message between peer and LNS, not a decision of the LNS: those are named in small letters.
func (s *Step) IsMessage() bool {
	first, _ := utf8.DecodeRuneInString(s.What)
	return s.Actor == Peer || (s.Actor == LNS && (!unicode.IsLower(first) || strings.HasPrefix(s.What, "protocol ")))
}

func (r *Rung) draw(b *strings.Builder) {
	wire, house := strings.Repeat(" ", wireWidth), strings.Repeat(" ", houseWidth)
	bar, text := "|", r.Detail
	switch {
	case r.IsMessage():
		what := r.What
		if r.Times > 1 {
			what += fmt.Sprintf(" x%d", r.Times)
		}
		wire = arrow(what, wireWidth, r.Actor == Peer)
	case r.Actor == LNS:
		bar, text = "*", title(r.What, r.Who, r.Detail)
	default:
		who := r.Who
		if who == "" {
			who = r.Actor.String()
		}
		house = arrow(who, houseWidth, false)
		text = title(r.What, "", r.Detail)
	}
	lines := wrap(safe(text+r.remarks()), detailWidth)
	first := fmt.Sprintf("%*s |%s%s%s| %s", timeWidth, stamp(r.After), safe(wire), bar, safe(house), lines[0])
	b.WriteString(strings.TrimRight(first, " ") + "\n")
	for _, line := range lines[1:] {
		fmt.Fprintf(b, "%*s |%*s|%*s| %s\n", timeWidth, "", wireWidth, "", houseWidth, "", line)
	}
}

func (r *Rung) remarks() string {
	var s string
	if r.Took > 0 {
		s += " (" + r.Took.Round(10*time.Microsecond).String() + ")"
	}
	if r.Times > 1 {
		s += " (until " + stamp(r.Last) + ")"
	}
	if r.Silent {
		s += ": no answer"
	}
	return s
}

// title puts a name in front of a detail.
func title(what, who, detail string) string {
	if who != "" {
		what += " " + who
	}
	if detail == "" {
		return what
	}
	return what + ": " + detail
}

// arrow draws a message of this width: to the right, or to the left.
func arrow(what string, width int, right bool) string {
	if room := width - 5; utf8.RuneCountInString(what) > room {
		what = string([]rune(what)[:room-1]) + "~"
	}
	dashes := strings.Repeat("-", width-4-utf8.RuneCountInString(what))
	if right {
		return "- " + what + " " + dashes + ">"
	}
	return "<" + dashes + " " + what + " -"
}

func stamp(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

// wrap cuts a text into lines, between words where that is possible. There is always one.
func wrap(text string, width int) []string {
	var lines []string
	runes := []rune(strings.TrimSpace(text))
	for len(runes) > width {
		at := width
		for i := width; i > width/2; i-- {
			if runes[i] == ' ' {
				at = i
				break
			}
		}
		lines = append(lines, strings.TrimSpace(string(runes[:at])))
		runes = []rune(strings.TrimSpace(string(runes[at:])))
	}
	return append(lines, string(runes))
}

// safe makes what strangers sent harmless for a terminal.
func safe(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
