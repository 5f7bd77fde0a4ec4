package web

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"lnsgate/lns/trace"
)

// ladder is an attempt as a sequence diagram: a line downwards for each who takes part, and a rung for each thing that happened.
type ladder struct {
	Width, Height, Bottom int
	Words                 string // the diagram in a sentence
	Poles                 []pole
	Rungs                 []rung
	LeftOut               int
}

// pole is one who takes part.
type pole struct {
	X    int
	Name string
}

// rung is a message, or a decision that the LNS makes by itself.
type rung struct {
	trace.Rung
	Y, Text, Under int // where the line, the words and the detail stand
	From, To       int
	Head           string // the points of the arrow's tip
	Middle         int
	Decision       bool
	Label, Detail  string // cut to fit
	Time           string
	Class          string // of the stage, and whether nobody answered
	Full           string // everything, for who points at it or listens
}

const (
	ladderLeft  = 96  // room for the times
	ladderGap   = 340 // between peer and LNS
	ladderOther = 200 // between the LNS and each other
	ladderTop   = 54
	ladderStep  = 42
)

// drawLadder places everything.
func drawLadder(a *trace.Attempt) ladder {
	rungs := a.Rungs()
	l := ladder{Poles: []pole{{ladderLeft, "peer"}, {ladderLeft + ladderGap, "lnsgate"}}, LeftOut: a.LeftOut}
	places := make(map[string]int)
	for i := range rungs {
		if r := &rungs[i]; r.Actor != trace.Peer && r.Actor != trace.LNS {
			if name := otherName(r); places[name] == 0 && len(l.Poles) < 6 {
				places[name] = ladderLeft + ladderGap + ladderOther*(len(l.Poles)-1)
				l.Poles = append(l.Poles, pole{places[name], name})
			}
		}
	}
	l.Width = max(l.Poles[len(l.Poles)-1].X+120, ladderLeft+ladderGap+330)
	for i := range rungs {
		l.Rungs = append(l.Rungs, placeRung(&rungs[i], ladderTop+i*ladderStep, places, len(l.Poles)))
	}
	l.Bottom = ladderTop + len(rungs)*ladderStep
	l.Height = l.Bottom + 8
	l.Words = fmt.Sprintf("Sequence diagram of %d steps between %s. The same steps stand below it as text.", len(rungs), names(l.Poles))
	return l
}

func names(poles []pole) string {
	var list []string
	for _, p := range poles {
		list = append(list, p.Name)
	}
	return strings.Join(list, ", ")
}

func otherName(r *trace.Rung) string {
	if r.Who != "" {
		return r.Who
	}
	return r.Actor.String()
}

func placeRung(r *trace.Rung, y int, places map[string]int, poles int) rung {
	here := rung{Rung: *r, Y: y + 24, Text: y + 18, Under: y + 37, Time: stamp(r.After), Class: "stage-" + r.Stage.String()}
	lns := ladderLeft + ladderGap
	label := r.What
	switch {
	case r.IsMessage() && r.Actor == trace.Peer:
		here.From, here.To = ladderLeft, lns
	case r.IsMessage():
		here.From, here.To = lns, ladderLeft
	case r.Actor == trace.LNS:
		here.Decision, here.From, here.To = true, lns, lns
		if r.Who != "" {
			label += " " + r.Who
		}
	default:
		here.From, here.To = places[otherName(r)], lns
		if here.From == 0 { // more take part than are drawn
			here.From, label = lns+ladderOther, otherName(r)+" "+label
		}
	}
	if r.Times > 1 {
		label += fmt.Sprintf(" ×%d", r.Times)
	}
	here.Full = strings.Join(slices.DeleteFunc([]string{here.Time, who(r), label, r.Detail, here.remarks()}, func(s string) bool { return s == "" }), ": ")
	if r.Silent {
		here.Class += " silent"
	}
	here.fit(label, poles)
	return here
}

// fit cuts the words to the room that they have, and makes the arrow.
func (r *rung) fit(label string, poles int) {
	r.Middle = (r.From + r.To) / 2
	room := (max(r.From, r.To) - min(r.From, r.To)) / 8
	detail := strings.TrimSpace(r.Rung.Detail + " " + r.remarks())
	if r.Decision {
		room, r.Middle = 40, r.From+14
		if poles > 3 {
			room = 60
		}
		r.Text, r.Under = r.Y+1, r.Y+15
	} else {
		tip := r.To - 9
		if r.From > r.To {
			tip = r.To + 9
		}
		r.Head = fmt.Sprintf("%d,%d %d,%d %d,%d", r.To, r.Y, tip, r.Y-4, tip, r.Y+4)
	}
	r.Label, r.Detail = cut(label, room), cut(detail, room*5/4)
}

func (r *rung) remarks() string {
	var s []string
	if r.Took > 0 {
		s = append(s, "took "+lasted(r.Took))
	}
	if r.Times > 1 {
		s = append(s, "until "+stamp(r.Last))
	}
	if r.Silent {
		s = append(s, "no answer")
	}
	if len(s) == 0 {
		return ""
	}
	return "(" + strings.Join(s, ", ") + ")"
}

// who says in words which way it went.
func who(r *trace.Rung) string {
	switch {
	case r.IsMessage() && r.Actor == trace.Peer:
		return "peer to lnsgate"
	case r.IsMessage():
		return "lnsgate to peer"
	case r.Actor == trace.LNS:
		return "lnsgate"
	}
	return otherName(r)
}

func stamp(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

// cut makes a text short enough.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:max(1, most-1)])) + "…"
}
