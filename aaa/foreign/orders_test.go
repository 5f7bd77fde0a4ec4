package foreign_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
)

func noAnswer(foreign.Order) foreign.Answer { return foreign.Answer{Text: "no answer"} }

func refused(foreign.Order) foreign.Answer {
	return foreign.Answer{Done: true, Text: "refused: unsupported (405)"}
}

func lost(foreign.Order) foreign.Answer {
	return foreign.Answer{Lost: true, Text: "refused: session not found (503)"}
}

// history is the last order and what came of it.
func (r *rig) history() foreign.Told {
	r.Helper()
	all := r.store.History()
	if len(all) == 0 {
		r.Fatal("there is no order")
	}
	return all[0]
}

// Every node hears that a session is to end; who asks by hand asks twice because it is to be told twice.
func TestAnEndThatManyHearIsToldOnce(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		for range 3 {
			if !r.End(r.Context(), start.Session, "moved to Berlin") {
				t.Fatal("there is such a session")
			}
			synctest.Wait()
		}
		if told := r.nases.orders(); len(told) != 1 || told[0].Reason != "moved to Berlin" {
			t.Errorf("told %+v", told)
		}
		r.Disconnect(r.Context(), start.Session, "kicked")
		r.pass(time.Second)
		r.Disconnect(r.Context(), start.Session, "kicked")
		synctest.Wait()
		if n := len(r.nases.orders()); n != 3 {
			t.Errorf("told %d times, want 3", n)
		}
	})
}

func TestDisconnectIsToldAtOnce(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		if r.Disconnect(r.Context(), "nobody", "kicked") {
			t.Error("there is no such session")
		}
		at := time.Now()
		if !r.Disconnect(r.Context(), start.Session, "kicked by root") {
			t.Fatal("there is one")
		}
		synctest.Wait()
		told := r.nases.orders()
		if len(told) != 1 || told[0].Kind != foreign.Disconnect || told[0].Reason != "kicked by root" || told[0].Session.NAS.Session != start.NAS.Session {
			t.Fatalf("told %+v", told)
		}
		if !r.nases.at[0].Equal(at) {
			t.Errorf("told after %s", r.nases.at[0].Sub(at))
		}
		if h := r.history(); !h.Answer.Done || !h.Answer.OK || h.Answer.Text != "acknowledged" {
			t.Errorf("kept is %+v", h)
		}
		r.pass(10 * time.Second)
		r.live(start.Session)
		r.tell(later(start, aaa.RecordStop))
		r.pass(5 * time.Minute)
		if n := len(r.books.records()); n != 2 {
			t.Errorf("%d records", n)
		}
	})
}

func TestSessionThatItsNASHasEndedWithoutAStopIsClosed(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		at := time.Now()
		r.Disconnect(r.Context(), start.Session, "kicked")
		r.pass(2 * time.Minute)
		r.live()
		last := r.books.last(t)
		if last.Kind != aaa.RecordStop || last.Terminate != aaa.TerminateAdminReset || !last.At.Equal(at) {
			t.Errorf("the Stop is %+v", last)
		}
		if h := r.pools.holder(t, start.Address.String()); h != "" {
			t.Errorf("the address is still %q's", h)
		}
	})
}

func TestSessionThatItsNASDoesNotKnowIsClosed(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		r.nases.say(lost)
		r.Disconnect(r.Context(), start.Session, "kicked")
		r.pass(time.Second)
		r.live()
		if got := r.Stats(); got.Lost != 1 {
			t.Errorf("%+v", got)
		}
		r.pass(5 * time.Minute)
		r.tell(later(start, aaa.RecordInterim)) // the NAS was wrong
		r.live(start.Session)
	})
}

func TestOrderIsRepeatedUntilItIsAnswered(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		r.nases.say(noAnswer)
		r.Disconnect(r.Context(), start.Session, "kicked")
		r.pass(20 * time.Minute)
		var gaps []time.Duration
		for i := 1; i < len(r.nases.at); i++ {
			gaps = append(gaps, r.nases.at[i].Sub(r.nases.at[i-1]))
		}
		if want := "[10s 30s 1m0s 2m0s 5m0s 5m0s 5m0s]"; fmt.Sprint(gaps) != want {
			t.Errorf("told again after %v, want %v", gaps, want)
		}
		r.tell(later(start, aaa.RecordInterim))
		r.pass(time.Minute)
		r.nases.say(nil)
		r.pass(10 * time.Minute)
		r.live()
		if h := r.history(); !h.Answer.OK {
			t.Errorf("kept is %+v", h)
		}
	})
}

func TestOrderIsGivenUp(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		r.nases.say(noAnswer)
		r.Disconnect(r.Context(), start.Session, "kicked")
		for range 300 {
			r.pass(5 * time.Minute)
			r.tell(later(start, aaa.RecordInterim))
		}
		if h := r.history(); !h.Answer.Done || h.Answer.OK || r.Stats().GivenUp != 1 {
			t.Errorf("kept is %+v, %+v", h.Answer, r.Stats())
		}
	})
}

