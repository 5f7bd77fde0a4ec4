package lns_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/lac"
	"lnsgate/lns/recorder"
	"lnsgate/lns/trace"
	"lnsgate/test/simnet"
)

// recording gives the server a recorder, and changes more.
func recording(r **recorder.Recorder, more func(*lns.Config, *lns.Deps)) func(*lns.Config, *lns.Deps) {
	return func(c *lns.Config, d *lns.Deps) {
		*r = recorder.New(recorder.Config{Node: "node1", Prefix: "node1-1-"})
		d.Node, d.Recorder = "node1", *r
		if more != nil {
			more(c, d)
		}
	}
}

// the returns the only attempt that fits.
func the(t *testing.T, r *recorder.Recorder, f trace.Filter) trace.Attempt {
	t.Helper()
	found, err := r.Find(context.Background(), f)
	if err != nil || len(found) != 1 {
		t.Fatalf("%v: %d attempts: %+v", err, len(found), found)
	}
	return found[0]
}

// wantSteps checks that the steps of an attempt come in this order, whatever stands between them, and that no secret is among them.
func wantSteps(t *testing.T, a trace.Attempt, wanted ...string) {
	t.Helper()
	var said []string
	for _, s := range a.Steps {
		said = append(said, strings.Join(strings.Fields(fmt.Sprint(s.Actor, " ", s.Who, " ", s.What, " ", s.Detail)), " "))
	}
	rest := said
	for _, want := range wanted {
		i := 0
		for i < len(rest) && !strings.Contains(rest[i], want) {
			i++
		}
		if i == len(rest) {
			t.Errorf("%q is not told in its place:\n%s", want, strings.Join(said, "\n"))
			return
		}
		rest = rest[i+1:]
	}
	all, err := json.Marshal(a)
	if err != nil || strings.Contains(string(all), "Admin@123") || strings.Contains(string(all), "hunter2") {
		t.Errorf("%v, or a password is told: %s", err, all)
	}
}

func TestStoryOfALogin(t *testing.T) {
	for _, method := range []aaa.Method{aaa.PAP, aaa.CHAP, aaa.MSCHAPv2} {
		var rec *recorder.Recorder
		runWith(t, fast, recording(&rec, nil), func(r *rig) {
			c := r.dial(1, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) { c.Login.Methods = []aaa.Method{method} })
			up := r.wantUp(c, 5*time.Second)
			r.sleep(time.Second)
			a := the(t, rec, trace.Filter{User: "l2tpuser"})
			if a.Verdict.Cause != trace.LoggedIn || a.Opened.IsZero() || a.Address != up.Address || a.Pool != "pool1" || a.Domain != "default" || a.Rule == "" ||
				a.Backend != "local" || a.Account != "l2tpuser" || a.Method != method.String() || a.HostName != "laptop" || a.Group != "default" || a.Template != "vt1" || a.Why == "" {
				t.Errorf("%+v", a)
			}
			if a.ID != r.server.Sessions()[0].UID || a.Handle() != r.server.Sessions()[0].Name {
				t.Errorf("it is called %s, %s", a.ID, a.Handle())
			}
			wantSteps(t, a, "peer SCCRQ host", "lns SCCRP", "peer SCCCN", "peer ICRQ session 1", "lns ICRP", "peer ICCN", "lns LCP Configure-Request",
				"lns login name l2tpuser, "+method.String(), "lns default domain", "backend local answer yes", "pools pool1 lease 10.10.1.",
				"host vt1 data path", "lns IPCP", "lns open")
			c.cancel()
			r.wantEnd(c, 5*time.Second)
			r.sleep(time.Second)
			ended := the(t, rec, trace.Filter{User: "l2tpuser"})
			if ended.Verdict.Cause != trace.PeerTerminated || ended.Ended.IsZero() || ended.Failed() {
				t.Errorf("%+v", ended)
			}
			wantSteps(t, ended, "lns open", "peer LCP Terminate-Request", "lns end")
		})
	}
}

func TestStoryOfAWrongPassword(t *testing.T) {
	l, rec := &ledger{}, (*recorder.Recorder)(nil)
	runWith(t, fast, recording(&rec, withLedger(l)), func(r *rig) {
		c := r.dial(1, "l2tpuser", "hunter2")
		r.wantEnd(c, 10*time.Second)
		r.sleep(time.Second)
		a := the(t, rec, trace.Filter{User: "l2tpuser", Failed: true})
		wantSteps(t, a, "SCCRQ", "login name l2tpuser", "domain", "backend local answer no: wrong password", "CHAP Failure", "lns LCP Terminate-Request", "peer CDN", "lns end")
		if len(l.attempts) != 1 || l.attempts[0].Cause != a.Verdict.Cause.Name() || l.attempts[0].Backend != "local" || l.attempts[0].Rule != a.Rule ||
			l.attempts[0].Session != a.ID || l.attempts[0].Tale == nil || !strings.Contains(string(l.attempts[0].Tale.Steps()), "SCCRQ") {
			t.Errorf("written down: %+v", l.attempts)
		}
	})
}

func TestStoryOfAFullPool(t *testing.T) {
	var rec *recorder.Recorder
	runWith(t, fast, recording(&rec, func(_ *lns.Config, d *lns.Deps) { d.Pools = newPools(t, "10.10.1.10") }), func(r *rig) {
		first := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(first, 5*time.Second)
		r.wantEnd(r.dial(2, "bob", "secret"), 10*time.Second)
		a := the(t, rec, trace.Filter{User: "bob"})
		if a.Verdict.Cause != trace.NoAddress {
			t.Errorf("%+v", a.Verdict)
		}
		wantSteps(t, a, "backend local answer yes", "pools no lease", "end")
		first.cancel()
		r.wantEnd(first, 5*time.Second)
	})
}

