package configs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// write puts a file into a directory of the test and returns its path.
func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// What viper folds, splits and converts by itself must arrive untouched.
func TestViperLeavesNamesAlone(t *testing.T) {
	text := with(t, inUser+"}\n", `name: Alice@Example.COM, password: PassWord}
  - {name: bob.smith@isp.net, password: "0123"}
  - {name: "007", password: "1e3"}
  - {name: a::b, password: x}
`)
	cfg, _, err := Parse([]byte(text), "x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range cfg.Users {
		got = append(got, u.Name+"/"+u.Password.Reveal())
	}
	want := []string{"Alice@Example.COM/PassWord", "bob.smith@isp.net/0123", "007/1e3", "a::b/x"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestListsReplaceTheirDefaults(t *testing.T) {
	text := with(t, inTemplate, "address: 10.10.0.1/32, ppp_authentication: [pap]") + "listen: [127.0.0.1:1701]\n"
	cfg, _, err := Parse([]byte(text), "x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(cfg.Listen, cfg.VirtualTemplates[0].PPPAuthentication); got != "[127.0.0.1:1701] [pap]" {
		t.Errorf("got %s", got)
	}
	if again := Default(); len(again.Listen) != 2 {
		t.Error("a file changed the defaults")
	}
}

func TestValues(t *testing.T) {
	text := with(t, inTemplate, inTemplate+", tcp_mss: off, idle_timeout: 1h30m, echo_interval: 0, queues: 2") +
		"udp: {receive_buffer: 512KiB, send_buffer: 1048576, gso: off, gro: on}\nlog: {level: warn, format: json}\nforwarding: false\n"
	text = strings.Replace(text, inPool, "ranges: [10.1.0.0/24], exclude: [10.1.0.0/28], sticky: false", 1)
	cfg, _, err := Parse([]byte(text), "x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	v, p := cfg.VirtualTemplates[0], cfg.Pools[0]
	for _, c := range []struct{ name, got, want any }{
		{"tcp_mss", v.TCPMSS, MSSOff},
		{"idle_timeout", v.IdleTimeout, 90 * time.Minute},
		{"echo_interval", v.EchoInterval, time.Duration(0)},
		{"echo_failures", v.EchoFailures, 4},
		{"udp", cfg.UDP, UDP{GSO: Off, GRO: On, ReceiveBuffer: 512 << 10, SendBuffer: 1 << 20, IPsecMark: 1701}},
		{"log", cfg.Log, Log{Level: Warn, Format: JSON}},
		{"forwarding", cfg.Forwarding, false},
		{"ranges", fmt.Sprint(p.Ranges), "[10.1.0.1-10.1.0.254]"},
		{"exclude", fmt.Sprint(p.Exclude), "[10.1.0.0-10.1.0.15]"},
		{"sticky", p.Sticky, false},
		{"quarantine", p.Quarantine, time.Minute},
	} {
		if c.got != c.want {
			t.Errorf("%v: %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestLoadReportsAFileThatCannotBeRead(t *testing.T) {
	_, _, err := Load(filepath.Join(t.TempDir(), "none.yaml"))
	var faults *Faults
	if !errors.As(err, &faults) || len(faults.List) != 1 || !strings.HasSuffix(err.Error(), "the file cannot be read: no such file or directory") {
		t.Fatalf("got %v", err)
	}
}

func TestEnvironmentOverridesSingleValues(t *testing.T) {
	path := write(t, "x.yaml", base+"log: {format: json}\n", 0o600)
	t.Setenv("LNSGATE_LOG__LEVEL", "debug")
	t.Setenv("LNSGATE_LIMITS__TUNNELS", "7")
	t.Setenv("LNSGATE_FORWARDING", "false")
	t.Setenv("LNSGATE_UDP__SEND_BUFFER", "1MiB")
	t.Setenv("LNSGATE_LIMITS__SETUP_TIMEOUT", "45s")
	t.Setenv("LNSGATE_UDP__RECEIVE_BUFFER", "8388608")
	t.Setenv("LNSGATE_TEST_ALL", "1")
	t.Setenv("LNSGATE_FUZZ", "1m")
	t.Setenv("LNSGATE_STATE_DIR", "/007")
	cfg, warnings, err := Load(path)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	got := fmt.Sprintln(cfg.Log, cfg.Limits.Tunnels, cfg.Forwarding, cfg.UDP.SendBuffer, cfg.UDP.ReceiveBuffer, cfg.Limits.SetupTimeout, cfg.StateDir)
	if want := "{debug json} 7 false 1MiB 8MiB 45s /007\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	t.Setenv("LNSGATE_LIMITS__TUNNELS", "many")
	t.Setenv("LNSGATE_FORWARDING", "yes")
	t.Setenv("LNSGATE_LOG__LEVEL", "loud")
	t.Setenv("LNSGATE_LOG_LEVEL", "debugg")
	t.Setenv("LNSGATE_LISTEN", "nonsense")
	t.Setenv("LNSGATE_XYZZY", "")
	_, _, err = Load(path)
	for _, want := range []string{
		`limits.tunnels: LNSGATE_LIMITS__TUNNELS: a number is expected, not "many"`,
		`forwarding: LNSGATE_FORWARDING: write true or false, not "yes"`,
		`log.level: "loud" is not one of`,
		"LNSGATE_LOG_LEVEL: no setting has this name; did you mean LNSGATE_LOG__LEVEL?",
		"LNSGATE_LISTEN: the environment cannot set a list; write listen into the file",
		"LNSGATE_XYZZY: no setting has this name; log.level is set by LNSGATE_LOG__LEVEL, with two underscores",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	path := write(t, "x.yaml", "", 0o600)
	directory := filepath.Dir(path)
	credentials := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	for name, text := range map[string]string{
		filepath.Join(directory, "one"):    "Admin@123\n",
		filepath.Join(directory, "two"):    " kept as it is \r\n",
		filepath.Join(credentials, "cred"): "from systemd\n\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Replace(base, inGroup, inGroup+", tunnel_authentication: true, tunnel_secret_file: two", 1)
	text = strings.Replace(text, inUser, `name: a, password_file: one}`+"\n  - {name: b, password_file: \"credential:cred\"}\n  - {name: c, password_file: "+filepath.Join(directory, "one"), 1)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, warnings, err := Load(path)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %v; a file that names secret files may be read by all", warnings, err)
	}
	for _, c := range []struct{ got, want string }{
		{cfg.L2TPGroups[0].TunnelSecret.Reveal(), " kept as it is "},
		{cfg.Users[0].Password.Reveal(), "Admin@123"},
		{cfg.Users[1].Password.Reveal(), "from systemd\n"},
		{cfg.Users[2].Password.Reveal(), "Admin@123"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestSecretFilesThatCannotBeUsed(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	directory := t.TempDir()
	for name, text := range map[string]string{"empty": "\n", "large": strings.Repeat("x", secretLimit+1), "good": "x"} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ user, want string }{
		{"password_file: none", "line 11: users[0].password_file: " + directory + "/none: no such file or directory"},
		{"password_file: empty", "empty: the file is empty"},
		{"password_file: large", "large: the file is larger than 4096 octets"},
		{"password_file: .", "it is not a regular file"},
		{`password_file: "credential:x"`, "$CREDENTIALS_DIRECTORY is not set"},
		{"password_file: good, password: y", "users[0].password_file: the secret is given twice; keep password or password_file"},
		{`password_file: good, nt_hash: "8846F7EAEE8FB117AD06BDD830B7586C"`, "users[0].nt_hash: the password is given twice"},
	} {
		text := with(t, inUser, "name: a, "+c.user)
		_, _, err := Parse([]byte(text), filepath.Join(directory, "x.yaml"))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s: got %v, want only %q", c.user, err, c.want)
		}
	}
	if _, err := secretPath("credential:../shadow", "", "/run/credentials"); err == nil {
		t.Error("a credential outside of its directory was taken")
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	s := NewSecret("Admin@123")
	text, _ := json.Marshal(User{Password: s, NTHash: s})
	all := fmt.Sprintf("%v %+v %#v %s %q %x %d %s %v", s, s, s, s, s, s, s, text, s.LogValue())
	all += fmt.Sprintf("%v %+v %#v", User{Password: s}, &User{Password: s}, []Secret{s})
	if strings.Contains(all, "Admin") || strings.Contains(all, fmt.Sprintf("%x", "Admin")) || !strings.Contains(all, stars) {
		t.Errorf("printed as %s", all)
	}
	_, _, err := Parse([]byte(with(t, inUser, "name: x, password: 12345678")), "x.yaml")
	if err == nil || strings.Contains(err.Error(), "12345678") {
		t.Errorf("the fault shows the password: %v", err)
	}
	_, _, err = Parse([]byte(with(t, inUser, "name: x, password: [hunter2]")), "x.yaml")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the fault shows the password: %v", err)
	}
}

func TestNamesOfValues(t *testing.T) {
	for want, got := range map[string]fmt.Stringer{
		"off": Off, "warn": Warn, "json": JSON, "mschapv2": MSCHAPv2, "mschapv1": MSCHAPv1, "renegotiate": Renegotiate, "always": SequenceAlways,
		"continue": Continue, "unknown(0)": Method(0), "unknown(9)": Switch(9), "4MiB": Size(4 << 20), "1GiB": Size(1 << 30),
		"1500": Size(1500), "auto": MSSAuto, "1400": MSS(1400),
	} {
		if got.String() != want {
			t.Errorf("%#v prints %q, want %q", got, got, want)
		}
	}
}

// The decoder is strict by itself too, whatever the shape lets through.
func TestDecoderIsStrict(t *testing.T) {
	for text, path := range map[string]string{
		"users: [{name: 007}]":            "users[0].name",
		"forwarding: 1":                   "forwarding",
		"limits: {tunnels: '7'}":          "limits.tunnels",
		"domains: [{pools: a}]":           "domains[0].pools",
		"users: [{name: a, colour: red}]": "users[0].colour",
		"colour: red":                     "colour",
	} {
		_, faults := decode([]byte(text), nil)
		if len(faults) != 1 || faults[0].Path != path {
			t.Errorf("%s: faults are %v, want one at %s", text, faults, path)
		}
	}
}

func TestAliasesNameTheirDomain(t *testing.T) {
	text := strings.Replace(base, inGroup, inGroup+", domain: corp, default_domain: Corp", 1) + "default_domain: CORP\n"
	text = strings.Replace(text, inDomain, inDomain+", aliases: [cOrp]", 1)
	if _, warnings, err := Parse([]byte(text), "x.yaml"); err != nil || len(warnings) > 0 {
		t.Error(warnings, err)
	}
}

// The last addresses before and behind what no host can have.
func TestRangesMayTouchWhatNoHostCanHave(t *testing.T) {
	text := with(t, inPool, "ranges: [1.0.0.0-1.0.0.9, 126.255.255.250-126.255.255.255, 128.0.0.0, 223.255.255.0-223.255.255.255]")
	if _, _, err := Parse([]byte(text), "x.yaml"); err != nil {
		t.Error(err)
	}
}

func TestDomainsAreFoundInAnyCase(t *testing.T) {
	text := strings.Replace(base, inGroup, inGroup+", domain: DEFAULT, default_domain: Default", 1) + "default_domain: dEFAULT\n"
	if _, warnings, err := Parse([]byte(text), "x.yaml"); err != nil || len(warnings) > 0 {
		t.Error(warnings, err)
	}
}