func TestRefusalIsKept(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		r.nases.say(refused)
		r.Disconnect(r.Context(), start.Session, "kicked")
		r.pass(time.Hour)
		if n := len(r.nases.orders()); n != 1 {
			t.Errorf("told %d times", n)
		}
		if h := r.history(); !h.Answer.Done || h.Answer.OK || h.Answer.Text != "refused: unsupported (405)" {
			t.Errorf("kept is %+v", h)
		}
		if !r.Disconnect(r.Context(), start.Session, "kicked") {
			t.Error("it cannot be tried again")
		}
		r.pass(time.Second)
		if n := len(r.nases.orders()); n != 2 {
			t.Errorf("told %d times", n)
		}
	})
}

func TestWithoutASenderTheOrderSaysSo(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		r.Disconnect(r.Context(), start.Session, "kicked")
		r.pass(time.Second)
		if h := r.history(); !h.Answer.Done || h.Answer.OK || h.Answer.Text == "" {
			t.Errorf("kept is %+v", h)
		}
	}, func(c *foreign.Config) { c.Sender = nil })
}

func TestSilentNASHoldsUpNoOther(t *testing.T) {
	run(t, func(r *rig) {
		var away []aaa.Record
		for range 40 {
			away = append(away, r.open("wifi", "ann"))
		}
		near := r.open("nas", "bob")
		var told time.Duration
		began := time.Now()
		r.nases.say(func(o foreign.Order) foreign.Answer {
			if o.Session.NAS.Name == "nas" {
				told = time.Since(began)
				return foreign.Answer{Done: true, OK: true}
			}
			<-time.After(30 * time.Second) // virtual
			return foreign.Answer{Text: "no answer"}
		})
		for _, rec := range away {
			r.Disconnect(r.Context(), rec.Session, "kicked")
		}
		r.pass(time.Second)
		began = time.Now()
		r.Disconnect(r.Context(), near.Session, "kicked")
		r.pass(time.Second)
		if told != 0 || r.history().Answer.OK != true {
			t.Errorf("told after %s, %+v", told, r.history().Answer)
		}
		r.pass(5 * time.Minute)
		if n := len(r.nases.orders()); n > 8+1+10 { // eight that are told before it is known, one to another NAS, and then one at a time
			t.Errorf("a NAS that is away was told %d times", n)
		}
		r.nases.say(nil)
		r.pass(10 * time.Minute)
		if n := r.Stats().Orders; n != 0 {
			t.Errorf("%d orders wait", n)
		}
		for _, h := range r.store.History() {
			if !h.Answer.OK {
				t.Errorf("%s: %+v", h.Order.Session.Session, h.Answer)
			}
		}
	}, func(c *foreign.Config) { c.AtOnce = 10 })
}

// TestNASThatIsAwayAndHasManySessionsHoldsUpNoOther: there are more orders for it, all older, than are claimed at a time.
func TestNASThatIsAwayAndHasManySessionsHoldsUpNoOther(t *testing.T) {
	run(t, func(r *rig) {
		var away []aaa.Record
		for range 1100 {
			away = append(away, r.open("wifi", "ann"))
		}
		near := r.open("nas", "bob")
		r.nases.say(func(o foreign.Order) foreign.Answer {
			if o.Session.NAS.Name == "nas" {
				return foreign.Answer{Done: true, OK: true}
			}
			<-time.After(45 * time.Second) // virtual
			return foreign.Answer{Text: "no answer"}
		})
		for _, rec := range away {
			r.Disconnect(r.Context(), rec.Session, "kicked")
		}
		for range 20 { // while it is found out, and while it is tried again and again
			before := len(r.nases.orders())
			r.Disconnect(r.Context(), near.Session, "kicked")
			r.pass(time.Second)
			if told := r.nases.orders()[before:]; !slices.ContainsFunc(told, func(o foreign.Order) bool { return o.Session.NAS.Name == "nas" }) {
				t.Fatalf("not told within a second; %d orders are in hand", r.Stats().Orders)
			}
			r.tell(later(near, aaa.RecordInterim))
			r.pass(17 * time.Second)
		}
		if n := len(r.nases.orders()); n > 20+10 {
			t.Errorf("a NAS that is away was told %d times", n-20)
		}
		r.nases.say(nil)
		r.pass(10 * time.Minute)
		if n := r.Stats().Orders; n != 0 {
			t.Errorf("%d orders wait", n)
		}
		r.live(near.Session)
	})
}

