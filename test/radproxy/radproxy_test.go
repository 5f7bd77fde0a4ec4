package radproxy

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/test/netns"
	"lnsgate/test/radtest"
)

// line is what a NAS tells of itself.
const line = `
	NAS-Identifier = "ap-7"
	NAS-IP-Address = 198.51.100.7
	NAS-Port = 17
	NAS-Port-Type = Ethernet
	Calling-Station-Id = "02-00-5E-00-53-01"
	Message-Authenticator = 0x00`

// proof is what radclient has to send for a method.
func proof(m aaa.Method, name, password string) string {
	switch m {
	case aaa.PAP:
		return fmt.Sprintf("User-Name = %q\nUser-Password = %q", name, password)
	case aaa.CHAP:
		return fmt.Sprintf("User-Name = %q\nCHAP-Password = %q", name, password)
	case aaa.MSCHAPv1:
		return fmt.Sprintf("User-Name = %q\nMS-CHAP-Password = %q", name, password)
	}
	p := aaatest.NewProof(aaa.MSCHAPv2, name, password)
	return fmt.Sprintf("User-Name = %q\nMS-CHAP-Challenge = 0x%x\nMS-CHAP2-Response = 0x%02x00%x", name, p.Challenge, p.Identifier, p.Response[:48])
}

// fields are the attributes of a reply that radclient printed, by name; several of one name in order.
func fields(reply string) map[string][]string {
	m := map[string][]string{}
	_, reply, _ = strings.Cut(reply, "Received ")
	for _, found := range regexp.MustCompile(`(?m)^\s+([A-Za-z0-9:-]+) = (.*)$`).FindAllStringSubmatch(reply, -1) {
		m[found[1]] = append(m[found[1]], found[2])
	}
	return m
}

var methods = []aaa.Method{aaa.PAP, aaa.CHAP, aaa.MSCHAPv1, aaa.MSCHAPv2}

func TestANASLogsInAtAnotherServer(t *testing.T) {
	c := newChain(t)
	for _, m := range methods {
		reply, ok := radtest.Radclient(t, c.auth, "auth", nasSecret, proof(m, "alice@sales.example", "secret")+line)
		if !ok || !strings.Contains(reply, "Access-Accept") {
			t.Fatalf("%s: %s", m, reply)
		}
		got := fields(reply)
		for name, want := range map[string]string{
			"Framed-IP-Address": "10.1.2.3", "Session-Timeout": "3600", "Mikrotik-Rate-Limit": `"2M/10M"`, "WISPr-Bandwidth-Max-Up": "",
			"Reply-Message": `"told: alice@sales.example ap-7 127.0.0.1 17 Ethernet 02-00-5E-00-53-01 []"`, "Tunnel-Private-Group-Id:0": "",
		} {
			if strings.Join(got[name], " ") != want {
				t.Errorf("%s: %s is %s, not %s", m, name, got[name], want)
			}
		}
		if n := len(got["Class"]); n != 3 || got["Class"][1] != "0x00ff10" || got["Class"][2] != "0x"+hex.EncodeToString([]byte("second")) {
			t.Errorf("%s: Class %s", m, got["Class"])
		}
	}
	reply, ok := radtest.Radclient(t, c.auth, "auth", nasSecret, proof(aaa.PAP, "bare@bare.example", "secret")+line)
	if got := fields(reply); !ok || !strings.HasPrefix(got["Reply-Message"][0], `"told: bare ap-7`) || got["User-Name"] != nil {
		t.Errorf("%s", reply)
	}
}

// The keys that the NAS gets are those that the other server made: it must be as if the NAS had asked there.
func TestTheKeysOfTheLinkAreThoseOfTheOtherServer(t *testing.T) {
	c := newChain(t)
	for m, wanted := range map[aaa.Method][]string{
		aaa.MSCHAPv1: {"MS-CHAP-MPPE-Keys"}, aaa.MSCHAPv2: {"MS-MPPE-Send-Key", "MS-MPPE-Recv-Key", "MS-CHAP2-Success"},
	} {
		request := proof(m, "alice@sales.example", "secret") + line
		direct, ok := radtest.Radclient(t, c.behind.Auth(), "auth", c.behind.Secret(), request)
		if !ok {
			t.Fatalf("%s: %s", m, direct)
		}
		through, ok := radtest.Radclient(t, c.auth, "auth", nasSecret, request)
		if !ok {
			t.Fatalf("%s: %s", m, through)
		}
		want, got := fields(direct), fields(through)
		for _, name := range append(wanted, "MS-MPPE-Encryption-Policy") {
			if len(want[name]) != 1 || strings.Join(got[name], " ") != want[name][0] {
				t.Errorf("%s: %s is %s, not %s", m, name, got[name], want[name])
			}
		}
	}
}

