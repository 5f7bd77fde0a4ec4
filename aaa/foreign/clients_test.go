package foreign_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
)

// unasked is the Start of a session that nobody has logged in for.
func unasked(client, name string) aaa.Record {
	serial++
	q := request(client, name, serial)
	start := startOf(q, aaa.Decision{Account: name, Domain: "d"})
	start.Session = client + "/" + start.NAS.Session
	return start
}

// crowded says that a record was not taken because of the bound.
func (r *rig) crowded(rec aaa.Record, live int) {
	r.Helper()
	before := len(r.books.records())
	no, crowded := errors.AsType[*foreign.CrowdedError](r.Account(r.Context(), &rec))
	if !crowded || no.Live != live || no.Client != rec.NAS.Client || !strings.Contains(no.Error(), "max_client_sessions") {
		r.Errorf("%s of %s: %v", rec.Kind, rec.Session, no)
	}
	if n := len(r.books.records()); n != before {
		r.Errorf("%s of %s is among the records", rec.Kind, rec.Session)
	}
}

func TestAClientHasABoundOfSessions(t *testing.T) {
	run(t, func(r *rig) {
		r.clients["nas"] = foreign.Client{MostSessions: 3}
		waiting, granted := r.mustLogin("nas", "cid")
		one, two, three := r.open("nas", "ann"), unasked("nas", "bob"), unasked("nas", "bob")
		r.tell(two)
		r.tell(three)
		if _, _, err := r.login("nas", "bob"); err == nil || !strings.Contains(err.Error(), "max_client_sessions") {
			t.Errorf("a fourth login: %v", err)
		} else if no, is := errors.AsType[*aaa.Rejection](err); !is || no.Cause != aaa.SessionLimit || no.Domain != "d" {
			t.Errorf("a fourth login: %+v", no)
		}
		r.crowded(unasked("nas", "bob"), 3)
		r.crowded(later(unasked("nas", "bob"), aaa.RecordInterim), 3)
		r.crowded(startOf(waiting, granted), 3)
		r.live(one.Session, two.Session, three.Session)

		r.open("wifi", "ann") // another client has room
		r.pass(time.Second)
		r.tell(later(one, aaa.RecordInterim))
		if _, err := r.auth.Authenticate(r.Context(), request("nas", "bob", serial)); err == nil {
			t.Error("a login of another line is let in")
		}
		r.tell(later(unasked("nas", "bob"), aaa.RecordStop)) // it takes no room
		r.crowded(unasked("nas", "bob"), 3)
		r.tell(later(two, aaa.RecordStop))
		r.tell(later(two, aaa.RecordStop)) // again
		r.tell(startOf(waiting, granted))
		r.crowded(unasked("nas", "bob"), 3)
	})
}

func TestTheBoundOfAClientHoldsAfterARestart(t *testing.T) {
	run(t, func(r *rig) {
		r.clients["nas"] = foreign.Client{MostSessions: 2}
		one, two := unasked("nas", "ann"), unasked("nas", "bob")
		r.tell(one)
		r.tell(two)
		r.restart()
		r.crowded(unasked("nas", "cid"), 2)
		r.tell(later(one, aaa.RecordStop))
		three := unasked("nas", "cid")
		r.tell(three)
		r.crowded(unasked("nas", "cid"), 2)
		r.pass(25 * time.Hour) // nothing is heard of either
		r.live()
		r.tell(unasked("nas", "cid"))
		r.tell(unasked("nas", "cid"))
		r.crowded(unasked("nas", "cid"), 2)
	})
}

// What other nodes hear of counts a moment later.
func TestTheBoundOfAClientIsThatOfAllNodes(t *testing.T) {
	run(t, func(r *rig) {
		r.clients["nas"] = foreign.Client{MostSessions: 3}
		one, two := unasked("nas", "ann"), unasked("nas", "bob")
		for _, s := range []aaa.Record{one, two} {
			s.Node = "n2"
			if err := r.store.Put(r.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		r.pass(61 * time.Second)
		three := unasked("nas", "cid")
		r.tell(three)
		r.crowded(unasked("nas", "cid"), 3)
		r.tell(later(one, aaa.RecordStop)) // its NAS asks this node now
		r.tell(unasked("nas", "cid"))
		r.crowded(unasked("nas", "cid"), 3)
	}, func(c *foreign.Config) { c.Shared = true })
}