func TestStoryOfStrangers(t *testing.T) {
	l, rec := &ledger{}, (*recorder.Recorder)(nil)
	nobody := func(c *lns.Config, d *lns.Deps) {
		withLedger(l)(c, d)
		c.Groups[0].HostNames = []string{"somebody else"}
	}
	runWith(t, fast, recording(&rec, nobody), func(r *rig) {
		end := r.net.Endpoint(nil, netip.MustParseAddrPort("198.51.100.1:1701"))
		for range 3 {
			r.wantEnd(r.dialFrom(end, "l2tpuser", "Admin@123"), time.Minute)
		}
		a := the(t, rec, trace.Filter{Causes: []trace.Cause{trace.NoGroup}})
		if a.Name != "" || a.HostName != "laptop" || a.Times < 3 || !a.Failed() {
			t.Errorf("%+v", a)
		}
		if len(l.attempts) != 1 || l.attempts[0].Cause != "no-group" {
			t.Errorf("written down: %+v", l.attempts)
		}
	})
}

// A peer whose network loses what we send asks for a tunnel and never completes it.
func TestStoryOfATunnelThatIsNeverCompleted(t *testing.T) {
	var rec *recorder.Recorder
	runWith(t, fast, recording(&rec, nil), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.net.Tap(func(simnet.Datagram) {})
		c.end.Handle(nil)
		r.sleep(time.Second)
		if a := the(t, rec, trace.Filter{}); a.Verdict.Cause != trace.InProgress {
			t.Errorf("under way it is %+v", a.Verdict)
		}
		r.wantEnd(c, 3*time.Minute)
		r.sleep(3 * time.Minute)
		a := the(t, rec, trace.Filter{})
		if a.Verdict.Cause == trace.InProgress || a.Name != "" {
			t.Errorf("%+v", a)
		}
		wantSteps(t, a, "SCCRQ", "SCCRP", "end")
		if rungs := a.Rungs(); len(rungs) < 2 || rungs[1].Times < 2 {
			t.Errorf("repetitions are not told: %+v", rungs)
		}
	})
}

// unanswering is a back end that does not answer.
type unanswering struct{ aaa.Authenticator }

func (unanswering) Authenticate(ctx context.Context, _ *aaa.Request) (aaa.Decision, error) {
	<-ctx.Done()
	return aaa.Decision{}, ctx.Err()
}

func TestStoryWhileItHangs(t *testing.T) {
	var rec *recorder.Recorder
	runWith(t, fast, recording(&rec, func(_ *lns.Config, d *lns.Deps) { d.AAA = unanswering{d.AAA} }), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.sleep(2 * time.Second)
		a := the(t, rec, trace.Filter{User: "l2tpuser"})
		if a.Verdict.Cause != trace.InProgress || !a.Ended.IsZero() {
			t.Errorf("%+v", a)
		}
		wantSteps(t, a, "SCCRQ", "login name l2tpuser")
		c.cancel()
		r.wantEnd(c, time.Minute)
		r.sleep(time.Second)
		wantSteps(t, the(t, rec, trace.Filter{User: "l2tpuser"}), "login name l2tpuser", "LCP Terminate-Request", "no answer", "end")
	})
}

func TestStoryOfTheSecondCallOfATunnel(t *testing.T) {
	var rec *recorder.Recorder
	runWith(t, fast, recording(&rec, nil), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, 5*time.Second)
		r.sleep(time.Second)
		r.server.Kick(context.Background(), "l2tpuser", "tea time")
		r.sleep(5 * time.Second)
		a := the(t, rec, trace.Filter{User: "l2tpuser"})
		if a.Verdict != (trace.Verdict{Cause: trace.Kicked, Detail: "tea time"}) {
			t.Errorf("%+v", a.Verdict)
		}
		if s := rec.Stats(); s.Live != 0 {
			t.Errorf("%+v", s)
		}
		c.cancel()
	})
}

func TestStoryOfAPeerThatFallsSilent(t *testing.T) {
	var rec *recorder.Recorder
	runWith(t, fast, recording(&rec, nil), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, 5*time.Second)
		r.sleep(time.Second)
		c.end.Handle(nil)
		r.sleep(20 * time.Minute)
		a := the(t, rec, trace.Filter{User: "l2tpuser"})
		if a.Ended.IsZero() || a.Verdict.Cause == trace.LoggedIn {
			t.Errorf("%+v", a.Verdict)
		}
		wantSteps(t, a, "open", "LCP Echo-Request the one before was not answered", "end")
		echoes := 0
		for _, s := range a.Steps {
			if s.What == "LCP Echo-Request" {
				echoes++
			}
		}
		if echoes != 1 {
			t.Errorf("%d echoes are told", echoes)
		}
		c.cancel()
	})
}

func TestStoryOfAChange(t *testing.T) {
	var rec *recorder.Recorder
	runWith(t, fast, recording(&rec, nil), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, 5*time.Second)
		r.sleep(time.Second)
		idle, uid := time.Hour, r.server.Sessions()[0].UID
		for range 2 { // the second time nothing is different
			if err := r.server.Change(context.Background(), []string{uid}, aaa.Change{IdleTimeout: &idle}); err != nil {
				t.Fatal(err)
			}
			r.sleep(time.Second)
		}
		a := the(t, rec, trace.Filter{User: "l2tpuser"})
		wantSteps(t, a, "open", "admin changed idle timeout 1h0m0s instead of 0s")
		if last := a.Steps[len(a.Steps)-2]; last.Actor == trace.Admin {
			t.Errorf("nothing is told as a change: %+v", a.Steps)
		}
		c.cancel()
		r.wantEnd(c, 5*time.Second)
	})
}