func TestANoKeepsItsText(t *testing.T) {
	c := newChain(t)
	for m, want := range map[aaa.Method]string{
		aaa.PAP: "Access-Reject", aaa.CHAP: "Access-Reject", aaa.MSCHAPv1: "E=691 R=", aaa.MSCHAPv2: "E=691 R=",
	} {
		if reply, ok := radtest.Radclient(t, c.auth, "auth", nasSecret, proof(m, "alice@sales.example", "sesame")+line); ok || !strings.Contains(reply, want) {
			t.Errorf("%s: %s", m, reply)
		}
	}
	reply, ok := radtest.Radclient(t, c.auth, "auth", nasSecret, proof(aaa.PAP, "eve@sales.example", "secret")+line)
	if got := fields(reply); ok || len(got["Reply-Message"]) != 1 || got["Reply-Message"][0] != `"pay first"` {
		t.Errorf("%s", reply)
	}
}

// A proxy in front of us gets its Proxy-States back, in their order, and they go no further.
func TestRFC2865Section5_33_ProxyStateComesBackAndGoesNoFurther(t *testing.T) {
	c := newChain(t)
	states := "\nProxy-State = 0x0102\nProxy-State = 0xff00\nProxy-State = 0x0102"
	reply, ok := radtest.Radclient(t, c.auth, "auth", nasSecret, proof(aaa.PAP, "alice@sales.example", "secret")+line+states)
	got := fields(reply)
	if !ok || strings.Join(got["Proxy-State"], " ") != "0x0102 0xff00 0x0102" {
		t.Errorf("%s", reply)
	}
	// Behind a proxy the NAS is the one that the request names.
	if want := `"told: alice@sales.example ap-7 198.51.100.7 17 Ethernet 02-00-5E-00-53-01 []"`; len(got["Reply-Message"]) != 1 || got["Reply-Message"][0] != want {
		t.Errorf("%s, not %s", got["Reply-Message"], want)
	}
}

// The NAS must not take our silence for a no, and ours may not be one either: it has other servers to ask.
func TestWithTheOtherServerGoneTheNASHearsNothing(t *testing.T) {
	c := newChain(t)
	c.behind.Stop()
	reply, ok := radtest.Radclient(t, c.auth, "auth", nasSecret, proof(aaa.PAP, "alice@sales.example", "secret")+line)
	if ok || strings.Contains(reply, "Received") {
		t.Errorf("%s", reply)
	}
	c.behind.Restart()
	if reply, ok := radtest.Radclient(t, c.auth, "auth", nasSecret, proof(aaa.PAP, "alice@sales.example", "secret")+line); !ok {
		t.Errorf("it is back: %s", reply)
	}
}

