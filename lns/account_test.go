package lns

import (
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/control"
	"lnsgate/lns/session"
)

// counted counts records.
type counted struct{ records int }

func (c *counted) Account(aaa.Record) { c.records++ }

// A peer that takes another identifier for IPv6 again and again does not make a record each time, but the last change is told.
func TestNewsOfASessionIsToldNowAndThen(t *testing.T) {
	books := &counted{}
	c := &call{tunnel: &tunnel{server: &Server{deps: Deps{Accounter: books}}, group: &Group{}, core: control.New(control.Config{})},
		core: session.New(&session.Policy{})}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if c.tellSoon(now); books.records != 1 || !c.interimBy.IsZero() {
		t.Fatalf("%d records, the next at %v", books.records, c.interimBy)
	}
	for range 100 {
		now = now.Add(newsGap / 200)
		c.tellSoon(now)
	}
	if want := c.told.Add(newsGap); books.records != 1 || !c.interimBy.Equal(want) {
		t.Errorf("%d records, the next at %v and not at %v", books.records, c.interimBy, want)
	}
	if c.tellSoon(now.Add(newsGap)); books.records != 2 {
		t.Errorf("%d records", books.records)
	}
}

// TestNamesOfSessionsRise: also as text, as a database sorts them.
func TestNamesOfSessionsRise(t *testing.T) {
	s := &Server{deps: Deps{Node: "n1"}, boot: 0x19a}
	before := ""
	for n := range 70_000 {
		name := s.sessionName(12, 7)
		if name <= before {
			t.Fatalf("%s comes after %s", name, before)
		}
		if local, ours := s.localName(name); !ours || local != "12/7" || n == 0 && name != "n1-19a-00000001-12/7" {
			t.Fatalf("%s: %q, %t", name, local, ours)
		}
		before = name
	}
}
