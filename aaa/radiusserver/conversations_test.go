package radiusserver

import (
	"testing"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// Nobody could be asked in the middle of a conversation: the NAS repeats the same octets, and that is another try.
func TestAnAnswerThatCouldNotBeJudgedMayComeAgain(t *testing.T) {
	for name, first := range map[string]error{
		"a rejection": aaa.Reject(aaa.BackendUnavailable, "the database is away"),
		"time is up":  aaa.Reject(aaa.Timeout, "the database is slow"),
		"no contract": errFull,
	} {
		lead := &asker{turns: []func(*aaa.Request) (aaa.Decision, error){
			func(*aaa.Request) (aaa.Decision, error) {
				return aaa.Decision{}, &aaa.Challenge{Packet: []byte{1, 8, 0, 6, 4, 0}, State: []byte("inner"), Backend: "eap"}
			},
			func(*aaa.Request) (aaa.Decision, error) { return aaa.Decision{}, first },
			func(q *aaa.Request) (aaa.Decision, error) {
				if string(q.Proof.State) != "inner" || q.Backend != "eap" {
					t.Errorf("%s: asked again with %+v", name, q)
				}
				return aaa.Decision{Packet: []byte{3, 8, 0, 4}}, nil
			},
		}}
		r := newRig(t, func(c *Config) { c.EAP = lead })
		state := r.ask(packet(t, radius.CodeAccessRequest, str(1, "alice"), str(79, "\x02\x07\x00\x0a\x01alice"))).Get(wire.TypeState)
		session := lead.last.Session
		answer := packet(t, radius.CodeAccessRequest, str(1, "alice"), row{0, 24, state}, str(79, "\x02\x08\x00\x06\x04\x00"))
		if reply := r.ask(answer); reply != nil {
			t.Fatalf("%s: answered with %v", name, reply)
		}
		r.want(Unanswered, 1)
		if reply := r.ask(answer); reply == nil || reply.Code != radius.CodeAccessAccept || lead.last.Session != session {
			t.Errorf("%s: the second try gets %v", name, reply)
		}
		if n := r.conversations.len(); n != 0 {
			t.Errorf("%s: %d conversations are left", name, n)
		}
	}
}

// What does not fit in a packet is not sent, and does not count as if it were.
func TestAChallengeThatDoesNotFitIsNone(t *testing.T) {
	lead := &asker{err: &aaa.Challenge{Packet: make([]byte, 4090), State: []byte("inner"), Backend: "eap"}}
	r := newRig(t, func(c *Config) { c.EAP = lead })
	if reply := r.ask(packet(t, radius.CodeAccessRequest, str(1, "alice"), str(79, "\x02\x07\x00\x0a\x01alice"))); reply != nil {
		t.Errorf("%v", reply)
	}
	r.want(Unanswered, 1)
	r.want(Challenged, 0)
}

// Turns that were answered take no room: only who waits now counts.
func TestTurnsThatAreOverDisplaceNobody(t *testing.T) {
	c, now := newConversations(), time.Unix(1000, 0)
	first := c.wait(&conversation{client: "branch", name: "alice"}, now)
	for range mostConversations + 10 {
		c.resume(c.wait(&conversation{client: "branch", name: "bob"}, now), "branch", "bob", now)
	}
	if c.resume(first, "branch", "alice", now) == nil {
		t.Error("a conversation gave way to turns that are over")
	}
	if n := c.order.Len(); n != 0 {
		t.Errorf("%d are kept", n)
	}
}
