package e2e

import (
	"encoding/json"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
	"lnsgate/test/netns"
	"lnsgate/test/pgtest"
)

// explain runs lnsgate explain and wants it to say something.
func (s *server) explain(args ...string) string {
	s.t.Helper()
	output, code := s.command(append([]string{"explain"}, args...)...)
	if code != 0 {
		s.t.Fatalf("explain %v: exit code %d\n%s", args, code, output)
	}
	return output
}

// wantInOrder checks that a text has all words, one behind the other.
func wantInOrder(t *testing.T, text string, words ...string) {
	t.Helper()
	rest := text
	for _, word := range words {
		_, after, found := strings.Cut(rest, word)
		if !found {
			t.Errorf("%q is not told in its place:\n%s", word, text)
			return
		}
		rest = after
	}
}

func wantNoSecret(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for _, secret := range []string{"Admin@123", "Admin@124", alicePassword} {
			if strings.Contains(text, secret) {
				t.Errorf("a password is told:\n%s", text)
			}
		}
	}
}

// One login that fails and one that works: the administrator asks the running server why, by name, address and session.
func TestExplainTellsHowLoginsWent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	if output, code := s.command("explain"); code == 0 || !strings.Contains(output, "no attempt to log in is recorded") {
		t.Errorf("before the first login: %s", output)
	}
	w.dial(w.client, "l2tpuser", "Admin@124", "--auth", "chap").gone()
	failed := s.explain("l2tpuser")
	wantInOrder(t, failed, "l2tpuser, by chap", "looks like lnsgate dial", "SCCRQ", "SCCRP", "SCCCN", "ICRQ", "ICRP", "ICCN", "LCP Configure-Request",
		"CHAP Challenge", "CHAP Response", "login: name l2tpuser", "domain", "local", "no: wrong password", "CHAP Failure", "Verdict", "wrong password", "Remedy", "Who", "user")
	call, up := w.online("l2tpuser", "Admin@123", "--auth", "pap")
	drawn := s.explain(up.Address.String())
	wantInOrder(t, drawn, "l2tpuser, by pap", "Address    "+up.Address.String(), "PAP Authenticate-Request", "password ****", "answer: yes", "lease: "+up.Address.String(),
		"data path", "IPCP Configure-Ack", "open: "+up.Address.String(), "Verdict", "logged in")
	bySession := s.explain(s.session("l2tpuser").Session)
	list := s.explain("--last", "5", "--list")
	wantInOrder(t, list, "Verdict", "l2tpuser", "logged in", "l2tpuser", "wrong")
	onlyFailed := s.explain("--failed", "--since", "1h", "--cause", "wrong-password", "--peer", "0.0.0.0/0", "-o", "json")
	var attempts []admin.Attempt
	if err := json.Unmarshal([]byte(onlyFailed), &attempts); err != nil || len(attempts) != 1 || attempts[0].Verdict.Cause != trace.WrongPassword || attempts[0].Meaning.Remedy == "" {
		t.Errorf("%v: %s", err, onlyFailed)
	}
	byID := s.explain(attempts[0].ID)
	if byID != failed {
		t.Errorf("by its id it reads otherwise:\n%s", byID)
	}
	if bySession != drawn {
		t.Errorf("by its session it reads otherwise:\n%s", bySession)
	}
	call.hangUp()
	s.empty()
	ended := s.explain(up.Address.String())
	wantInOrder(t, ended, "open: ", "LCP Terminate-Request", "end: ", "Verdict")
	wantNoSecret(t, failed, drawn, bySession, list, onlyFailed, ended)
	for _, line := range strings.Split(ended, "\n") {
		if len([]rune(line)) > 100 {
			t.Errorf("wider than a page: %s", line)
		}
	}
}

// With a database any node tells about logins of all, also after a restart.
func TestExplainReadsTheDatabase(t *testing.T) {
	t.Parallel()
	netns.RequireTUN(t)
	url := pgtest.Empty(t)
	if output, err := exec.Command(program, "db", "migrate", "--database", url).CombinedOutput(); err != nil {
		t.Fatalf("db migrate: %v\n%s", err, output)
	}
	c := asCompany(t, connect(t, url), salesInSQL)
	p := c.site("hq1")
	p.dial(p.client, alice, "wrong", "--auth", "pap").gone()
	call, up := p.online(alice, alicePassword, "--auth", "mschapv2")
	before := p.explain(alice, "--failed")
	call.hangUp()
	p.empty()
	p.stop()
	c.becomes("2", `SELECT count(*) FROM logins`)
	c.becomes("wrong-password", `SELECT cause FROM logins WHERE steps IS NOT NULL`)
	c.becomes("logged-in", `SELECT cause FROM logins WHERE steps IS NULL AND pool = 'sales' AND backend = 'postgres' AND rule IS NOT NULL AND fingerprint IS NOT NULL`)
	p.server = p.serve(c.config("hq1"))
	after := p.explain(alice, "--failed")
	if before != after {
		t.Errorf("after the restart it reads\n%s\nbefore\n%s", after, before)
	}
	wantInOrder(t, after, "Domain", "SCCRQ", "PAP Authenticate-Request", "postgres", "no: wrong password", "Verdict", "Remedy")
	wantInOrder(t, p.explain(up.Address.String()), alice, up.Address.String(), "logged in")
	wantNoSecret(t, before, after)
	if pool := netip.MustParsePrefix("10.10.1.0/24"); !pool.Contains(up.Address) {
		t.Error(up.Address)
	}
}
