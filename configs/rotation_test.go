package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPreviousSecrets(t *testing.T) {
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "old"), []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(directory, "lnsgate.yaml")
	text := with(t, inGroup, inGroup+`, tunnel_secret: "new", previous_tunnel_secrets: ["old"], previous_tunnel_secret_files: [old]`)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	got := cfg.L2TPGroups[0].PreviousSecrets
	if len(got) != 2 || got[0].Reveal() != "old" || got[1].Reveal() != "from a file" {
		t.Errorf("%d secrets", len(got))
	}
}

func TestFaultsOfPreviousSecrets(t *testing.T) {
	for keys, want := range map[string]string{
		`previous_tunnel_secrets: ["old"]`:                                                           "there is no present secret",
		`tunnel_secret: "a", previous_tunnel_secrets: ["a"]`:                                         "the same as tunnel_secret",
		`tunnel_secret: "a", previous_tunnel_secrets: [""]`:                                          "empty",
		`tunnel_secret: "a", previous_tunnel_secret_files: [/nowhere/at/all]`:                        "/nowhere/at/all",
		`tunnel_secret: "a", previous_tunnel_secrets: ["1", "2", "3", "4", "5", "6", "7", "8", "9"]`: "8 at most",
	} {
		_, _, err := Parse([]byte(with(t, inGroup, inGroup+", "+keys)), "x.yaml")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", keys, err)
		}
	}
}

func TestRequireIPsecNeedsAMark(t *testing.T) {
	text := with(t, inGroup, inGroup+", require_ipsec: true")
	if c, _, err := Parse([]byte(text), "x.yaml"); err != nil || !c.RequiresIPsec() {
		t.Errorf("%v", err)
	}
	_, _, err := Parse([]byte(text+"udp: {ipsec_mark: 0}\n"), "x.yaml")
	if err == nil || !strings.Contains(err.Error(), "udp.ipsec_mark") {
		t.Errorf("%v", err)
	}
	if c, _, err := Parse([]byte(base), "x.yaml"); err != nil || c.RequiresIPsec() {
		t.Errorf("%v", err)
	}
}
