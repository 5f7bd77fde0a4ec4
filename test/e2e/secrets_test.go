package e2e

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/admin"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
	"lnsgate/test/radtest"
)

// needles are what must be found nowhere, by what each is.
type needles map[string][]byte

// fresh makes a secret that nothing else contains, and wants it found nowhere.
func (n needles) fresh(what string) string {
	text := rand.Text() + rand.Text()
	n.add(what, []byte(text))
	n.add(what+" in UTF-16", wide(text))
	hash, _ := secret.NTHashOf(aaa.NewSecret(text)) // a plain text has one
	n.add("NT hash of "+what, hash[:])
	sum, long := md5.Sum([]byte(text)), sha256.Sum256([]byte(text))
	n.add("MD5 of "+what, sum[:])
	if !strings.HasSuffix(what, "token") { // its hash stands in the configuration, to be seen
		n.add("SHA-256 of "+what, long[:])
	}
	return text
}

func wide(text string) (b []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	return b
}

func (n needles) add(what string, octets []byte) { n[what] = bytes.Clone(octets) }

// forms are the ways in which octets may be written down.
func forms(b []byte) map[string][]byte {
	all := map[string][]byte{"as it is": b, "in hex": []byte(hex.EncodeToString(b)), "in HEX": []byte(strings.ToUpper(hex.EncodeToString(b))),
		"as Go prints octets": []byte(strings.Trim(fmt.Sprint(b), "[]"))}
	for _, c := range []struct {
		name string
		*base64.Encoding
	}{{"base64", base64.RawStdEncoding}, {"base64 for URLs", base64.RawURLEncoding}} {
		for shift := range 3 { // it may stand behind other octets
			text := c.EncodeToString(append(make([]byte, shift), b...))
			all[fmt.Sprintf("in %s behind %d", c.name, shift)] = []byte(text[(shift*8+5)/6 : len(text)-1])
		}
	}
	return all
}

// in lists what of it is found in a text.
func (n needles) in(text []byte) (found []string) {
	for what, octets := range n {
		for form, needle := range forms(octets) {
			if bytes.Contains(text, needle) {
				found = append(found, what+" "+form)
			}
		}
	}
	return found
}

// responses adds what peers and we proved ourselves with on the wire, and says how many there were.
func (n needles) responses(c *capture) (count int) {
	note := func(what string, b []byte) {
		if len(b) >= 8 {
			count++
			n.add(fmt.Sprintf("%s %d", what, count), b)
		}
	}
	for _, d := range c.datagrams() {
		h, payload, err := l2tp.ParseHeader(d.payload)
		if err != nil {
			continue
		}
		if h.Control {
			note("challenge response of a tunnel", challengeResponse(payload))
			continue
		}
		protocol, packet, err := ppp.ParseFrame(payload)
		if err != nil {
			continue
		}
		p, err := ppp.ParsePacket(packet)
		switch value, fault := ppp.ParseCHAPValue(p.Data); {
		case err != nil:
		case protocol == ppp.CHAP && p.Code == 2 && fault == nil:
			note("CHAP response", value.Value)
			if len(value.Value) == 49 { // MS-CHAPv2 (RFC 2759 section 4): the NT-Response
				note("NT-Response", value.Value[24:48])
			}
		case protocol == ppp.EAP && p.Code == 2 && len(p.Data) > 17 && p.Data[0] == 4: // MD5-Challenge
			note("EAP-MD5 response", p.Data[2:18])
		}
	}
	return count
}

// challengeResponse is the value of that AVP (RFC 2661 section 4.4.3), when it stands there and is not hidden.
func challengeResponse(avps []byte) []byte {
	for len(avps) >= 6 {
		length := int(avps[0]&3)<<8 | int(avps[1])
		if length < 6 || length > len(avps) {
			return nil
		}
		if kind := int(avps[4])<<8 | int(avps[5]); kind == 13 && avps[0]&0x40 == 0 {
			return avps[6:length]
		}
		avps = avps[length:]
	}
	return nil
}

// desk is an operator who asks over the network, with a token, and as a browser.
type desk struct {
	t     *testing.T
	token string
	http  *http.Client
}

func (w *world) desk(token string) *desk {
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	d := &desk{t: w.t, token: token, http: &http.Client{Jar: jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // of its own making
		DialContext: func(_ context.Context, network, address string) (conn net.Conn, err error) {
			err = w.lns.Do(func() (err error) { conn, err = net.Dial(network, address); return err })
			return conn, err
		},
	}}}
	w.t.Cleanup(d.http.CloseIdleConnections)
	return d
}

const deskAddress = "127.0.0.1:8443"

func (d *desk) do(ctx context.Context, method, path, kind, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "https://"+deskAddress+path, strings.NewReader(body))
	must(d.t, err)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if !strings.HasPrefix(path, "/ui/") {
		r.Header.Set("Authorization", "Bearer "+d.token)
	}
	return d.http.Do(r)
}

func (d *desk) ask(method, path, kind, body string) (status int, text []byte) {
	d.t.Helper()
	resp, err := d.do(context.Background(), method, path, kind, body)
	must(d.t, err)
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	must(d.t, err)
	return resp.StatusCode, text
}

