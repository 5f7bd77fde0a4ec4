package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// limited gives the one user limits.
func limited(what string) string {
	return strings.Replace(usual, `"Admin@123"}`, `"Admin@123", `+what+`}`, 1)
}

func TestIdleTimeoutEndsASilentSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(limited("idle_timeout: 2s"))
	c, _ := w.online("l2tpuser", "Admin@123", "--echo", "500ms")
	w.in(w.client, "ping", "-n", "-c", "30", "-i", "0.1", "-W", "1", hqAddress) // 3 s of traffic: not idle
	if len(s.sessions()) != 1 {
		t.Fatal("the session was ended while it had traffic")
	}
	silent := time.Now()
	end, code := c.gone() // keep-alive of the link is no traffic
	took := time.Since(silent)
	// The time of the last packet is known to the second, and ping may be told late that it is done.
	if code == 0 || !end.ByServer || took < time.Second/2 || took > 6*time.Second {
		t.Errorf("after %s of silence dial ends with code %d, %+v", took, code, end)
	}
	s.says("session closed", "user", "l2tpuser", "cause", "idle timeout")
	s.empty()
}

func TestSessionTimeoutEndsABusySession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(limited("session_timeout: 2s"))
	began := time.Now()
	c, _ := w.online("l2tpuser", "Admin@123")
	w.client.Run("ping", "-n", "-c", "50", "-i", "0.1", "-w", "5", hqAddress)
	end, code := c.gone()
	took := time.Since(began)
	if code == 0 || !end.ByServer || took < 2*time.Second || took > 10*time.Second {
		t.Errorf("after %s dial ends with code %d, %+v", took, code, end)
	}
	s.says("session closed", "user", "l2tpuser", "cause", "session timeout")
	s.empty()
}

func TestKick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	for _, how := range []string{"session", "user"} {
		c, _ := w.online("l2tpuser", "Admin@123")
		who := "l2tpuser"
		if how == "session" {
			who = s.session("l2tpuser").Session
		}
		output, code := s.command("kick", who, "--reason", "moved by "+how)
		if code != 0 || !strings.Contains(output, "1 session ended") {
			t.Fatalf("kick %s: exit code %d: %s", who, code, output)
		}
		end, code := c.gone()
		if code == 0 || !end.ByServer {
			t.Errorf("kicked by %s, dial ends with code %d, %+v", how, code, end)
		}
		s.says("session closed", "user", "l2tpuser", "cause", "moved by "+how)
		s.empty()
	}
	if output, code := s.command("kick", "nobody"); code == 0 {
		t.Errorf("kicking nobody succeeds: %s", output)
	}
}

// Two hundred calls come up, each with an address of its own, and leave nothing when they are gone.
func TestManyClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const many = 200
	var users strings.Builder
	for n := 1; n <= many; n++ {
		users.WriteString("\n\t  - {name: load" + strconv.Itoa(n) + `, password: "Load@123"}`)
	}
	s := w.serve(strings.Replace(usual, "\n\t  - {name: l2tpuser, password: \"Admin@123\"}", users.String(), 1))
	c := w.dial(w.client, "load%d", "Load@123", "--count", strconv.Itoa(many), "--rate", "100", "--hold", "forever")
	eventually(t, "200 sessions are open", func() bool { return s.pools()[0].Leased == many && countOpen(s) == many })
	addresses, users200 := map[string]bool{}, map[string]bool{}
	for _, i := range s.sessions() {
		addresses[i.Address.String()], users200[i.User] = true, true
	}
	if len(addresses) != many || len(users200) != many {
		t.Errorf("%d sessions have %d addresses and %d users", many, len(addresses), len(users200))
	}
	c.hangUp()
	s.empty()
	if p := s.pools()[0]; p.Leased != 0 || p.Leased+p.Quarantined+p.Free != p.Size {
		t.Errorf("after all have left: %+v", p)
	}
	if opened, closed := s.counter("sessions_opened"), s.counter("sessions_closed"); opened != many || closed != many {
		t.Errorf("%d sessions opened, %d closed; want %d of each", opened, closed, many)
	}
	s.stop()
}

func countOpen(s *server) (open int) {
	for _, i := range s.sessions() {
		if !i.UpSince.IsZero() {
			open++
		}
	}
	return open
}
