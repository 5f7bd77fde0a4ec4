package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
)

// fileOfTheREADME is the indented text of the README that begins with the line.
func fileOfTheREADME(t *testing.T, first string) (file []string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	must(t, err)
	for line := range strings.Lines(string(readme)) {
		inside, indented := strings.CutPrefix(line, "    ")
		switch {
		case len(file) > 0 && !indented:
			return file
		case len(file) > 0 || indented && strings.HasPrefix(inside, first):
			file = append(file, inside)
		}
	}
	return file
}

// The file of ten lines that the README shows is a RADIUS server as it stands there, with its defaults and folders, and without any
// capability. It has folders and a secret of its own where the file says, in a mount namespace.
func TestTenLinesAreARADIUSServer(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	must(t, w.hq.Address("lo", "192.0.2.7/32"))
	file := fileOfTheREADME(t, "radius_server:")
	if len(file) != 10 {
		t.Fatalf("the README has a file of %d lines, not ten:\n%s", len(file), strings.Join(file, ""))
	}
	config := filepath.Join(w.folder, "lnsgate.yaml")
	must(t, os.WriteFile(config, []byte(strings.Join(file, "")), 0o600))
	start := `mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && mount -t tmpfs tmpfs /etc &&
		mkdir -m 700 /run/lnsgate /var/lib/lnsgate /etc/lnsgate && (umask 077; echo "$1" >/etc/lnsgate/router1.secret) &&
		exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$2" serve -c "$3"`
	run := func() *process {
		p := w.start(w.hq, exec.Command("unshare", "--mount", "sh", "-c", start, "sh", nasSecret, program, config))
		eventually(t, "it serves", func() bool { return strings.Contains(p.err.String(), "msg=serving") || !p.running() })
		if !p.running() {
			t.Fatal("it has ended at once")
		}
		return p
	}
	p := run()
	show := func(what string) string {
		socket := fmt.Sprintf("/proc/%d/root/run/lnsgate/lnsgate.sock", p.command.Process.Pid)
		output, err := exec.Command(program, "show", what, "--socket", socket).CombinedOutput()
		if err != nil {
			t.Errorf("show %s: %v", what, err)
		}
		return string(output)
	}

	const request = "Access-Request\nPacket-Src-IP-Address = 192.0.2.7\nUser-Name = \"alice\"\nMessage-Authenticator = 0x00\nAcct-Session-Id = \"1\"\nNAS-Port = 1\n"
	const yes = `Access-Accept
		Message-Authenticator =* ANY
		Class =* ANY
		Framed-IP-Address =* ANY
		Acct-Interim-Interval == 600
		Mikrotik-Rate-Limit =* ANY
		`
	proof := aaatest.NewProof(aaa.MSCHAPv2, "alice", "Admin@123")
	mschapv2 := fmt.Sprintf("MS-CHAP-Challenge = 0x%x\nMS-CHAP2-Response = 0x%02x00%x\n", proof.Challenge, proof.Identifier, proof.Response[:48])
	const keys = "MS-MPPE-Encryption-Policy =* ANY\nMS-MPPE-Encryption-Types =* ANY\n"
	for _, way := range []struct{ proof, more string }{
		{`User-Password = "Admin@123"`, ""}, {`CHAP-Password = "Admin@123"`, ""},
		{`MS-CHAP-Password = "Admin@123"`, keys + "MS-CHAP-MPPE-Keys =* ANY"},
		{mschapv2, keys + "MS-CHAP2-Success =* ANY\nMS-MPPE-Send-Key =* ANY\nMS-MPPE-Recv-Key =* ANY"},
	} {
		w.asks("1812", nasSecret, request+way.proof, yes+way.more)
	}
	w.asks("1812", nasSecret, request+`User-Password = "Admin@124"`, "Access-Reject\nMessage-Authenticator =* ANY")

	const record = "Accounting-Request\nPacket-Src-IP-Address = 192.0.2.7\nUser-Name = \"alice\"\nAcct-Session-Id = \"1\"\nNAS-Port = 1\nAcct-Status-Type = "
	w.asks("1813", nasSecret, record+"Start\nFramed-IP-Address = 10.30.0.1", "Accounting-Response")
	if said := show("sessions"); !strings.Contains(said, "alice") || !strings.Contains(said, "router1") {
		t.Errorf("the session is not shown:\n%s", said)
	}
	w.asks("1812", nasSecret, strings.Replace(request, `"1"`, `"2"`, 1)+`User-Password = "Admin@123"`, "Access-Reject\nMessage-Authenticator =* ANY")
	w.asks("1813", nasSecret, record+"Stop\nAcct-Session-Time = 60\nFramed-IP-Address = 10.30.0.1", "Accounting-Response")
	if said := show("sessions"); strings.Contains(said, "alice") {
		t.Errorf("the session is over and shown:\n%s", said)
	}
	for _, what := range []string{"nases", "pools"} {
		if said := show(what); !strings.Contains(said, map[string]string{"nases": "router1", "pools": "office"}[what]) {
			t.Errorf("show %s:\n%s", what, said)
		}
	}
	p.signal(syscall.SIGTERM)
	if code := p.ended(); code != 0 {
		t.Errorf("it ends with code %d", code)
	}
}
