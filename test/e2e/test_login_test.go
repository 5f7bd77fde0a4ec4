package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
)

// test-login tells beforehand what the login does afterwards, on the running server, and leaves no trace of its own.
func TestLoginIsForetold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	foretell := func(args ...string) admin.LoginForecast {
		t.Helper()
		text, code := s.command(append([]string{"test-login", "-o", "json"}, args...)...)
		var f admin.LoginForecast
		if err := json.Unmarshal([]byte(text), &f); err != nil || code != 0 {
			t.Fatalf("code %d: %s", code, text)
		}
		return f
	}
	if f := foretell("nobody", "--from", clientAddress); f.Verdict.Cause != trace.UnknownUser || f.Meaning.Remedy == "" {
		t.Errorf("got %+v", f)
	}
	f := foretell("l2tpuser", "--from", clientAddress)
	if f.Verdict.Cause != trace.LoggedIn || f.Pool != "pool1" || f.Group != "default" || f.Domain != "default" {
		t.Errorf("got %+v", f)
	}
	if p := s.pools()[0]; p.Leased != 0 || s.counter("logins_accepted") != 0 {
		t.Errorf("it has left a trace: %+v", p)
	}
	c, up := w.online("l2tpuser", "Admin@123")
	if session := s.session("l2tpuser"); session.Pool != f.Pool || session.Account != f.Account || session.Domain != f.Domain {
		t.Errorf("foretold was %+v, and it is %+v", f, session)
	}
	c.hangUp()
	s.empty()
	if f := foretell("l2tpuser", "--from", clientAddress); f.Address != up.Address {
		t.Errorf("foretold is %v, and sticky is %v", f.Address, up.Address)
	}
	text, code := s.command("test-login", "l2tpuser")
	if code != 0 || !strings.Contains(text, "l2tpuser would be logged in; the password was not checked") || !strings.Contains(text, "virtual_template") {
		t.Errorf("code %d: %s", code, text)
	}
}
