package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"lnsgate/aaa"
)

// pages is a place that remembers.
type pages []string

func (p *pages) Take(r aaa.Record) error {
	*p = append(*p, r.Session)
	return nil
}

func (p *pages) Sync(context.Context) error { return nil }

func TestRecordsGoWhereTheirDomainSays(t *testing.T) {
	var sql, hq pages
	b := &books{log: slog.New(slog.DiscardHandler), places: map[string]recordPlace{"postgres": &sql, "hq": &hq}, usual: []string{"postgres"}}
	for _, r := range []aaa.Record{
		{Session: "a"}, {Session: "b", Sinks: []string{"hq"}}, {Session: "c", Sinks: []string{"hq", "postgres"}},
		{Session: "d", Sinks: []string{"gone"}},
	} {
		b.Account(r)
	}
	if len(sql) != 2 || sql[0] != "a" || sql[1] != "c" {
		t.Errorf("the database has %v", sql)
	}
	if len(hq) != 2 || hq[0] != "b" || hq[1] != "c" {
		t.Errorf("the RADIUS group has %v", hq)
	}
	if n := b.figures()["accounting_unknown_place"]; n != 1 {
		t.Errorf("%d records had no place, want 1", n)
	}
}

// full is a place that takes nothing.
type full struct{ pages }

var errFull = errors.New("full")

func (*full) Take(aaa.Record) error { return errFull }

// TestARecordThatOnePlaceRefusesIsRefused, so that the NAS is not told that it is stored. The others have it, and take it once.
func TestARecordThatOnePlaceRefusesIsRefused(t *testing.T) {
	var hq pages
	b := &books{log: slog.New(slog.DiscardHandler), places: map[string]recordPlace{"postgres": &full{}, "hq": &hq}}
	if err := b.Take(aaa.Record{Session: "a", Sinks: []string{"postgres", "hq"}}); !errors.Is(err, errFull) || len(hq) != 1 {
		t.Error(err, hq)
	}
}