// TestManyNASesThatAreAwayHoldUpNoOther, though each is tried again and again.
func TestManyNASesThatAreAwayHoldUpNoOther(t *testing.T) {
	run(t, func(r *rig) {
		for n := range 30 {
			name := fmt.Sprint("ap", n)
			r.clients[name] = foreign.Client{Addresses: foreign.None}
			for range 3 {
				r.open(name, "ann")
			}
		}
		near := r.open("nas", "bob")
		r.nases.say(func(o foreign.Order) foreign.Answer {
			if o.Session.NAS.Name == "nas" {
				return foreign.Answer{Done: true, OK: true}
			}
			<-time.After(45 * time.Second) // virtual
			return foreign.Answer{Text: "no answer"}
		})
		for n := range 30 {
			for _, rec := range r.ofNAS(fmt.Sprint("ap", n)) {
				r.Disconnect(r.Context(), rec.Session, "kicked")
			}
		}
		r.pass(3 * time.Minute) // until they are known to be away
		for range 20 {
			before := len(r.nases.orders())
			r.Disconnect(r.Context(), near.Session, "kicked")
			r.pass(time.Second)
			if told := r.nases.orders()[before:]; !slices.ContainsFunc(told, func(o foreign.Order) bool { return o.Session.NAS.Name == "nas" }) {
				t.Fatal("not told within a second")
			}
			r.tell(later(near, aaa.RecordInterim))
			r.pass(7 * time.Second)
		}
	}, func(c *foreign.Config) { c.AtOnce = 16 })
}

func (r *rig) ofNAS(name string) []aaa.Record {
	r.Helper()
	found, err := r.List(r.Context(), foreign.Query{NAS: name})
	if err != nil {
		r.Fatal(err)
	}
	return found
}

func TestOrdersOutliveTheProcess(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		r.nases.say(noAnswer)
		r.Disconnect(r.Context(), start.Session, "kicked")
		r.pass(time.Second)
		r.restart()
		r.nases.say(nil)
		r.pass(3 * time.Minute)
		if !r.history().Answer.OK {
			t.Errorf("kept is %+v", r.history().Answer)
		}
	})
}

func TestChangeAsAServerAsksForIt(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		rate := uint64(5)
		if err := r.Change(r.Context(), []string{start.Session, "gone"}, aaa.Change{RateUp: &rate}); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
		told := r.nases.orders()
		if len(told) != 1 || told[0].Kind != foreign.Change || *told[0].Changed.RateUp != 5 || told[0].Terms.RateUp != 5 ||
			told[0].Terms.Interim != 5*time.Minute {
			t.Fatalf("told %+v", told)
		}
		r.pass(5 * time.Minute)
		r.tell(later(start, aaa.RecordInterim))
		if last := r.books.last(t); last.Terms.RateUp != 5 {
			t.Errorf("its terms are %+v", last.Terms)
		}
	})
}

func TestFindByWhatIsKnown(t *testing.T) {
	run(t, func(r *rig) {
		ann, bob := r.open("nas", "ann"), r.open("nas", "bob")
		for name, m := range map[string]aaa.Match{
			"name": {Name: "ann"}, "address": {Address: ann.Address}, "calling": {CallingNumber: ann.CallingNumber}, "session": {Session: ann.Session},
			"user": {UserName: "ann"},
		} {
			if found := r.Find(r.Context(), m); len(found) != 1 || found[0].Session != ann.Session || found[0].Address != ann.Address {
				t.Errorf("%s finds %+v", name, found)
			}
		}
		if found := r.Find(r.Context(), aaa.Match{}); len(found) != 2 {
			t.Errorf("all are %+v, and not %s too", found, bob.Session)
		}
		if found := r.Find(r.Context(), aaa.Match{LocalTunnel: 1}); len(found) != 0 {
			t.Errorf("in a tunnel is %+v", found)
		}
	})
}

// A NAS that sends no Class back begins to count its sessions anew when it comes back. What was ordered of the one that had a name
// before is none of the business of the one that has it now, and does not stand in the way of what is ordered of it.
func TestAnOrderIsOfOneSessionAndNotOfItsName(t *testing.T) {
	run(t, func(r *rig) {
		r.nases.say(noAnswer)
		first := unmarked("nas", "00000001", "ann")
		r.tell(first)
		r.End(r.Context(), first.Session, "ann has not paid")
		r.pass(10 * time.Minute)
		r.nases.say(nil)
		before := len(r.nases.orders())
		second := unmarked("nas", "00000001", "bob")
		if err := r.store.Put(r.Context(), second); err != nil { // another node was told
			t.Fatal(err)
		}
		r.pass(time.Hour)
		for _, o := range r.nases.orders()[before:] {
			t.Errorf("of %s the NAS is told: %s", o.Session.Name, o.Reason)
		}
		r.live(second.Session)
		if h := r.history(); !h.Answer.Done || h.Answer.OK {
			t.Errorf("kept is %+v", h)
		}
		r.End(r.Context(), second.Session, "ann has not paid")
		synctest.Wait()
		if told := r.nases.orders()[before:]; len(told) != 1 || told[0].Session.Name != "bob" {
			t.Errorf("told %+v", told)
		}
	})
}

// unmarked is the Start of a session that the NAS names itself.
func unmarked(nas, id, name string) aaa.Record {
	now := time.Now().Truncate(time.Second)
	return aaa.Record{
		Kind: aaa.RecordStart, Session: nas + "/" + id, At: now, Started: now, Sequence: 1, Name: name, Account: name,
		NAS: &aaa.NAS{Name: nas, Client: nas, Session: id},
	}
}
