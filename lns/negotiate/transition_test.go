package negotiate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"lnsgate/lns/ppp"
)

// rfcTable is the table of RFC 1661 section 4.1: one line for each event, one
// column for each state from Initial to Opened. Footnotes are left out.
const rfcTable = `
Up    2      irc,scr/6 -     -           -     -     -         -         -         -
Down  -      -         0     tls/1       0     1     1         1         1         tld/1
Open  tls/1  1     irc,scr/6 3           5     5     6         7         8         9
Close 0      tlf/0     2     2           4     4     irc,str/4 irc,str/4 irc,str/4 tld,irc,str/4
TO+   -      -         -     -           str/4 str/5 scr/6     scr/6     scr/8     -
TO-   -      -         -     -           tlf/2 tlf/3 tlf/3     tlf/3     tlf/3     -
RCR+  -      -         sta/2 irc,scr,sca/8 4   5     sca/8     sca,tlu/9 sca/8     tld,scr,sca/8
RCR-  -      -         sta/2 irc,scr,scn/6 4   5     scn/6     scn/7     scn/6     tld,scr,scn/6
RCA   -      -         sta/2 sta/3       4     5     irc/7     scr/6     irc,tlu/9 tld,scr/6
RCN   -      -         sta/2 sta/3       4     5     irc,scr/6 scr/6     irc,scr/8 tld,scr/6
RTR   -      -         sta/2 sta/3       sta/4 sta/5 sta/6     sta/6     sta/6     tld,zrc,sta/5
RTA   -      -         2     3           tlf/2 tlf/3 6         6         8         tld,scr/6
RUC   -      -         scj/2 scj/3       scj/4 scj/5 scj/6     scj/7     scj/8     scj/9
RXJ+  -      -         2     3           4     5     6         6         8         9
RXJ-  -      -         tlf/2 tlf/3       tlf/2 tlf/3 tlf/3     tlf/3     tlf/3     tld,irc,str/5
RXR   -      -         2     3           4     5     6         7         8         ser/9
`

// rfcCell is one cell of rfcTable; legal is false for the dash.
type rfcCell struct {
	legal   bool
	actions []string
	next    State
}

func readTable(t *testing.T) (cells [eventCount][stateCount]rfcCell) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(rfcTable), "\n")
	if len(lines) != eventCount {
		t.Fatalf("%d lines, want %d", len(lines), eventCount)
	}
	for e, line := range lines {
		fields := strings.Fields(line)
		if len(fields) != stateCount+1 || fields[0] != Event(e).String() {
			t.Fatalf("line %q does not belong to event %v", line, Event(e))
		}
		for s, field := range fields[1:] {
			if field == "-" {
				continue
			}
			actions, next, found := strings.Cut(field, "/")
			if !found {
				actions, next = "", field
			}
			c := rfcCell{legal: true, next: State(next[0] - '0')}
			if actions != "" {
				c.actions = strings.Split(actions, ",")
			}
			cells[e][s] = c
		}
	}
	return cells
}

// inState is an LCP that was put into a state, with its restart counter at
// values that no action sets.
func inState(s State) *LCP {
	l := NewLCP(LCPConfig{Magic: 1})
	l.m.state = s
	l.m.left, l.m.attempt = 77, 3
	l.m.id = 40
	l.m.deadline = start.Add(1)
	if !s.timed() {
		l.m.deadline = l.m.deadline.AddDate(100, 0, 0)
	}
	return l
}

// TestRFC1661Section4_1_EveryCell drives each event into each state and compares
// what is seen from outside with the RFC's table.
func TestRFC1661Section4_1_EveryCell(t *testing.T) {
	for e, row := range readTable(t) {
		for s, want := range row {
			t.Run(fmt.Sprintf("%v/%v", Event(e), State(s)), func(t *testing.T) {
				l := inState(State(s))
				var out Out
				request := ppp.Packet{Code: ppp.ConfigureRequest, Identifier: 9}
				l.m.step(l, stimulus{event: Event(e), in: incoming(Event(e)), answer: answerFor(Event(e), request)}, start, &out)
				if !want.legal {
					if l.m.state != State(s) || len(out.Frames)+len(out.Changes) != 0 {
						t.Fatalf("an impossible event led to %v and %d frames", l.m.state, len(out.Frames))
					}
					return
				}
				if l.m.state != want.next {
					t.Errorf("next state %v, want %v", l.m.state, want.next)
				}
				got := observed(t, l, &out)
				wanted := slices.DeleteFunc(slices.Clone(want.actions), func(a string) bool { return a == "irc" || a == "zrc" })
				slices.Sort(got)
				slices.Sort(wanted)
				if !slices.Equal(got, wanted) {
					t.Errorf("actions %v, want %v", got, wanted)
				}
				checkCounter(t, l, want)
				checkTimer(t, l, State(s), want)
			})
		}
	}
}