var formToken = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// submit posts a form of the page.
func (d *desk) submit(from, path string, form url.Values) (status int, text []byte) {
	d.t.Helper()
	_, page := d.ask("GET", from, "", "")
	found := formToken.FindSubmatch(page)
	if found == nil {
		d.t.Fatalf("no form at %s:\n%s", from, page)
	}
	form.Set("csrf", string(found[1]))
	return d.ask("POST", path, "application/x-www-form-urlencoded", form.Encode())
}

// stream reads events until the returned function is called, which tells what has come.
func (d *desk) stream() (end func() []byte) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	resp, err := d.do(ctx, "GET", "/v1/events", "", "")
	must(d.t, err)
	var heard bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&heard, resp.Body) // ends with the context
	}()
	return sync.OnceValue(func() []byte {
		cancel()
		<-done
		resp.Body.Close()
		return heard.Bytes()
	})
}

// proofs are the methods of dial.
var proofs = []string{"pap", "chap", "mschapv2", "eap"}

// Of a run with every way to log in, right and wrong, no record, log, capture, metric, page or table has what anybody proved themselves with.
func TestSecretsAreWrittenDownNowhere(t *testing.T) {
	t.Parallel()
	w, n := newWorld(t), needles{}
	var (
		tunnel, radiusSecret, nasSecret = n.fresh("tunnel secret"), n.fresh("RADIUS secret"), n.fresh("NAS secret")
		token, page                     = n.fresh("operator's token"), n.fresh("operator's password")
		wrongToken, wrongPage           = n.fresh("wrong token"), n.fresh("wrong password of an operator")
		stored, filed, known            = n.fresh("password in SQL"), n.fresh("password in the file"), n.fresh("password in RADIUS")
		changed, wrong                  = n.fresh("changed password"), n.fresh("wrong password")
	)
	company := newCompany(t, strings.Replace(salesInSQL, "INSERT INTO accounts (name, password) VALUES ('alice@sales.example', 'Alice@123');", "", 1))
	radius := radtest.Start(t, radtest.Options{Users: fmt.Sprintf("carol@radius.example Cleartext-Password := %q\n", known), Secret: radiusSecret, Namespace: w.lns})
	keys := filepath.Join(w.folder, "keys")
	if output, err := exec.Command(program, "db", "rotate-key", "--prepare", "--key-file", keys).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", output, err)
	}
	s := w.serve(fmt.Sprintf(`
	node: hq1
	database: {url: "%s", key_file: %s}
	listen: [0.0.0.0:1701]
	virtual_templates:
	  - {name: vt1, address: 10.10.0.1/32, mru: 1460, ppp_authentication: [eap, mschapv2, chap, pap]}
	l2tp_groups:
	  - {name: default, virtual_template: vt1, tunnel_name: LNS, tunnel_authentication: true, tunnel_secret: "%s"}
	default_domain: local.example
	domains:
	  - {name: local.example, authentication: [local], pools: [pool1]}
	  - {name: radius.example, authentication: [hq], accounting: [hq], pools: [pool1]}
	pools:
	  - {name: pool1, ranges: [10.10.8.0/21]}
	users:
	  - {name: bob@local.example, password: "%s"}
	admin:
	  listen: ["%s"]
	  operators:
	    - {name: anna, role: administer, token: "%s", password: "%s"}
	radius:%s
	`, company.url, keys, tunnel, filed, deskAddress, token, page, radiusGroup("hq", radius, "user_name: with_domain")))
	office := w.desk(token)
	change := func(method, path, body string) {
		t.Helper()
		if status, text := office.ask(method, path, "application/json", body); status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
	}
	change("POST", "/v1/users", fmt.Sprintf(`{"name":"alice@sales.example","password":%q}`, stored))
	change("POST", "/v1/nases", fmt.Sprintf(`{"name":"r1","source":"192.0.2.77","secret":%q}`, nasSecret))
	events, wire := office.stream(), w.listen(w.client, "wan")
	captures := []*armed{s.arm("failed.pcapng", "--failed"), s.arm("peer.pcapng", "--peer", clientAddress, "--data"), s.arm("user.pcapng", "--user", "alice@sales.example")}

	people := map[string]string{"alice@sales.example": stored, "bob@local.example": filed, "carol@radius.example": known}
	opened := 0
	for name, password := range people {
		for _, method := range proofs {
			c := w.dial(w.client, name, password, "--auth", method, "--tunnel-secret", tunnel, "--hide-avps", "--once")
			if _, code := c.gone(); code == 0 {
				opened++
			} else {
				t.Errorf("%s by %s is not let in", name, method)
			}
			w.dial(w.client, name, wrong, "--auth", method, "--tunnel-secret", tunnel).gone()
		}
	}
	w.dial(w.client, "alice@sales.example", stored, "--tunnel-secret", wrong).gone()
	for name, password := range people {
		for _, password := range []string{password, wrong} {
			for _, method := range proofs[:3] {
				office.ask("POST", "/v1/test-login", "application/json", fmt.Sprintf(`{"user":%q,"method":%q,"password":%q,"from":%q}`, name, method, password, clientAddress))
			}
		}
	}
	change("POST", "/v1/users/alice@sales.example/password", fmt.Sprintf(`{"password":%q}`, changed))
	w.desk(wrongToken).ask("GET", "/v1/sessions", "", "")
	office.submit("/ui/login", "/ui/login", url.Values{"name": {"anna"}, "password": {wrongPage}})
	if status, text := office.submit("/ui/login", "/ui/login", url.Values{"name": {"anna"}, "password": {page}}); status != http.StatusOK || !bytes.Contains(text, []byte("Overview")) {
		t.Fatalf("log-in: %d %s", status, text)
	}

	haystack := map[string][]byte{"events": events()}
	_, haystack["/ui/test with a password"] = office.submit("/ui/test", "/ui/test", url.Values{"user": {"carol@radius.example"}, "password": {known}})
	for _, path := range []string{"/v1/sessions", "/v1/attempts?limit=1000", "/v1/audit", "/v1/users", "/v1/users/alice@sales.example", "/v1/users/bob@local.example", "/v1/nases",
		"/v1/nases/r1", "/v1/radius", "/v1/domains", "/v1/pools", "/v1/nodes", "/v1/counters", "/v1/health", "/metrics",
		"/ui/", "/ui/sessions", "/ui/logins", "/ui/users", "/ui/user?name=alice@sales.example", "/ui/pools", "/ui/domains", "/ui/changes", "/ui/test", "/ui/import", "/ui/causes"} {
		status, text := office.ask("GET", path, "", "")
		if haystack[path] = text; status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	var attempts struct{ Attempts []admin.Attempt }
	must(t, json.Unmarshal(haystack["/v1/attempts?limit=1000"], &attempts))
	if len(attempts.Attempts) < 2*len(people)*len(proofs) || opened != len(proofs)*len(people) {
		t.Fatalf("%d attempts are recorded, %d were let in", len(attempts.Attempts), opened)
	}
	for _, a := range attempts.Attempts {
		path := "/ui/login/one?id=" + url.QueryEscape(a.ID)
		_, haystack[path] = office.ask("GET", path, "", "")
	}
	for _, args := range [][]string{{"explain", "--last", "100"}, {"explain", "--last", "100", "-o", "json"}, {"show", "counters"}, {"show", "radius"}} {
		text, _ := s.command(args...)
		haystack[strings.Join(args, " ")] = []byte(text)
	}
	for _, a := range captures {
		haystack[a.file] = a.finish()
	}
	s.stop()
	haystack["log"] = []byte(s.err.String() + s.out.String())
	company.dump(haystack)
	must(t, filepath.WalkDir(w.folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || path == s.config || path == keys {
			return err
		}
		haystack[path], err = os.ReadFile(path)
		return err
	}))

	wire.stop()
	var seen bytes.Buffer
	for _, f := range wire.all() {
		seen.Write(f.octets)
	}
	if !bytes.Contains(seen.Bytes(), []byte(filed)) { // shown by PAP: so it was used, and it can be found
		t.Error("the password of the file was never on the wire")
	}
	if count := n.responses(wire); count < 20 {
		t.Errorf("only %d responses were on the wire", count)
	}
	for what, text := range haystack {
		for _, found := range n.in(text) {
			t.Errorf("%s: there is the %s", what, found)
		}
	}
	t.Logf("%d secrets and responses in %d forms each are in none of %d texts", len(n), len(forms([]byte("12345678"))), len(haystack))
}

