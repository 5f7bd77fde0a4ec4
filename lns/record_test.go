package lns_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
	"lnsgate/test/simnet"
)

// ledger keeps what the engine says of sessions, in order, and counts sessions like a database would.
type ledger struct {
	mu       sync.Mutex
	records  []aaa.Record
	attempts []aaa.Attempt
	entered  map[string]aaa.Entry
	refuse   error
}

func (l *ledger) Account(r aaa.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
}

// ended says that a session of the account has ended for one of these causes.
func (l *ledger) ended(account string, causes ...aaa.TerminateCause) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.records, func(r aaa.Record) bool {
		return r.Kind == aaa.RecordStop && r.Account == account && slices.Contains(causes, r.Terminate)
	})
}

func (l *ledger) Log(a aaa.Attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts = append(l.attempts, a)
}

func (l *ledger) Enter(_ context.Context, e aaa.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return l.refuse
	}
	if l.entered == nil {
		l.entered = map[string]aaa.Entry{}
	}
	l.entered[e.Session] = e
	return nil
}

func (l *ledger) Leave(_ context.Context, session string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entered, session)
	return nil
}

// written returns the records so far.
func (l *ledger) written() []aaa.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]aaa.Record(nil), l.records...)
}

func (l *ledger) kinds() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var kinds []string
	for _, r := range l.records {
		kinds = append(kinds, r.Kind.String())
	}
	return strings.Join(kinds, " ")
}

// limited is a gateway whose decisions bring limits along.
type limited struct{ aaa.Authenticator }

func (g limited) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	d, err := g.Authenticator.Authenticate(ctx, r)
	d.MaxSessions, d.Interim = 1, time.Minute
	return d, err
}

func withLedger(l *ledger) func(*lns.Config, *lns.Deps) {
	return func(_ *lns.Config, d *lns.Deps) {
		d.Node, d.Accounter, d.Attempts, d.Registry, d.AAA = "node1", l, l, l, limited{d.AAA}
	}
}

func TestRecordsOfASession(t *testing.T) {
	l := &ledger{}
	runWith(t, fast, withLedger(l), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, time.Second)
		r.sleep(time.Second)
		if len(l.entered) != 1 {
			t.Errorf("%d sessions are counted", len(l.entered))
		}
		key := r.path.Specs()[0].Key
		r.path.Session(key).SetCounters(datapath.Counters{RxOctets: 1 << 40, TxOctets: 7})
		r.sleep(140 * time.Second) // two interim records are due by now, whatever their jitter, and not three
		c.cancel()
		r.wantEnd(c, 5*time.Second)
		r.sleep(time.Second)
		if got := l.kinds(); got != "start interim interim stop" {
			t.Fatalf("records: %s", got)
		}
		first, last := l.records[0], l.records[3]
		if first.Sequence != 1 || last.Sequence != 4 {
			t.Errorf("sequence %d to %d", first.Sequence, last.Sequence)
		}
		if first.Session != last.Session || !strings.HasPrefix(first.Session, "node1-") || first.Address != last.Address || !last.Address.IsValid() {
			t.Errorf("start %+v\nstop %+v", first, last)
		}
		if last.RxOctets != 1<<40 || last.TxOctets != 7 || last.Terminate != aaa.TerminateUserRequest || last.Reason == "" {
			t.Errorf("stop %+v", last)
		}
		if len(l.attempts) != 1 || !l.attempts[0].OK || l.attempts[0].Account != "l2tpuser" {
			t.Errorf("attempts %+v", l.attempts)
		}
		if len(l.entered) != 0 {
			t.Errorf("still counted: %v", l.entered)
		}
	})
}

func TestAttemptThatFails(t *testing.T) {
	l := &ledger{}
	runWith(t, fast, withLedger(l), func(r *rig) {
		c := r.dial(1, "l2tpuser", "wrong")
		r.wantEnd(c, 10*time.Second)
		r.sleep(time.Second)
		if len(l.records) != 0 {
			t.Errorf("records: %s", l.kinds())
		}
		if len(l.attempts) != 1 || l.attempts[0].OK || l.attempts[0].Name != "l2tpuser" ||
			l.attempts[0].Phase != "authentication" || !strings.Contains(l.attempts[0].Verdict, "wrong password") {
			t.Errorf("attempts %+v", l.attempts)
		}
	})
}

func TestLimitOfSessionsRejectsTheLogin(t *testing.T) {
	l := &ledger{refuse: aaa.Reject(aaa.SessionLimit, "1 of 1")}
	runWith(t, fast, withLedger(l), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantEnd(c, 10*time.Second)
		if !strings.Contains(r.log.String(), "as many sessions as it may: 1 of 1") {
			t.Error("the log does not tell why")
		}
	})
}

func TestDropEndsTheSessionOfThatNameOnly(t *testing.T) {
	named := func(_ *lns.Config, d *lns.Deps) { d.Node = "node1" }
	runWith(t, fast, named, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, time.Second)
		r.sleep(time.Second)
		uid := r.server.Sessions()[0].UID
		for _, other := range []string{"node2" + uid[5:], uid + "1", "", "node1-1-1-1/1"} {
			if r.server.Drop(context.Background(), other, "x") {
				t.Errorf("%q was dropped", other)
			}
		}
		if !r.server.Drop(context.Background(), uid+"+2", "logged in elsewhere") {
			t.Error("it was not dropped")
		}
		r.wantEnd(c, 5*time.Second)
	})
}