func incoming(e Event) ppp.Packet {
	switch e {
	case EventRXR:
		return ppp.Packet{Code: ppp.EchoRequest, Identifier: 9, Data: make([]byte, 4)}
	case EventRTR:
		return ppp.Packet{Code: ppp.TerminateRequest, Identifier: 9}
	case EventRUC:
		return ppp.Packet{Code: 99, Identifier: 9}
	}
	return ppp.Packet{Code: ppp.ConfigureRequest, Identifier: 9}
}

func answerFor(e Event, request ppp.Packet) []byte {
	if e == EventRCRBad {
		return packet(ppp.ConfigureReject, request.Identifier)
	}
	return packet(ppp.ConfigureAck, request.Identifier)
}

// observed names the actions that can be seen in Out.
func observed(t *testing.T, l *LCP, out *Out) (actions []string) {
	t.Helper()
	byCode := map[ppp.Code]string{
		ppp.ConfigureRequest: "scr", ppp.ConfigureAck: "sca", ppp.ConfigureNak: "scn", ppp.ConfigureReject: "scn",
		ppp.TerminateRequest: "str", ppp.TerminateAck: "sta", ppp.CodeReject: "scj", ppp.EchoReply: "ser",
	}
	for _, f := range out.Frames {
		p, err := ppp.ParsePacket(f.Packet)
		if err != nil || f.Protocol != ppp.LCP {
			t.Fatalf("frame %v: %v", f, err)
		}
		actions = append(actions, byCode[p.Code])
	}
	byChange := map[Change]string{LayerUp: "tlu", LayerDown: "tld", LayerStarted: "tls", LayerFinished: "tlf"}
	for _, c := range out.Changes {
		actions = append(actions, byChange[c])
	}
	return actions
}

func checkCounter(t *testing.T, l *LCP, want rfcCell) {
	t.Helper()
	left := 77
	if slices.Contains(want.actions, "zrc") {
		left = 0
	}
	if slices.Contains(want.actions, "irc") {
		left = defaultMaxConfigure
		if slices.Contains(want.actions, "str") {
			left = defaultMaxTerminate
		}
	}
	if slices.Contains(want.actions, "scr") || slices.Contains(want.actions, "str") {
		left--
	}
	if int(l.m.left) != left {
		t.Errorf("restart counter %d, want %d", l.m.left, left)
	}
}

// checkTimer: the timer runs in the five states of section 4.2 and stops on the
// way to any other.
func checkTimer(t *testing.T, l *LCP, from State, want rfcCell) {
	t.Helper()
	if want.next.timed() && l.m.deadline.IsZero() {
		t.Errorf("no restart timer in %v", want.next)
	}
	if !want.next.timed() && want.next != from && !l.m.deadline.IsZero() {
		t.Errorf("restart timer in %v", want.next)
	}
}

// TestRFC1661Section4_1_TableIsTranscribed compares the two tables without
// running anything, so that a wrong action is named as such.
func TestRFC1661Section4_1_TableIsTranscribed(t *testing.T) {
	names := map[action]string{tld: "tld", irc: "irc", zrc: "zrc", scr: "scr", str: "str", sca: "sca", scn: "scn", sta: "sta", scj: "scj", ser: "ser", tlu: "tlu", tls: "tls", tlf: "tlf"}
	for e, row := range readTable(t) {
		for s, want := range row {
			c := transitions[e][s]
			var got []string
			for a := tld; a <= tlf; a <<= 1 {
				if c.do&a != 0 {
					got = append(got, names[a])
				}
			}
			if (c.do != 0) != want.legal || c.next != want.next || !slices.Equal(got, want.actions) {
				t.Errorf("%v in %v: %v/%v, want %v/%v", Event(e), State(s), got, c.next, want.actions, want.next)
			}
		}
	}
}
