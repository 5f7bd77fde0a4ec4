package foreign

import (
	"time"

	"lnsgate/aaa"
)

// align has a record of a session that its NAS has named fit to the clock that the start of the session is by. That of the NAS may
// have been set since, and then the start that a record tells, or lets us think, is another than before.
//
// A Start that is older than the session tells of the next one, by a clock that was set back, such as at a NAS whose clock stands
// still while it is off: it begins now. What it told is returned, to know its other records by. One that the NAS says it has kept for
// so long is no such Start, but a late one, of which the other records have come before; where they do not tell how long the
// session has lasted, it is thought to have begun too late.
// Any other record is of the session if that can have lasted so long, and not less than before, with the same user and address:
// the clock may be wrong, what is counted is not.
func (e *entry) align(r *aaa.Record, now time.Time) (claimed time.Time) {
	lasted := r.At.Sub(r.Started)
	switch {
	case !e.isEstimate() || aaa.IsSameTime(e.started, r.Started):
	case isLate(r, now) && began(r.Started, e.started):
		r.Started = e.started
	case r.Kind == aaa.RecordStart && began(r.Started, e.started) && !aaa.IsSameTime(e.claimed, r.Started):
		claimed = r.Started
		beginNow(r, now)
	case aaa.IsSameTime(e.claimed, r.Started), e.goesOn(r, lasted, now):
		r.Started = e.started
		r.At = e.started.Add(lasted)
	}
	return claimed
}

// isLate says of a Start that it comes late, and that the clock of its NAS is right.
func isLate(r *aaa.Record, now time.Time) bool {
	return r.Kind == aaa.RecordStart && r.Delay > 0 && aaa.IsSameTime(r.Started, now.Add(-r.Delay))
}

func beginNow(r *aaa.Record, now time.Time) {
	r.Started = now.Truncate(time.Second)
	r.At = r.Started
}

// renew is align for a Start whose session has the name of one that has ended. It returns what start the record told; zero: it stays.
func (s *Sessions) renew(r *aaa.Record) (claimed time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Now()
	t, ended := s.book.tombs.Get(r.Session)
	if !ended || r.Kind != aaa.RecordStart || r.Session != r.NAS.Name+"/"+r.NAS.Session || !began(r.Started, t.started) || isLate(r, now) {
		return time.Time{}
	}
	claimed = r.Started
	beginNow(r, now)
	return claimed
}

// goesOn says that a record is of a session though it tells of another start.
func (e *entry) goesOn(r *aaa.Record, lasted time.Duration, now time.Time) bool {
	return r.Kind != aaa.RecordStart && r.Sequence > e.sequence && r.Name == e.name &&
		(!r.Address.IsValid() || !e.leases[four].Address.IsValid() || r.Address == e.leases[four].Address) &&
		lasted+time.Second >= time.Duration(e.sequence-min(e.sequence, firstSequence+1))*time.Second && lasted <= now.Sub(e.started)+aaa.SameTime
}
