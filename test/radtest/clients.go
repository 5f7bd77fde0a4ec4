package radtest

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"lnsgate/lns/host/netns"
)

// Radclient sends one request and waits for its answer, at most twice 3 seconds. The kind is a word of radclient: auth,
// acct, status, coa or disconnect; attrs are lines such as `User-Name = "alice"`. It returns what radclient printed, the
// reply with its attributes in it, and whether the answer was a yes.
func Radclient(t TestingT, server netip.AddrPort, kind, secret, attrs string) (reply string, ok bool) {
	t.Helper()
	return RadclientIn(t, nil, server, kind, secret, attrs)
}

// RadclientIn is Radclient from inside a namespace.
func RadclientIn(t TestingT, n *netns.Namespace, server netip.AddrPort, kind, secret, attrs string) (string, bool) {
	t.Helper()
	command := exec.Command(need(t, "radclient", "freeradius-utils"), "-x", "-r", "2", "-t", "3", "-D", dictionaries,
		server.String(), kind, secret)
	command.Stdin = strings.NewReader(lines(attrs) + "\n")
	return outcome(t, n, command)
}

// lines drops the blanks around each line, so that a test can indent attributes.
func lines(text string) string {
	var trimmed []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			trimmed = append(trimmed, line)
		}
	}
	return strings.Join(trimmed, "\n")
}

// EAPOLTest has the supplicant of wpa_supplicant log in at the server, with the lines of a network block such as
// `eap=MD5 identity="alice" password="secret"`, each on a line of its own. It returns what eapol_test printed and whether
// it got in. Keys are not wanted, as MD5 has none.
func EAPOLTest(t TestingT, s *Server, network string) (output string, ok bool) {
	t.Helper()
	file := filepath.Join(s.folder, "eapol.conf")
	if err := os.WriteFile(file, []byte("network={\nkey_mgmt=IEEE8021X\neapol_flags=0\n"+lines(network)+"\n}\n"), 0o600); err != nil {
		t.Fatalf("radtest: %v", err)
	}
	command := exec.Command(need(t, "eapol_test", "eapoltest"), "-n", "-c", file, "-a", s.Auth().Addr().String(),
		"-p", portText(s.Auth()), "-s", s.Secret(), "-t", "10")
	return outcome(t, s.options.Namespace, command)
}

func portText(a netip.AddrPort) string {
	text := a.String()
	return text[strings.LastIndexByte(text, ':')+1:]
}

// outcome runs a command to its end. Only a program that cannot be run at all is a fault.
func outcome(t TestingT, n *netns.Namespace, command *exec.Cmd) (string, bool) {
	t.Helper()
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	start := command.Start
	if n != nil {
		start = func() error { return n.Start(command) }
	}
	if err := start(); err != nil {
		t.Fatalf("radtest: %v", err)
	}
	err := command.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("radtest: %s: %v", command, err)
	}
	return said.String(), err == nil
}
