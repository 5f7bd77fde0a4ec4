package eapol

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/authenticate"
	"lnsgate/lns/ppp"
	"lnsgate/test/radtest"
)

// patience is how long the program may think about one packet: public keys take their time on a busy machine.
const patience = 20 * time.Second

const secret = "between eapol_test and us"

// Peer is one login by eapol_test. It is the credentials of a lac.Login that offers EAP alone, and for one login. RespondEAP
// waits for the program, so it must not be used in a bubble of virtual time.
type Peer struct {
	t       radtest.TestingT
	conn    *net.UDPConn
	said    bytes.Buffer
	done    chan struct{} // closed when the program has ended
	command *exec.Cmd

	program netip.AddrPort // where it asks from
	pending request        // that waits for an answer
	last    []byte         // our last answer
	turns   int
}

var (
	_ authenticate.Credentials  = (*Peer)(nil)
	_ authenticate.EAPResponder = (*Peer)(nil)
)

// Start starts the program with the lines of a network block of wpa_supplicant. It ends with the test.
func Start(t radtest.TestingT, network string) *Peer {
	t.Helper()
	path, err := exec.LookPath("eapol_test")
	if err != nil {
		lacks(t, "there is no eapol_test: install the package eapoltest")
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatalf("eapol: %v", err)
	}
	folder, err := os.MkdirTemp("", "eapol-")
	if err != nil {
		t.Fatalf("eapol: %v", err)
	}
	p := &Peer{t: t, conn: conn, done: make(chan struct{})}
	t.Cleanup(func() { p.end(); os.RemoveAll(folder) })
	file := filepath.Join(folder, "conf")
	text := "network={\nkey_mgmt=IEEE8021X\neapol_flags=0\n" + lines(network) + "\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatalf("eapol: %v", err)
	}
	port := strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)
	p.command = exec.Command(path, "-n", "-c", file, "-a", "127.0.0.1", "-p", port, "-s", secret, "-t", "60")
	p.command.Stdout, p.command.Stderr = &p.said, &p.said
	if err := p.command.Start(); err != nil {
		t.Fatalf("eapol: %v", err)
	}
	go func() {
		defer close(p.done)
		p.command.Wait() // the outcome stays in ProcessState
	}()
	return p
}

// lacks skips the test, or fails it when every test must run.
func lacks(t radtest.TestingT, what string) {
	t.Helper()
	if os.Getenv("LNSGATE_TEST_ALL") == "1" {
		t.Fatalf("%s", what)
	}
	t.Skipf("%s", what)
}

// lines drops the blanks around each line, so that a test can indent.
func lines(text string) string {
	var trimmed []string
	for line := range strings.Lines(text) {
		trimmed = append(trimmed, strings.TrimSpace(line))
	}
	return strings.Join(trimmed, "\n")
}

func (p *Peer) end() {
	p.conn.Close()
	if p.command != nil && p.command.Process != nil {
		p.command.Process.Kill()
		<-p.done
	}
	if p.t.Failed() {
		p.t.Logf("eapol_test said:\n%s", p.said.String())
	}
}

// Outcome waits for the program to end. It returns what it printed, and whether it believes that it is logged in.
func (p *Peer) Outcome() (output string, ok bool) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Errorf("eapol_test does not end")
		return "", false
	}
	return p.said.String(), p.command.ProcessState.Success()
}

// Turns is how many Responses the program has given.
func (p *Peer) Turns() int { return p.turns }

// RespondEAP implements authenticate.EAPResponder. The program gives its identity unasked, so the first Request is answered
// with that.
func (p *Peer) RespondEAP(packet []byte) []byte {
	e, err := ppp.ParseEAP(packet)
	switch {
	case err != nil:
		return nil
	case e.Code == ppp.EAPSuccess:
		p.answer(accessAccept, packet)
		return nil
	case e.Code == ppp.EAPFailure:
		p.answer(accessReject, packet)
		return nil
	case p.turns > 0:
		p.answer(accessChallenge, packet)
	}
	if err := p.hear(); err != nil {
		p.t.Errorf("eapol_test says nothing to request %d of type %d: %v", e.Identifier, e.Type, err)
		return nil
	}
	response := bytes.Clone(p.pending.eap)
	if p.turns == 0 {
		response[1] = e.Identifier
	}
	p.turns++
	return response
}

func (p *Peer) answer(code byte, packet []byte) {
	p.last = p.pending.reply(code, packet, []byte(secret))
	if _, err := p.conn.WriteToUDPAddrPort(p.last, p.program); err != nil {
		p.t.Errorf("eapol: %v", err)
	}
}

// hear waits for the program's next request. One that it repeats gets the same answer again.
func (p *Peer) hear() error {
	until := time.Now().Add(patience)
	if err := p.conn.SetReadDeadline(until); err != nil {
		return err
	}
	buffer := make([]byte, 8192)
	for time.Now().Before(until) {
		n, from, err := p.conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return err
		}
		r, err := parseRequest(buffer[:n])
		if err != nil {
			return err
		}
		if r.id == p.pending.id && r.authenticator == p.pending.authenticator && p.last != nil {
			p.conn.WriteToUDPAddrPort(p.last, from)
			continue
		}
		p.program, p.pending = from, r
		return nil
	}
	return errors.New("only repetitions")
}

// PAP is not what this peer does.
func (p *Peer) PAP() aaa.Secret { return aaa.Secret{} }

// CHAP is not what this peer does.
func (p *Peer) CHAP(uint8, []byte) []byte { return nil }

// MSCHAPv2 is not what this peer does.
func (p *Peer) MSCHAPv2([]byte) []byte { return nil }

// VerifyMSCHAPv2 is not what this peer does.
func (p *Peer) VerifyMSCHAPv2(string) bool { return false }
