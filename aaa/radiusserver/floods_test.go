package radiusserver

import (
	"fmt"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/fair"
)

// Whatever one client keeps the server with, what others have stays.
func TestAClientThatFloodsTakesNothingFromOthers(t *testing.T) {
	now := time.Unix(1000, 0)

	a := newAnswers(100, 10*time.Second)
	answer := func(client string, listener int) fate {
		e, _, f := a.begin(question{listener: listener, identifier: client[0]}, client, [16]byte{}, now, func() bool { return true })
		if f == isNew {
			a.end(e, []byte{1}, now)
		}
		return f
	}
	c := newConversations()
	c.order = fair.NewQueue[*conversation](100)
	few := c.wait(&conversation{client: "few", name: "alice"}, now)
	s := newSessions()
	s.order = fair.NewQueue[nasSession](100)
	settle := func(client, nas string) {
		s.settle(nasSession{nas, "0"}, "alice", mark{session: nas}, true, news{client: client, kind: aaa.RecordStart})
	}
	d := newDelays()

	answer("few", 0)
	settle("few", "few")
	for n := range mostDelayed {
		if n < 1000 {
			answer("many", n)
			c.wait(&conversation{client: "many", name: "alice"}, now)
			settle("many", fmt.Sprintf("many/%d", n)) // behind a proxy it has as many names as it likes
		}
		d.add(now, "many", func() {})
	}
	if answer("few", 0) != isAnswered || answer("many", 999) != isAnswered || a.len() > 100 {
		t.Errorf("of %d answers, that to the other client is not kept", a.len())
	}
	if c.resume(few, "few", "alice", now) == nil || c.len() > 100 {
		t.Errorf("of %d conversations, that of the other client is gone", c.len())
	}
	if _, _, there := s.find(nasSession{"few", "0"}, "alice"); !there || len(s.known) > 100 {
		t.Errorf("of %d sessions, that of the other client is forgotten", len(s.known))
	}
	if !d.add(now, "few", func() {}) || d.add(now, "many", func() {}) {
		t.Errorf("%d no's wait, and those of the other client find no room", d.len())
	}
	d.due(now)
	if !d.add(now, "many", func() {}) || len(d.of) != 1 {
		t.Errorf("no's that were sent still count: %v", d.of)
	}
}
