package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// armed is a running lnsgate capture.
type armed struct {
	*process
	file string
}

// arm starts a capture of the server, and waits until it sees what passes.
func (s *server) arm(name string, options ...string) *armed {
	s.t.Helper()
	a := &armed{file: filepath.Join(s.folder, name)}
	a.process = s.w.start(s.in, exec.Command(program, append([]string{"capture", "--socket", s.socket, "-w", a.file}, options...)...))
	eventually(s.t, "the capture is armed", func() bool { return strings.Contains(a.err.String(), "capturing") || !a.running() })
	return a
}

// finish ends the capture as Ctrl-C does, and returns the file.
func (a *armed) finish() []byte {
	a.t.Helper()
	a.signal(syscall.SIGINT)
	if code := a.ended(); code != 0 {
		a.t.Fatalf("the capture ends with code %d: %s", code, &a.err)
	}
	octets, err := os.ReadFile(a.file)
	must(a.t, err)
	return octets
}

// Captures are armed before anybody dials. Each has what is wanted of it, from the first message to the verdict, and no secret.
func TestCaptureOfASubscriber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	subscriber, failed, peer, data := s.arm("user.pcapng", "--user", "l2tpuser"), s.arm("failed.pcapng", "--failed"),
		s.arm("peer.pcapng", "--peer", clientAddress), s.arm("data.pcapng", "--user", "l2tpuser", "--data")
	refused := w.dial(w.client, "l2tpuser", "Wrong@123", "--auth", "pap")
	if _, code := refused.gone(); code == 0 {
		t.Fatal("a wrong password is accepted")
	}
	s.empty()
	c, up := w.online("l2tpuser", "Admin@123", "--auth", "pap")
	w.ping(w.client, hqAddress)
	c.hangUp()
	s.empty()
	for _, a := range []*armed{subscriber, failed, peer, data} {
		if octets := a.finish(); bytes.Contains(octets, []byte("Admin@123")) || bytes.Contains(octets, []byte("Wrong@123")) {
			t.Errorf("a password is in %s", a.file)
		}
		if lines := tshark(t, a.file, "-Y", "_ws.malformed"); len(lines) > 0 {
			t.Errorf("%s: malformed: %v", a.file, lines)
		}
		if sccrq := tshark(t, a.file, "-Y", "l2tp.avp.message_type == 1 && udp.dstport == 1701 && ip.dst == "+serverAddress); len(sccrq) == 0 {
			t.Errorf("%s has no SCCRQ", a.file)
		}
		if pap := tshark(t, a.file, "-Y", "pap.password"); len(pap) == 0 {
			t.Errorf("%s has no PAP", a.file)
		}
		if data := tshark(t, a.file, "-Y", "icmp || ppp.protocol == 0x21"); (len(data) > 0) != strings.Contains(a.file, "data") {
			t.Errorf("%s has %d packets of the user", a.file, len(data))
		}
	}
	verdicts := func(a *armed) string {
		return strings.Join(tshark(t, a.file, "-Y", "frame.comment", "-T", "fields", "-e", "frame.comment"), "\n")
	}
	if got := verdicts(subscriber); !strings.Contains(got, "verdict wrong-password") || !strings.Contains(got, "logged in, address "+up.Address.String()) {
		t.Errorf("comments of the subscriber: %s", got)
	}
	if got := verdicts(failed); !strings.Contains(got, "verdict wrong-password") || strings.Contains(got, "logged in") {
		t.Errorf("comments of what failed: %s", got)
	}
	s.says("changed by an operator", "action", "capture", "target", "user=l2tpuser")
	s.stop()
}

// A capture ends with the server, and its file is whole; nothing is captured of nobody.
func TestCaptureEndsWithTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	if said, code := s.command("capture", "-w", "-"); code == 0 || !strings.Contains(said, "name what to capture") {
		t.Errorf("a capture of everybody: %d %s", code, said)
	}
	a := s.arm("user.pcapng", "--user", "l2tpuser")
	c, _ := w.online("l2tpuser", "Admin@123")
	s.stop()
	if code := a.ended(); code != 0 {
		t.Errorf("the capture ends with code %d: %s", code, &a.err)
	}
	c.gone()
	if lines := tshark(t, a.file, "-T", "fields", "-e", "frame.comment"); len(lines) < 20 || !strings.Contains(strings.Join(lines, ""), "verdict shutdown") {
		t.Errorf("%d packets: %q", len(lines), lines)
	}
}
