package e2e

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
	"lnsgate/test/radtest"
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

// With a password a FreeRADIUS is really asked, by each method, on the way that a login would take.
func TestLoginByRADIUSIsForetold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: radiusPeople, Namespace: w.lns})
	s := w.serve(askingRADIUS(salesByRADIUS, radiusGroup("hq", radius)))
	foretell := func(user, method, password string) admin.LoginForecast {
		t.Helper()
		f, err := s.admin.TestLogin(t.Context(), admin.LoginTest{User: user, Method: method, Password: password, From: netip.MustParseAddr(clientAddress)})
		must(t, err)
		return f
	}
	server := radius.Auth().String()
	asked := func(f admin.LoginForecast) (said string) {
		for _, step := range f.Steps {
			if step.What == "back end hq" {
				said += step.Result + " " + step.Detail
			}
		}
		return said
	}
	for _, method := range []string{"pap", "chap", "mschapv2"} {
		f := foretell(alice, method, alicePassword)
		if f.Verdict.Cause != trace.LoggedIn || !f.Checked || f.Backend != "hq" || f.Domain != "sales.example" || f.Pool != "pool1" || asked(f) != "passed yes (server "+server+")" {
			t.Errorf("%s: got %+v", method, f)
		}
		f = foretell(alice, method, "Alice@124")
		if f.Verdict.Cause == trace.LoggedIn || f.Checked || f.Backend != "hq" || !strings.Contains(f.Verdict.Detail, server) || !strings.HasPrefix(asked(f), "open no") {
			t.Errorf("%s with a wrong password: got %+v", method, f)
		}
	}
	if f := foretell("mallory@sales.example", "pap", "Mallory@1"); !strings.Contains(f.Verdict.Detail, "call the help desk") {
		t.Errorf("got %+v", f)
	}
	if f := foretell(alice, "chap", ""); f.Verdict.Cause != trace.InProgress || f.Checked {
		t.Errorf("without a password: %+v", f)
	}
	if s.counter("logins_accepted") != 0 || len(detailOf(radius, "Start", alice)) != 0 || len(s.sessions()) != 0 {
		t.Error("it has left a trace")
	}
	if s.told("changed by an operator", "action", "test login with a password", "target", alice, "detail", "verdict logged-in") != 3 {
		t.Error("the log does not say who tried whose password")
	}
	// It is foretold as it then is.
	c, _ := w.online(alice, alicePassword, "--auth", "mschapv2")
	c.hangUp()
	w.refused(s, alice, "Alice@124", "RADIUS server "+server+" says no", "--auth", "mschapv2")
	radius.Stop()
	if f := foretell(alice, "pap", alicePassword); f.Verdict.Cause == trace.LoggedIn || !strings.Contains(f.Verdict.Detail+asked(f), server) {
		t.Errorf("while it is away: %+v", f)
	}
	s.stop()
}
