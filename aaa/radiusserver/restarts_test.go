package radiusserver

import (
	"context"
	"fmt"
	"testing"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa/radius/wire"
)

// A NAS that does not hear that its start was taken says it again. Sessions that began meanwhile live on.
func TestAStartThatIsToldAgainEndsNothingMore(t *testing.T) {
	const on, off = statusOn, statusOff
	began := time.Unix(1_800_000_000, 0)
	type told struct {
		after  int // seconds
		status uint32
		rows   []row
		at     int // since when sessions are over
		again  bool
	}
	id, delay := func(s string) row { return str(44, s) }, func(n uint32) row { return num(41, n) }
	stamp := func(after int) row { return num(55, uint32(began.Unix())+uint32(after)) }
	for name, list := range map[string][]told{
		"a new identifier and nothing else": {{0, on, nil, 0, false}, {12, on, nil, 0, true}, {60, on, nil, 0, true}, {200, on, nil, 200, false}},
		"the name of its start":             {{0, on, []row{id("a")}, 0, false}, {12, on, []row{id("a")}, 0, true}, {20, on, []row{id("b")}, 20, false}},
		"a delay that counts": {
			{0, on, nil, 0, false}, {12, on, []row{delay(12)}, 0, true}, {300, on, []row{delay(299)}, 0, true}, {301, on, []row{delay(302)}, -1, true},
			{320, on, []row{delay(10)}, 310, false}, {330, on, []row{delay(19)}, 310, true}, {340, on, []row{delay(340)}, 0, true},
		},
		"the first is lost":   {{9, on, []row{delay(9)}, 0, false}, {20, on, []row{delay(20)}, 0, true}, {21, on, []row{delay(20)}, 0, true}},
		"an Event-Timestamp":  {{0, on, []row{stamp(0)}, 0, false}, {3000, on, []row{stamp(0), delay(20)}, 0, true}, {3001, on, []row{stamp(30)}, 30, false}},
		"its clock goes back": {{0, on, []row{stamp(-5)}, -5, false}, {9, on, []row{stamp(-500)}, -500, false}},
		"its clock is behind": {{0, on, []row{stamp(-9000), delay(0)}, 0, false}, {12, on, []row{stamp(-9000), delay(12)}, 0, true}, {70, on, []row{stamp(-8930), delay(0)}, 70, false}},
		"its clock begins at the same time": {
			{0, on, []row{stamp(-9000), delay(0)}, 0, false}, {300, on, []row{stamp(-9000), delay(0)}, 300, false},
			{310, on, []row{stamp(-9000), delay(10)}, 300, true}, {900, on, []row{stamp(-9000), delay(600)}, 300, true},
		},
		"its clock begins at the same time, and its delay does not count": {
			{0, on, []row{stamp(-9000), delay(0)}, 0, false}, {12, on, []row{stamp(-9000), delay(0)}, 0, true}, {300, on, []row{stamp(-9000), delay(0)}, 300, false},
		},
		"it ends and starts":         {{0, off, nil, 0, false}, {1, on, nil, 1, false}, {12, off, nil, 0, true}, {13, on, nil, 1, true}},
		"it starts, ends and starts": {{0, on, nil, 0, false}, {9, off, nil, 9, false}, {20, on, nil, 20, false}, {25, on, nil, 20, true}},
	} {
		r, handled := newRig(t, nil), 0
		for _, one := range list {
			r.took(accounting(t, 1, str(44, "0001"), str(1, "alice")))
			came := began.Add(time.Duration(one.after) * time.Second)
			octets := octetsOf(t, packet(t, radius.CodeAccountingRequest, append([]row{num(wire.TypeAcctStatusType, one.status)}, one.rows...)...))
			r.take(context.Background(), datagram{role: forRecords, octets: octets, from: nasAddress, out: newMailbox(), listener: int(forRecords)}, came)
			r.working.Wait()
			want := "branch " + began.Add(time.Duration(one.at)*time.Second).UTC().Format(time.RFC3339)
			got := r.records.restarts[handled:] // of a repetition mostly none: all is done
			if handled += len(got); len(got) > 0 && got[0] != want || len(got) == 0 && !one.again {
				t.Errorf("%s: after %d s: %q, want %q", name, one.after, got, want)
			}
			if _, known := r.sessions.known[nasSession{"branch", "0001"}]; known != one.again {
				t.Errorf("%s: after %d s: sessions are remembered: %v", name, one.after, known)
			}
		}
	}
}

// What could not be stored is tried again when the NAS tells it again, for the same time; and what was is not.
func TestAStartThatCouldNotBeStoredIsTriedAgain(t *testing.T) {
	r := newRig(t, nil)
	began := time.Unix(1_800_000_000, 0)
	for n, fault := range []error{errFull, errFull, nil, nil, nil} {
		r.records.err = fault
		octets := octetsOf(t, packet(t, radius.CodeAccountingRequest, num(wire.TypeAcctStatusType, statusOn)))
		box := newMailbox()
		r.take(context.Background(), datagram{role: forRecords, octets: octets, from: nasAddress, out: box, listener: int(forRecords)}, began.Add(time.Duration(n)*5*time.Second))
		r.working.Wait()
		if answered := len(box.all()) == 1; answered != (fault == nil) {
			t.Errorf("try %d is answered: %v", n, answered)
		}
	}
	if want := "branch " + began.UTC().Format(time.RFC3339); len(r.records.restarts) != 1 || r.records.restarts[0] != want {
		t.Errorf("%q, want %q once", r.records.restarts, want)
	}
}

func TestRestartsAreBounded(t *testing.T) {
	s, now := newRestarts(), time.Unix(1000, 0)
	on := restart{status: statusOn, at: now, came: now, client: "few"}
	s.settle("few", on)
	on.client = "many"
	for n := range mostRestarts + 100 {
		s.settle(fmt.Sprint(n), on)
	}
	if n := s.last.Len(); n > mostRestarts {
		t.Errorf("%d are remembered", n)
	}
	on.client = "few"
	if _, again, _ := s.settle("few", on); !again {
		t.Error("one of a client that tells little is forgotten")
	}
}
