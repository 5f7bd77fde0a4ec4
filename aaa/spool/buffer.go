package spool

import "lnsgate/aaa"

// buffer holds records in memory, in order. The zero value is empty.
type buffer struct {
	records  []aaa.Record
	interims map[string]int // session -> where its waiting interim is
}

func (b *buffer) len() int { return len(b.records) }

// replaces reports whether a waiting interim of the session would make room for the record.
func (b *buffer) replaces(r *aaa.Record) bool {
	_, there := b.interims[r.Session]
	return there
}

// add puts the record at the end, or in the place of the waiting interim of its session.
func (b *buffer) add(r aaa.Record) {
	if b.interims == nil {
		b.interims = make(map[string]int)
	}
	at, there := b.interims[r.Session]
	if there {
		b.records[at] = r
	} else {
		at = len(b.records)
		b.records = append(b.records, r)
	}
	if r.Kind == aaa.RecordInterim {
		b.interims[r.Session] = at
	} else {
		delete(b.interims, r.Session)
	}
}

// take empties the buffer.
func (b *buffer) take() []aaa.Record {
	records := b.records
	*b = buffer{}
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
