package radiusserver

import (
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/fair"
	"lnsgate/aaa/radius/wire"
)

// A NAS that has not heard the answer asks anew by the same Acct-Session-Id: it is the same session, which keeps its address.
func TestASessionThatIsAskedAboutAgainIsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		who := &asker{decision: aaa.Decision{Account: "alice", Domain: "default"}}
		r := newRig(t, func(c *Config) { c.AAA = who })
		ask := func(rows ...row) (string, time.Time) {
			t.Helper()
			time.Sleep(2 * time.Second) // virtual: no answer is one of before
			reply := r.ask(login(t, "alice", password, rows...))
			if reply == nil || reply.Code != radius.CodeAccessAccept {
				t.Fatalf("%v", reply)
			}
			m, ok := decodeMark(reply.Get(wire.TypeClass))
			if !ok || m.session != who.last.Session {
				t.Fatalf("asked for %q, the mark is %+v", who.last.Session, m)
			}
			return m.session, m.started
		}
		line := []row{str(44, "0001"), str(31, "line 1"), num(5, 7)}
		first, began := ask(line...)
		if again, at := ask(line...); again != first || !at.Equal(began) {
			t.Errorf("%s since %v, and then %s since %v", first, began, again, at)
		}
		for name, other := range map[string][]row{
			"another name of the session": {str(44, "0002"), str(31, "line 1"), num(5, 7)},
			"no name":                     {str(31, "line 1"), num(5, 7)},
			"another line":                {str(44, "0001"), str(31, "line 2"), num(5, 7)},
			"another port":                {str(44, "0001"), str(31, "line 1"), num(5, 8)},
		} {
			if session, _ := ask(other...); session == first {
				t.Errorf("%s: it is the same", name)
			}
		}
		second, _ := ask(line...)
		if second == first {
			t.Error("the name was given to another in between, and it is the first again")
		}
		time.Sleep(longestLogin)
		third, _ := ask(line...)
		if third == second {
			t.Error("nobody waits for it any more, and it is the same")
		}
		time.Sleep(time.Second)
		r.ask(accounting(t, statusOn))
		fourth, _ := ask(line...)
		if fourth == third {
			t.Error("its NAS has started anew, and it is the same")
		}
		r.took(accounting(t, 1, str(44, "0001"), str(1, "alice"), str(25, string((&mark{session: fourth, started: time.Now()}).encode()))))
		if session, _ := ask(line...); session != fourth {
			t.Error("it lives, and it is another")
		}
		r.took(accounting(t, 2, str(44, "0001"), str(1, "alice"), str(25, string((&mark{session: fourth, started: time.Now()}).encode()))))
		if session, _ := ask(line...); session == fourth {
			t.Error("it has ended, and it is the same")
		}
	})
}

func TestLoginsAreBounded(t *testing.T) {
	l, now := newLogins(), time.Unix(1000, 0)
	l.order = fair.NewQueue[letIn](10)
	for _, session := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
		l.note(&aaa.Request{Session: session, NAS: &aaa.NAS{Name: "nas", Client: "nas", Session: session}}, now, now)
	}
	if len(l.known) != 10 || l.order.Len() != 10 {
		t.Errorf("%d are known, %d in order", len(l.known), l.order.Len())
	}
	l.find(&aaa.Request{NAS: &aaa.NAS{}}, now.Add(longestLogin))
	if len(l.known) != 0 || l.order.Len() != 0 {
		t.Errorf("%d outlived their time, %d in order", len(l.known), l.order.Len())
	}
}
