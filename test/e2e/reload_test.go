package e2e

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"lnsgate/lns/admin"
)

// before and after differ in one account: bob leaves, carol comes.
var (
	before = strings.Replace(usual, `"Admin@123"}`, `"Admin@123"}
	  - {name: bob, password: "Bob@1234"}`, 1)
	after = strings.Replace(usual, `"Admin@123"}`, `"Admin@123"}
	  - {name: carol, password: "Carol@123"}`, 1)
)

func TestReloadConcernsOnlyWhoItConcerns(t *testing.T) {
	for name, reload := range map[string]func(*server){
		"by signal": func(s *server) { s.signal(syscall.SIGHUP) },
		"by command": func(s *server) {
			if output, code := s.command("reload"); code != 0 {
				s.t.Errorf("reload: exit code %d: %s", code, output)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.serve(before)
			w.online("l2tpuser", "Admin@123")
			bob := w.dial(w.client, "bob", "Bob@1234")
			bob.up()
			if end, code := w.dial(w.client, "carol", "Carol@123").gone(); code == 0 {
				t.Fatalf("carol is let in before she has an account: %+v", end)
			}
			ping := w.start(w.client, exec.Command("ping", "-n", "-i", "0.02", "-c", "100", "-w", "15", hqAddress))
			eventually(t, "the ping has begun", func() bool { return s.session("l2tpuser").RxPackets >= 10 })
			old := s.session("l2tpuser")

			s.write(after)
			reload(s)
			s.says("configuration reloaded")
			if end, code := bob.gone(); code == 0 || !end.ByServer {
				t.Errorf("bob's call ends with code %d, %+v", code, end)
			}
			s.says("session closed", "user", "bob", "cause", "account was deleted")
			w.dial(w.client, "carol", "Carol@123").up()
			if end, code := w.dial(w.client, "bob", "Bob@1234").gone(); code == 0 {
				t.Errorf("bob is let in without an account: %+v", end)
			}

			ping.ended()
			wantAnswers(t, 100, ping.out.String())
			checkSame(t, old, s.session("l2tpuser"))
		})
	}
}

// checkSame wants the very same session, with its figures gone on.
func checkSame(t *testing.T, old, now admin.Session) {
	t.Helper()
	if now.Session != old.Session || now.Address != old.Address || !now.UpSince.Equal(old.UpSince) {
		t.Errorf("the session was %s with %s since %s and is now %s with %s since %s",
			old.Session, old.Address, old.UpSince, now.Session, now.Address, now.UpSince)
	}
	if now.RxOctets <= old.RxOctets || now.TxOctets <= old.TxOctets {
		t.Errorf("octets were %d in, %d out and are now %d, %d", old.RxOctets, old.TxOctets, now.RxOctets, now.TxOctets)
	}
}

func TestWrongFileIsRefusedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(before)
	w.online("l2tpuser", "Admin@123")
	old := s.session("l2tpuser")

	wrong := strings.NewReplacer("pools: [pool1]", "pools: [pool9]", "10.10.1.250", "10.10.1.2",
		"mru: 1460", "mru: 14600").Replace(after)
	s.write(wrong + "colour: blue\n")
	faults := []string{"pool9", "10.10.1.10-10.10.1.2", "14600", "colour"}
	output, code := s.command("reload")
	if code == 0 {
		t.Errorf("a wrong file is taken: %s", output)
	}
	s.signal(syscall.SIGHUP)
	cause := s.says("the configuration is not changed").text("cause")
	_, checked := s.command("show", "pools")
	if checked != 0 {
		t.Error("the server does not answer any more")
	}
	for _, f := range faults {
		if !strings.Contains(output, f) {
			t.Errorf("reload does not tell the fault about %s:\n%s", f, output)
		}
		if !strings.Contains(cause, f) {
			t.Errorf("the log does not tell the fault about %s:\n%s", f, cause)
		}
	}

	w.ping(w.client, hqAddress)
	checkSame(t, old, s.session("l2tpuser"))
	if end, code := w.dial(w.client, "carol", "Carol@123").gone(); code == 0 {
		t.Errorf("the wrong file has let carol in: %+v", end)
	}
	w.dial(w.client, "bob", "Bob@1234").up()
}