// RFC 2661 section 5.4: a peer that asks for sequencing gets numbers in every data message, control frames and user packets
// in one sequence.
func TestRFC2661Section5_4_SequencingOnDemand(t *testing.T) {
	always := func(c *lns.Config, _ *lns.Deps) { c.Groups[0].AlwaysSequence = true }
	for name, change := range map[string]func(*lns.Config, *lns.Deps){"off": nil, "on": always} {
		t.Run(name, func(t *testing.T) {
			runWith(t, fast, change, func(r *rig) {
				var numbers []uint16
				plain := 0
				r.net.Tap(func(d simnet.Datagram) {
					h, _, err := l2tp.ParseHeader(d.Bytes)
					switch {
					case err != nil || h.Control || d.From != serverAddr:
					case h.Sequence:
						numbers = append(numbers, h.Ns)
					default:
						plain++
					}
				})
				c := r.dial(1, "l2tpuser", "Admin@123")
				r.wantUp(c, time.Second)
				r.sleep(time.Second)
				if spec := r.path.Specs()[0]; spec.Sequencing != (name == "on") || (spec.Sequencing && int(spec.FirstNs) > len(numbers)) {
					t.Errorf("the data path is told %+v after %d messages", spec, len(numbers))
				}
				for i, ns := range numbers {
					if int(ns) != i {
						t.Errorf("message %d has Ns %d", i, ns)
					}
				}
				if (len(numbers) > 0) != (name == "on") || (plain > 0) == (name == "on") {
					t.Errorf("%d messages are numbered, %d are not", len(numbers), plain)
				}
				c.cancel()
				r.wantEnd(c, 5*time.Second)
			})
		})
	}
}

// A LAC that ran LCP and CHAP itself: the engine uses its word, as the l2tp group says.
func TestProxyAuthenticationOfALAC(t *testing.T) {
	for _, use := range []bool{true, false} {
		change := func(c *lns.Config, _ *lns.Deps) { c.Groups[0].ProxyAuthenticate = use }
		runWith(t, fast, change, func(r *rig) {
			s := newStranger(r)
			s.say(0, l2tp.ICRQ{AssignedSession: 5}, 1)
			options := []byte{3, 5, 0xc2, 0x23, 5}
			s.say(1, l2tp.ICCN{FramingType: 1, LastSentLCP: options, LastReceivedLCP: []byte{1, 4, 5, 0xb4},
				ProxyAuth: l2tp.ProxyAuth{Present: true, Type: l2tp.ProxyAuthCHAP, Name: "nobody", ID: 1,
					Challenge: []byte("0123456789abcdef"), Response: make([]byte, 16)}}, 0)
			r.sleep(5 * time.Second)
			rejected := strings.Contains(r.log.String(), "unknown user")
			if rejected != use {
				t.Errorf("with proxy authentication %v the login was checked: %v\n%s", use, rejected, r.log.String())
			}
		})
	}
}

func TestRenegotiationAsAnotherAccountEndsTheRecordsOfTheFirst(t *testing.T) {
	l := &ledger{}
	runWith(t, fast, withLedger(l), func(r *rig) {
		// The second login is the same peer's; the gateway lets both names in as what they are.
		r.gateway.set(newGateway(t, account("l2tpuser", "Admin@123"), account("bob", "secret")))
		c := r.dial(1, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) { c.Login.EchoInterval = 0 })
		r.wantUp(c, time.Second)
		r.sleep(time.Second)
		r.gateway.set(renamed{newGateway(t, account("l2tpuser", "Admin@123"))})
		spec := r.path.Specs()[0]
		// An LCP Configure-Request starts everything anew (RFC 1661 section 3.4).
		r.server.Receiver().Datagram(spec.Path, dataMessage(spec, []byte{0xff, 3, 0xc0, 0x21, 1, 99, 0, 10, 5, 6, 1, 2, 3, 4}))
		r.sleep(20 * time.Second)
		c.cancel()
		r.wantEnd(c, 5*time.Second)
		r.sleep(time.Second)
		if got := l.kinds(); got != "start stop start stop" {
			t.Fatalf("records: %s\n%s", got, c.said.String())
		}
		if l.records[1].Account != "l2tpuser" || l.records[2].Account != "l2tpuser, renamed" || l.records[1].Session == l.records[2].Session {
			t.Errorf("records %+v", l.records)
		}
	})
}

// renamed knows every account by another name.
type renamed struct{ aaa.Authenticator }

func (g renamed) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	d, err := g.Authenticator.Authenticate(ctx, r)
	d.Account += ", renamed"
	return d, err
}

func dataMessage(s datapath.Spec, frame []byte) []byte {
	h := l2tp.Header{Length: true, Tunnel: l2tp.TunnelID(s.Key.Tunnel), Session: l2tp.SessionID(s.Key.Session)}
	return append(l2tp.AppendDataHeader(nil, h, len(frame)), frame...)
}
