package eap

import (
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
)

var serverNames = []string{"radius.example", "lns1", "192.0.2.1"}

func TestACertificateOfOurOwn(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "eap")
	own, err := SelfSigned(folder, serverNames)
	must(t, err)
	c, err := own.Certificate()
	must(t, err)
	octets, err := os.ReadFile(own.CAFile())
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(octets)
	for _, name := range serverNames {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := time.Until(c.Leaf.NotAfter); left < goodServer-time.Hour || c.Leaf.NotAfter.Sub(c.Leaf.NotBefore) > 825*24*time.Hour || c.Leaf.IsCA || !c.Leaf.IPAddresses[0].Equal(net.IPv4(192, 0, 2, 1)) {
		t.Errorf("%v, %v", left, c.Leaf)
	}
	for file, mode := range map[string]os.FileMode{fileCA: 0o644, fileServer: 0o644, fileCAKey: 0o600, fileServerKey: 0o600, "": 0o700 | os.ModeDir} {
		if info, err := os.Stat(filepath.Join(folder, file)); err != nil || info.Mode() != mode {
			t.Errorf("%q: %v, %v", file, info.Mode(), err)
		}
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 4 {
		t.Errorf("%v, %v", files, err)
	}
}

// serials are those of the CA and of the server.
func serials(t *testing.T, folder string, names []string, now time.Time) (ca, server string) {
	t.Helper()
	o := &OwnCertificate{folder: folder, names: names, now: func() time.Time { return now }}
	c, err := o.Certificate()
	must(t, err)
	authority, err := load(folder, fileCA, fileCAKey)
	must(t, err)
	must(t, c.Leaf.CheckSignatureFrom(authority.Leaf))
	return authority.Leaf.SerialNumber.String(), c.Leaf.SerialNumber.String()
}

func TestWhatIsThereIsKept(t *testing.T) {
	folder, begin := t.TempDir(), time.Now()
	ca, server := serials(t, folder, serverNames, begin)
	for _, c := range []struct {
		what  string
		names []string
		after time.Duration
		same  bool
		harm  string
	}{
		{"started again", serverNames, time.Hour, true, ""},
		{"61 days before its end", serverNames, goodServer - renewAt - 24*time.Hour, true, ""},
		{"59 days before its end", serverNames, goodServer - renewAt + 24*time.Hour, false, ""},
		{"another name", []string{"radius.example"}, goodServer, false, ""},
		{"half of it is gone", []string{"radius.example"}, goodServer, false, fileServerKey},
		{"it is broken", []string{"radius.example"}, goodServer, false, fileServer},
		{"shortly before the end of the CA", []string{"radius.example"}, goodCA - renewAt - time.Hour, false, ""},
	} {
		if c.harm != "" {
			must(t, os.WriteFile(filepath.Join(folder, c.harm), []byte("nothing"), 0o600))
		}
		gotCA, got := serials(t, folder, c.names, begin.Add(c.after))
		if gotCA != ca || (got == server) != c.same {
			t.Errorf("%s: CA %s, then %s; server %s, then %s", c.what, ca, gotCA, server, got)
		}
		server = got
	}
	o := &OwnCertificate{folder: folder, names: serverNames, now: func() time.Time { return begin.Add(goodCA + time.Hour) }}
	if _, err := o.Certificate(); err == nil || !strings.Contains(err.Error(), "the CA ended on") {
		t.Errorf("after the end of the CA: %v", err)
	}
}

// A server that runs for years renews its certificate, and where it cannot, goes on with the one it has as long as that lasts.
func TestACertificateIsRenewedWhileItIsUsed(t *testing.T) {
	own, err := SelfSigned(t.TempDir(), serverNames)
	must(t, err)
	first, err := own.Certificate()
	must(t, err)
	begin := time.Now()
	own.now = func() time.Time { return begin.Add(goodServer - renewAt + time.Hour) }
	second, err := own.Certificate()
	if err != nil || second == first || !second.Leaf.NotAfter.After(first.Leaf.NotAfter) {
		t.Fatalf("%v, %v", second, err)
	}
	must(t, os.Remove(filepath.Join(own.folder, fileCAKey)))
	own.now = func() time.Time { return begin.Add(2*goodServer - 2*renewAt + 2*time.Hour) }
	if third, err := own.Certificate(); err != nil || third != second {
		t.Errorf("%v, %v", third, err)
	}
	own.now = func() time.Time { return begin.Add(2 * goodServer) }
	if _, err := own.Certificate(); err == nil || !strings.Contains(err.Error(), "bring back ca.pem and ca.key") {
		t.Error(err)
	}
}

func TestHalfOfACAIsLeftAlone(t *testing.T) {
	for _, lost := range []string{fileCA, fileCAKey} {
		folder := t.TempDir()
		_, err := SelfSigned(folder, serverNames)
		must(t, err)
		must(t, os.Remove(filepath.Join(folder, lost)))
		if _, err := SelfSigned(folder, serverNames); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("without %s: %v", lost, err)
		}
		if _, err := os.Stat(filepath.Join(folder, lost)); err == nil {
			t.Errorf("%s was made anew", lost)
		}
	}
	var fault *aaa.Fault
	if _, err := SelfSigned(t.TempDir(), nil); !errors.As(err, &fault) {
		t.Errorf("no names: %v", err)
	}
	blocked := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(blocked, nil, 0o600))
	if _, err := SelfSigned(blocked, serverNames); err == nil {
		t.Error("a file instead of a folder")
	}
}