// What the other server hears of a session in records is what it heard at its login.
func TestRecordsGoToWhereTheLoginWent(t *testing.T) {
	c := newChain(t)
	reply, ok := radtest.Radclient(t, c.auth, "auth", nasSecret, proof(aaa.PAP, "bare@bare.example", "secret")+line)
	if !ok {
		t.Fatal(reply)
	}
	record := "User-Name = \"bare@bare.example\"\nAcct-Status-Type = %s\nAcct-Session-Id = \"81\"\nFramed-IP-Address = 10.9.9.9\nAcct-Session-Time = 7\nAcct-Input-Octets = 70" + line
	for _, class := range fields(reply)["Class"] {
		record += "\nClass = " + class
	}
	record = strings.Replace(record, "\n\tMessage-Authenticator = 0x00", "", 1)
	record += "\nClass = 0x7365636f6e64"
	for _, status := range []string{"Start", "Stop"} {
		if reply, ok := radtest.Radclient(t, c.acct, "acct", nasSecret, fmt.Sprintf(record, status)); !ok {
			t.Fatal(reply)
		}
	}
	detail := c.behind.Detail()
	for _, want := range []string{`User-Name = "bare"`, `NAS-Identifier = "ap-7"`, "NAS-IP-Address = 127.0.0.1", "NAS-Port = 17", `Acct-Session-Id = "branch/`,
		"Framed-IP-Address = 10.9.9.9", "Class = 0x7365636f6e64", "Acct-Authentic = RADIUS", "Acct-Input-Octets = 70", `Calling-Station-Id = "02-00-5E-00-53-01"`} {
		if n := strings.Count(detail, "\t"+want); want != "Acct-Input-Octets = 70" && n != 2 || n == 0 {
			t.Errorf("%d times %s in\n%s", n, want, detail)
		}
	}
	if strings.Contains(detail, fields(reply)["Class"][0]) {
		t.Error("our own mark went on to the other server")
	}
}

// The other server may have a name of its own for the user, which a NAS then puts into its records, or does not.
func TestARecordIsOfTheAccountThatLoggedIn(t *testing.T) {
	c := newChain(t)
	reply, ok := radtest.Radclient(t, c.auth, "auth", nasSecret, proof(aaa.PAP, "dora@sales.example", "secret")+line)
	got := fields(reply)
	if !ok || strings.Join(got["User-Name"], " ") != `"dora-4711"` {
		t.Fatal(reply)
	}
	for i, name := range []string{"dora-4711", "dora@sales.example"} {
		record := fmt.Sprintf("User-Name = %q\nAcct-Status-Type = Start\nAcct-Session-Id = \"9%d\"\nClass = %s\nNAS-Identifier = \"ap-7\"", name, i, got["Class"][0])
		if reply, ok := radtest.Radclient(t, c.acct, "acct", nasSecret, record); !ok {
			t.Fatal(reply)
		}
		if r := c.books.last.Load(); r.Account != "dora@sales.example" || r.Domain != "sales.example" || r.Backend != "hq" {
			t.Errorf("a record of %s is of account %s, domain %s, back end %s", name, r.Account, r.Domain, r.Backend)
		}
	}
}

// supplicant has eapol_test log in through us, and returns what it printed. It checks the keys itself.
func supplicant(t *testing.T, at netip.AddrPort, fragment int, network string) (string, bool) {
	t.Helper()
	program := netns.RequireProgram(t, "eapol_test")
	file := filepath.Join(t.TempDir(), "eapol.conf")
	text := fmt.Sprintf("network={\nkey_mgmt=IEEE8021X\neapol_flags=0\nfragment_size=%d\n%s\n}\n", fragment, network)
	check(t, os.WriteFile(file, []byte(text), 0o600))
	said, err := exec.Command(program, "-c", file, "-a", at.Addr().String(), "-p", strconv.Itoa(int(at.Port())), "-s", nasSecret, "-t", "20").CombinedOutput()
	return string(said), err == nil
}

func TestEAPThroughBothHasTheKeysOfThePeer(t *testing.T) {
	c := newChain(t)
	for name, network := range map[string]string{
		"PEAP": "eap=PEAP\nidentity=\"alice@sales.example\"\nanonymous_identity=\"anonymous@sales.example\"\npassword=\"secret\"\nphase2=\"auth=MSCHAPV2\"",
		"TTLS": "eap=TTLS\nidentity=\"alice@sales.example\"\nanonymous_identity=\"anonymous@sales.example\"\npassword=\"secret\"\nphase2=\"auth=PAP\"",
	} {
		for _, fragment := range []int{300, 1398} {
			if said, ok := supplicant(t, c.auth, fragment, network); !ok || !strings.Contains(said, "MPPE keys OK: 1  mismatch: 0") {
				t.Errorf("%s in fragments of %d:\n%s", name, fragment, tail(said))
			}
		}
		if said, ok := supplicant(t, c.auth, 1398, strings.Replace(network, "secret", "sesame", 1)); ok {
			t.Errorf("%s with a wrong password:\n%s", name, tail(said))
		}
	}
}

func tail(text string) string { return text[max(0, len(text)-3000):] }
