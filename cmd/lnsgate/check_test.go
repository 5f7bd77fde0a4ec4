package main

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/secret"
	"lnsgate/configs"

	"github.com/google/go-cmp/cmp"
)

func TestFindings(t *testing.T) {
	config := &configs.Config{
		Listen:           []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:1701")},
		VirtualTemplates: make([]configs.VirtualTemplate, 1),
		L2TPGroups:       make([]configs.L2TPGroup, 1),
		Domains:          make([]configs.Domain, 2),
		Pools:            make([]configs.Pool, 3),
	}
	const counts = "1 listening socket, 1 virtual template, 1 l2tp group, 2 domains, 3 pools, 0 users\n"
	overlap := configs.Warning{Path: "pools[0]", Line: 9, Message: "overlaps headquarters"}
	faults := &configs.Faults{Name: "f", List: []configs.Fault{
		{Path: "users[3].password", Line: 20, Message: "is missing"}, {Message: "no pool"}}}
	tests := []struct {
		name     string
		warnings []configs.Warning
		err      error
		want     string
		fails    string
	}{
		{"good", nil, nil, "f: good: " + counts, ""},
		{"unwise", []configs.Warning{overlap}, nil,
			"f: warning: line 9: pools[0]: overlaps headquarters\nf: usable, with 1 warning: " + counts, ""},
		{"faulty", []configs.Warning{overlap}, faults,
			"f: fault: line 20: users[3].password: is missing\nf: fault: no pool\n" +
				"f: warning: line 9: pools[0]: overlaps headquarters\n", "f cannot be used: 2 faults"},
		{"not there", nil, fs.ErrNotExist, "", "file does not exist"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			err := writeFindings(&out, "f", config, nil, test.warnings, test.err)
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Error(diff)
			}
			if (err == nil) != (test.fails == "") || err != nil && err.Error() != test.fails {
				t.Errorf("error %v, want %q", err, test.fails)
			}
		})
	}
}

// What only the rooms find has the place that everything else has.
func TestCheckPlacesTheFaultsOfTheRooms(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.yaml")
	text := strings.Replace(departments, "pools: [sales]", "pools: [pool1]", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := check(t.Context(), &out, file)
	if err == nil || err.Error() != file+" cannot be used: 1 fault" ||
		!strings.HasPrefix(out.String(), file+": fault: line 11: pools[0]: pool pool1 is used on the virtual templates [vt1 vt2]") ||
		!strings.Contains(out.String(), file+": warning: line 12: pools[1]: ") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// The start would end with them, and a reload would have them follow too late.
func TestCheckReadsTheCertificates(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.yaml")
	for section, place := range map[string]string{
		"admin: {certificate_file: none.pem, key_file: none.key}": "admin.certificate_file",
		"eap: {certificate_file: none.pem, key_file: none.key}":   "eap.certificate_file",
		"eap: {client_ca_file: none.pem}":                         "eap.client_ca_file",
		"radius_server: {clients: [{name: r, source: 192.0.2.7/32, secret: 0123456789abcdef0123456789abcdef}], tls: {listen: ['[::1]:2083'], certificate_file: a, key_file: b, client_ca_file: c}}": "radius_server.tls.client_ca_file",
	} {
		if err := os.WriteFile(file, []byte(departments+section+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		err := check(t.Context(), &out, file)
		if err == nil || !strings.Contains(out.String(), place+": open ") || !strings.Contains(out.String(), "no such file") {
			t.Errorf("%s: %v\n%s", section, err, out.String())
		}
	}
}

// The loader repeats the rules of the login, so that it can say the line. Here they meet.
func TestNamesAndPasswordsAreJudgedAlike(t *testing.T) {
	quoted := func(name string) string { return strconv.QuoteToASCII(name) }
	for _, name := range []string{
		"bobby", "bob@sales", "bob@", "@sales", "@", `SALES\bob`, `\bob`, `SALES\`, `A\B\bob`, `A\bob@sales`, "a..b", "a.b.", "bob@.x", "bob@x.",
		".bob", "b ob", "b\u00a0ob", "b\u0085ob", "grüße@größe", strings.Repeat("x", 253), strings.Repeat("x", 254), "a@b@c",
	} {
		_, want := aaa.ParseIdentity(name)
		text := strings.Replace(departments, "name: l2tpuser", "name: "+quoted(name), 1)
		if _, _, err := configs.Parse([]byte(text), "x"); (err == nil) != (want == nil) {
			t.Errorf("user %q: the file says %v, the login %v", name, err, want)
		}
		_, want = aaa.NewGateway(aaa.Config{Domains: []aaa.Domain{{Name: name, Chain: []string{"f"}}}, Backends: []aaa.Backend{aaatest.NewFake("f")}})
		text = strings.Replace(departments, "aliases: [sell.example]", "aliases: [sell.example, "+quoted(name)+"]", 1)
		if _, _, err := configs.Parse([]byte(text), "x"); (err == nil) != (want == nil) {
			t.Errorf("domain %q: the file says %v, the gateway %v", name, err, want)
		}
	}
	for _, password := range []string{"x", strings.Repeat("é", 256), strings.Repeat("é", 257), strings.Repeat("😀", 128), strings.Repeat("😀", 129)} {
		want := secret.Clear(aaa.NewSecret(password)).Validate()
		text := strings.Replace(departments, `"Admin@123"`, quoted(password), 1)
		if _, _, err := configs.Parse([]byte(text), "x"); (err == nil) != (want == nil) {
			t.Errorf("a password of %d octets: the file says %v, the login %v", len(password), err, want)
		}
	}
}

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// A script that asks must not be told "good" by an exit code alone when the answer could not be written.
func TestFindingsThatCannotBeWritten(t *testing.T) {
	if err := writeFindings(closedPipe{}, "f", &configs.Config{}, nil, nil, nil); err == nil {
		t.Error("no error")
	}
}
