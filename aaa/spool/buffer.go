package spool

import (
	"time"

	"lnsgate/aaa"
)

// buffer holds records in memory, in order. The zero value is empty.
type buffer struct {
	records  []aaa.Record
	interims map[string]int // session -> where its waiting interim is
	expected int            // so many records will come
}

func (b *buffer) len() int { return len(b.records) }

// replaces reports whether a waiting interim of the session would make room for the record.
func (b *buffer) replaces(r *aaa.Record) bool {
	at, there := b.interims[r.Session]
	return there && placeOf(&b.records[at], 0).givesWayTo(r)
}

// add puts the record at the end, or in the place of the waiting interim of its session. The newest interim is the one that waits.
func (b *buffer) add(r aaa.Record) {
	if b.interims == nil {
		b.interims = make(map[string]int)
	}
	at := b.interims[r.Session]
	if b.replaces(&r) {
		b.records[at] = r
	} else {
		if b.records == nil {
			b.records = make([]aaa.Record, 0, b.expected)
		}
		at = len(b.records)
		b.records = append(b.records, r)
	}
	if r.Kind == aaa.RecordInterim {
		b.interims[r.Session] = at
	} else {
		delete(b.interims, r.Session)
	}
}

// mostExpected bounds the room that is made in advance.
const mostExpected = 256

// take empties the buffer. As many records are expected to come as came before.
func (b *buffer) take() []aaa.Record {
	records := b.records
	*b = buffer{expected: min(len(records), mostExpected)}
	return records
}

// giveBack puts older records in front of what has come since.
func (b *buffer) giveBack(older []aaa.Record) {
	newer := b.take()
	for _, r := range older {
		b.add(r)
	}
	for _, r := range newer {
		b.add(r)
	}
}

// place is where in the queue the waiting interim of a session is, and what has to be known to put another record there.
type place struct {
	serial   uint64
	sequence uint32
	started  time.Time
	terms    bool // the record has some
}

func placeOf(r *aaa.Record, serial uint64) place {
	return place{serial, r.Sequence, r.Started, r.Terms != nil}
}

// givesWayTo reports whether nothing is lost when the record takes the place. Those of our own sessions come in order, and each says
// all that the one before said. Those of other NASes come late, a name may come again, and not all know the terms.
func (p place) givesWayTo(r *aaa.Record) bool {
	return r.NAS == nil || r.Sequence >= p.sequence && r.Started.Equal(p.started) && (r.Terms != nil || !p.terms)
}
