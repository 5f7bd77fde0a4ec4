package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/lns/trace"

	"github.com/spf13/cobra"
)

func draw(cmd *cobra.Command, attempts []admin.Attempt) error {
	for i := range attempts {
		between := ""
		if i > 0 {
			between = "\n" + strings.Repeat("=", 100) + "\n\n"
		}
		if _, err := io.WriteString(cmd.OutOrStdout(), between+attempts[i].Ladder()); err != nil {
			return err
		}
	}
	return nil
}

func printAttempts(cmd *cobra.Command, attempts []admin.Attempt) error {
	t := newTable(cmd.OutOrStdout())
	t.row("Time", "User", "Peer", "LooksLike", "Address", "Verdict")
	for i := range attempts {
		a := &attempts[i]
		address := ""
		if a.Address.IsValid() {
			address = a.Address.String()
		}
		t.row(a.At().Local().Format("2006-01-02 15:04:05"), a.Name, a.Peer.Addr(), a.Fingerprint, address, oneLine(a))
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "\nTo see one drawn: lnsgate explain %s\n", example(attempts))
	return err
}

// oneLine is the verdict, short enough for a list.
func oneLine(a *admin.Attempt) string {
	text := a.Verdict.String()
	if a.Times > 1 {
		text = fmt.Sprintf("%d times: %s", a.Times, text)
	}
	if runes := []rune(text); len(runes) > 100 {
		text = string(runes[:99]) + "…"
	}
	return text
}

// example names an attempt of the list as a person would: by the user, by the peer when there is none.
func example(attempts []admin.Attempt) string {
	for i := range attempts {
		if name := attempts[i].Name; name != "" && !strings.ContainsFunc(name, func(r rune) bool { return !printableRune(r) || strings.ContainsRune(" '\"\\$`!", r) }) {
			return name
		}
	}
	return attempts[0].Peer.Addr().String()
}

func (e *explanation) printCauses(cmd *cobra.Command) error {
	if e.output == "json" {
		var list []admin.Cause
		for _, c := range trace.Causes() {
			list = append(list, admin.Cause{Name: c, Stage: c.Stage(), Meaning: admin.Meaning{Sentence: c.String(), Remedy: c.Remedy(), Helper: c.Helper()}})
		}
		return writeJSON(cmd.OutOrStdout(), list)
	}
	t := newTable(cmd.OutOrStdout())
	t.row("Cause", "Stage", "Who", "Meaning", "Remedy")
	for _, c := range trace.Causes() {
		t.row(c.Name(), c.Stage(), c.Helper(), c, c.Remedy())
	}
	return t.flush()
}

// followEvery is how often an attempt under way is looked at.
const followEvery = 500 * time.Millisecond

// watch draws the newest attempt that fits, goes on as it does, and then waits for the next.
func (e *explanation) watch(cmd *cobra.Command, client *admin.Client, filters []trace.Filter) error {
	if e.output == "json" {
		return errors.New("--follow draws for people: leave out -o json, or read the events of the admin API")
	}
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for i := range filters {
		filters[i].Limit = 1
	}
	var seen follower
	for {
		page, err := firstFound(cmd.Context(), client, filters)
		if cmd.Context().Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if len(page.Attempts) > 0 {
			if _, err := io.WriteString(cmd.OutOrStdout(), seen.news(&page.Attempts[0].Attempt)); err != nil {
				return err
			}
		}
		select {
		case <-cmd.Context().Done():
			return nil
		case <-ticker.C:
		}
	}
}

// follower remembers what of an attempt has been drawn.
type follower struct {
	id    string
	began time.Time
	steps int
	over  bool
}

// news draws what is new of an attempt. Its id changes once, when a tunnel gets its first call.
func (f *follower) news(a *trace.Attempt) string {
	over := a.Verdict.Cause != trace.InProgress
	switch {
	case !a.Began.Equal(f.began):
		*f = follower{id: a.ID, began: a.Began, steps: len(a.Steps), over: over}
		return "\n" + a.Drawn(0, over)
	case len(a.Steps) == f.steps && over == f.over:
		return ""
	}
	from := f.steps
	done := over && !f.over
	f.steps, f.over = len(a.Steps), over
	return a.Drawn(from, done)
}
