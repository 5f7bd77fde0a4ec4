package configs

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const adminText = `
admin:
  listen: ["127.0.0.1:8443"]
  certificate_file: cert.pem
  key_file: key.pem
  allowed_sources: [10.0.0.0/8]
  operators:
    - {name: monitor, role: view, token_sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
    - {name: anna, role: administer, password_file: anna.pw}
`

func TestAdmin(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "anna.pw"), []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := parseGood(t, append(Minimal(), adminText...), filepath.Join(folder, "lnsgate.yaml"))
	a := cfg.Admin
	if a.Listen[0] != netip.MustParseAddrPort("127.0.0.1:8443") || a.CertificateFile != filepath.Join(folder, "cert.pem") || a.KeyFile != filepath.Join(folder, "key.pem") {
		t.Errorf("got %+v", a)
	}
	if o := a.Operators[0]; o.Role != View || o.Name != "monitor" || o.TokenSHA256 == "" {
		t.Errorf("got %+v", o)
	}
	if o := a.Operators[1]; o.Role != Administer || o.Password.Reveal() != "correct horse battery" {
		t.Errorf("got %+v", o)
	}
}

func TestAdminFaults(t *testing.T) {
	for name, test := range map[string]struct{ old, new, path string }{
		"a key alone":             {"  certificate_file: cert.pem\n", "", "admin.certificate_file"},
		"no such role":            {"role: view", "role: root", "admin.operators[0].role"},
		"no hash":                 {"token_sha256: 01", "token_sha256: x1", "admin.operators[0].token_sha256"},
		"the token twice":         {"role: view,", "role: view, token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,", "admin.operators[0].token_sha256"},
		"a token that is guessed": {"token_sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "token: secret", "admin.operators[0].token"},
		"a password too short":    {"password_file: anna.pw", "password: \"12345678901\"", "admin.operators[1].password"},
		"another hash":            {"password_file: anna.pw", "password_hash: $2a$10$x", "admin.operators[1].password_hash"},
		"nothing to show":         {", password_file: anna.pw", "", "admin.operators[1]"},
		"the same name":           {"name: anna", "name: monitor", "admin.operators[1].name"},
		"the same address":        {"[\"127.0.0.1:8443\"]", "[\"127.0.0.1:8443\", \"127.0.0.1:8443\"]", "admin.listen[1]"},
		"bits behind the prefix":  {"10.0.0.0/8", "10.0.0.1/8", "admin.allowed_sources[0]"},
		"a key that is not there": {"allowed_sources", "allowed_source", "admin.allowed_source"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(adminText, test.old, test.new, 1)
			if text == adminText {
				t.Fatal("nothing was replaced")
			}
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "anna.pw"), []byte("correct horse battery\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := Parse(append(Minimal(), text...), filepath.Join(folder, "lnsgate.yaml"))
			if err == nil || !strings.Contains(err.Error(), test.path) {
				t.Errorf("got %v, want a fault at %s", err, test.path)
			}
		})
	}
}

func TestAdminWarnings(t *testing.T) {
	for text, path := range map[string]string{
		"admin: {listen: [\"127.0.0.1:8443\"]}\n":                                                                                            "admin.operators",
		"admin: {operators: [{name: a, token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]}\n":                                                 "admin.listen",
		"admin: {listen: [\"0.0.0.0:8443\"], metrics_open: true, operators: [{name: a, token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]}\n": "admin.listen[0]",
	} {
		_, warnings, err := Parse(append(Minimal(), text...), "lnsgate.yaml")
		found := false
		for _, w := range warnings {
			found = found || w.Path == path
		}
		if err != nil || !found {
			t.Errorf("%s: %v, %v", text, warnings, err)
		}
	}
}