// dump reads every table.
func (c *company) dump(into map[string][]byte) {
	c.t.Helper()
	names, err := c.db.Query(context.Background(), `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	must(c.t, err)
	var tables []string
	for names.Next() {
		var name string
		must(c.t, names.Scan(&name))
		tables = append(tables, name)
	}
	must(c.t, names.Err())
	for _, name := range tables {
		into["table "+name] = []byte(c.value(`SELECT string_agg(t::text, E'\n') FROM ` + name + ` t`))
	}
	if len(into["table public.logins"]) == 0 && len(tables) < 10 {
		c.t.Errorf("the tables are %v", tables)
	}
}

// What is looked for is found in every form.
func TestNeedlesAreFound(t *testing.T) {
	n := needles{}
	text := n.fresh("password")
	for _, in := range []string{text, hex.EncodeToString([]byte(text)), base64.StdEncoding.EncodeToString([]byte("user:" + text)), base64.URLEncoding.EncodeToString([]byte("a" + text + "b")),
		base64.StdEncoding.EncodeToString([]byte(text)), fmt.Sprint([]byte("x" + text)), string(wide("u" + text))} {
		if len(n.in([]byte("before "+in+" behind"))) == 0 {
			t.Errorf("%q is not found in %q", text, in)
		}
	}
	if found := n.in([]byte(strings.ToLower(rand.Text()))); len(found) > 0 {
		t.Errorf("%v is found in what it is not in", found)
	}
}
