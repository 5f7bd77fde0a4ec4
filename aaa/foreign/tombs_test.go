package foreign

import (
	"fmt"
	"testing"
	"time"

	"lnsgate/aaa"
)

// However many sessions end at the NASes of one client, those of another that have ended are known to have.
func TestEndedSessionsOfOneClientArePushedOutByNoOther(t *testing.T) {
	now := time.Unix(1000, 0)
	l, b := NewLedger(), newBook(10, now)
	stop := func(client string, n int) error {
		r := aaa.Record{Kind: aaa.RecordStop, Session: fmt.Sprint(client, "/", n), Sequence: 9, Started: now, NAS: &aaa.NAS{Client: client, Name: client}}
		b.bury(r.Session, clientOf(&r), tomb{sequence: r.Sequence, started: r.Started})
		return l.Put(r, now)
	}
	if err := stop("few", 0); err != nil {
		t.Fatal(err)
	}
	for n := range mostTombs + 10 {
		if err := stop("many", n); err != nil {
			t.Fatal(err)
		}
	}
	if _, there := b.tombs.Get("few/0"); !there || b.tombs.Len() != mostTombs {
		t.Errorf("of %d it is forgotten that the other client's has ended", b.tombs.Len())
	}
	late := aaa.Record{Kind: aaa.RecordInterim, Session: "few/0", Sequence: 2, Started: now, NAS: &aaa.NAS{Client: "few", Name: "few"}}
	if err := l.Put(late, now); err != ErrEnded {
		t.Errorf("a late record of the other client: %v", err)
	}
	changed := l.Changed().Sessions
	for n, kept := range map[int]bool{0: false, 10: false, mostTombs: true} {
		name := fmt.Sprint("many/", n)
		if _, e := l.Session(name); (e != nil) != kept || !changed[name] {
			t.Errorf("%s: known to have ended: %v; it is told that this has changed: %v", name, e != nil, changed[name])
		}
	}
}

// However many NASes there are behind the proxy of one client, what those of another do is known.
func TestNASesOfOneClientArePushedOutByNoOther(t *testing.T) {
	b, terms := newBook(10, time.Unix(1000, 0)), &aaa.Terms{Interim: time.Minute}
	b.reported("few", "few")
	for n := range mostReports + 10 {
		b.reported(fmt.Sprint("many/", n), "many")
	}
	if got := b.patience("few", terms, firstSequence); got != Patience(terms) || b.reports.Len() != mostReports {
		t.Errorf("a session of a NAS that sends Interims may be silent for %v; %d are known", got, b.reports.Len())
	}
}
