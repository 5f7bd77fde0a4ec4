package e2e

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lnsgate/test/netns"
	"lnsgate/test/radtest"
)

// inOffice is a RADIUS server over a database, at an address.
func (c *company) inOffice(node, address, more string) string {
	return fmt.Sprintf(`
	node: %s
	database: {url: "%s"%s}
	default_domain: sales.example
	radius_server: {listen: ["%[4]s:1812"], accounting_listen: ["%[4]s:1813"], reject_delay: 0}
	`, node, c.url, more, address)
}

// manage runs an administrator's command with the file of the server.
func (s *server) manage(args ...string) string {
	s.t.Helper()
	output, err := exec.Command(program, append(args, "-c", s.config)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", args, err, output)
	}
	return string(output)
}

// soon wants something to come true at once after a change in the database, and tells how long it took.
func soon(t *testing.T, what string, condition func() bool) {
	t.Helper()
	began := time.Now()
	eventually(t, what, condition)
	if took := time.Since(began); took > atOnce {
		t.Errorf("%s: it took %s", what, took)
	}
}

// A NAS is added by command, with a secret made for it, and asks within a second. Its secret is sealed meanwhile, and when it is
// switched off it gets nothing.
func TestNASOfTheDatabase(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL)
	w := newOffice(t)
	key := w.folder + "/seal.key"
	if output, err := exec.Command(program, "db", "rotate-key", "--prepare", "--key-file", key).CombinedOutput(); err != nil {
		t.Fatalf("db rotate-key: %v\n%s", err, output)
	}
	s := w.answer(c.inOffice("hq", "127.0.0.1", `, key_file: "`+key+`"`))
	r := w.router("127.0.0.2")
	r.silent(s, r.login(alice, alicePassword), "stranger")

	said := s.manage("nas", "add", "router1", "--source", "127.0.0.2", "--type", "mikrotik", "--generate-secret")
	secret := regexp.MustCompile(`\b[0-9A-Za-z_-]{22,}\b`).FindString(said)
	if secret == "" {
		t.Fatalf("no secret is shown:\n%s", said)
	}
	r.secret = secret
	soon(t, "the NAS is known", func() bool { return !r.ignored(r.login(alice, alicePassword)) })
	c.becomes("true", `SELECT secret IS NULL AND sealed IS NOT NULL FROM nas`)
	if strings.Contains(s.manage("nas", "list"), secret) {
		t.Error("the list shows the secret")
	}
	if p := r.asks(r.login(alice, alicePassword)); p.code != accessAccept {
		t.Errorf("with the sealed secret: code %d", p.code)
	}
	s.stop()
	s.again()
	if p := r.asks(r.login(alice, alicePassword)); p.code != accessAccept {
		t.Errorf("with the sealed secret after a restart: code %d", p.code)
	}
	s.manage("nas", "set", "router1", "--disabled")
	soon(t, "the NAS gets nothing", func() bool { return r.ignored(r.login(alice, alicePassword)) })
	s.manage("nas", "set", "router1", "--disabled=false")
	soon(t, "the NAS is known again", func() bool { return !r.ignored(r.login(alice, alicePassword)) })
	s.stop()
}

// Two servers share a database. A NAS may ask the one and tell the other: there is one session, one row and one address.
func TestNASAsksTwoServersOfOneDatabase(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL, `UPDATE pool_ranges SET range = '10.10.1.0/29';
		INSERT INTO accounts (name, password) VALUES ('bob@sales.example', 'Bob@1234');
		INSERT INTO nas (name, source, secret) VALUES ('router1', '10.20.0.2', '`+nasSecret+`')`)
	w := newBareWorld(t) // the NAS is at headquarters, the servers in the namespaces of the LNS and the client
	must(t, netns.Veth(w.hq, "eth1", w.client, "eth0"))
	must(t, w.hq.Address("eth1", "10.21.0.2/24"))
	must(t, w.client.Address("eth0", "10.21.0.1/24"))
	must(t, w.client.Route("10.20.0.2/32", "10.21.0.2"))
	one := w.answerIn(w.lns, "one", c.inOffice("one", "10.20.0.1", ""))
	two := w.answerIn(w.client, "two", c.inOffice("two", "10.21.0.1", ""))
	c.becomes("2", `SELECT count(*) FROM nodes`)
	first, second := w.routerOf("10.20.0.2", "10.20.0.1"), w.routerOf("10.20.0.2", "10.21.0.1")

	began := first.opens(alice, alicePassword, "1")
	c.becomes("1", `SELECT count(*) FROM leases WHERE address = $1::inet`, began.address.String())
	began.r = second
	began.tells(statusStart)
	c.becomes("bound", `SELECT state FROM leases WHERE address = $1::inet`, began.address.String())
	c.becomes("1", `SELECT count(*) FROM sessions`)
	for _, s := range []*server{one, two} {
		if shown := s.session(alice); shown.NAS != "router1" || shown.Address != began.address {
			t.Errorf("%+v", shown)
		}
	}
	var others []*call
	taken := map[string]bool{began.address.String(): true}
	for i := range 5 { // all that the pool has
		r := []*router{first, second}[i%2]
		other := r.opens("bob@sales.example", "Bob@1234", fmt.Sprint(10+i))
		if taken[other.address.String()] {
			t.Errorf("%v is given twice", other.address)
		}
		taken[other.address.String()] = true
		others = append(others, other)
		other.tells(statusStart)
	}
	for _, r := range []*router{first, second} {
		if p := r.asks(r.login("bob@sales.example", "Bob@1234")); p.code != accessReject {
			t.Errorf("one too many for the pool: code %d, %v", p.code, p.address())
		}
	}
	began.r = first
	const octetsIn, octetsOut, sessionTime = 42, 43, 46
	began.tells(statusStop, number(sessionTime, 60), number(octetsIn, 1000), number(octetsOut, 2000))
	c.becomes("1", `SELECT count(*) FROM accounting WHERE account = $1`, alice)
	c.becomes("1000 2000 router1", `SELECT octets_up || ' ' || octets_down || ' ' || nas FROM accounting WHERE account = $1 AND stopped_at IS NOT NULL`, alice)
	c.becomes("quarantine", `SELECT state FROM leases WHERE address = $1::inet`, began.address.String())
	c.becomes("0", `SELECT count(*) FROM sessions WHERE account = $1`, alice)
	c.becomes("5", `SELECT count(*) FROM sessions`)
	for _, s := range []*server{one, two} {
		if list := s.sessions(); len(list) != 5 {
			t.Errorf("%d sessions are shown, not 5: %+v", len(list), list)
		}
	}

	// The Stop goes to the other server, and a session that is over at once may have its Stop written before its Start.
	for i, other := range others {
		other.r = []*router{second, first}[i%2]
		other.tells(statusStop, number(sessionTime, 60))
	}
	c.becomes("6", `SELECT count(*) FROM leases WHERE state = 'quarantine'`)
	quick := first.opens(alice, alicePassword, "2")
	quick.tells(statusStart)
	quick.r = second
	quick.tells(statusStop, number(sessionTime, 0), number(octetsIn, 7))
	c.becomes("7", `SELECT count(*) FROM accounting WHERE stopped_at IS NOT NULL`)
	c.becomes("0", `SELECT count(*) FROM sessions`)
	c.becomes("0", `SELECT count(*) FROM leases WHERE state = 'bound'`)
	one.stop()
	two.stop()
	c.becomes("7", `SELECT count(*) FROM accounting`)
	c.becomes("1007", `SELECT sum(octets_up) FROM accounting`)
}

// The networks of an account or its profile are said to a NAS at the login. A change of them is nothing that a session of its own
// hears of.
func TestNASIsToldOfRoutesInTheDatabase(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL, `INSERT INTO profiles (name, routes) VALUES ('branch', '{192.168.9.0/24}');
		UPDATE accounts SET routes = '{192.168.50.0/24,10.8.0.0/16}';
		INSERT INTO accounts (name, password, profile) VALUES ('bob@sales.example', 'Bob@1234', 'branch');
		INSERT INTO nas (name, source, secret, type) VALUES ('router1', '127.0.0.2', '`+nasSecret+`', 'mikrotik')`)
	w := newOffice(t)
	s := w.answer(c.inOffice("hq", "127.0.0.1", ""))
	login := func(user, password, routes string) {
		t.Helper()
		w.asks("1812", nasSecret, fmt.Sprintf("Access-Request\nPacket-Src-IP-Address = 127.0.0.2\nUser-Name = %q\nUser-Password = %q\nMessage-Authenticator = 0x00", user, password),
			"Access-Accept\nMessage-Authenticator =* ANY\nClass =* ANY\nFramed-IP-Address =* ANY\nAcct-Interim-Interval =* ANY\n"+routes)
	}
	login(alice, alicePassword, `Framed-Route == "192.168.50.0/24 0.0.0.0"`+"\n"+`Framed-Route == "10.8.0.0/16 0.0.0.0"`)
	login("bob@sales.example", "Bob@1234", `Framed-Route == "192.168.9.0/24 0.0.0.0"`)
	r := w.router("127.0.0.2")
	r.opens(alice, alicePassword, "1").tells(statusStart)
	c.becomes("1", `SELECT count(*) FROM sessions`)
	c.sql(`UPDATE profiles SET routes = NULL; UPDATE accounts SET routes = '{192.168.51.0/24}' WHERE name = '` + alice + `'`)
	soon(t, "the next login is told of the new network", func() bool {
		return string(r.asks(r.login(alice, alicePassword)).get(framedRoute)) == "192.168.51.0/24 0.0.0.0"
	})
	login("bob@sales.example", "Bob@1234", "")
	c.becomes("1", `SELECT count(*) FROM sessions`)
	s.stop()
}

// Both proxies: lnsgate asks FreeRADIUS about a domain, and passes on what it is told in the words of the NAS that asked.
func TestDomainOfTheServerAsksFreeRADIUS(t *testing.T) {
	t.Parallel()
	netns.RequireCommand(t, "eapol_test")
	w := newOffice(t)
	radius := startProxied(w)
	s := w.answer(fmt.Sprintf(`
	default_domain: sales.example
	radius_server:
	  listen: [127.0.0.1:1812]
	  accounting_listen: [127.0.0.1:1813]
	  reject_delay: 0
	  clients:
	    - {name: router1, source: 127.0.0.2/32, secret: %s, type: mikrotik}
	    - {name: router2, source: 127.0.0.3/32, secret: %[1]s, type: cisco}
	domains:
	  - {name: sales.example, authentication: [hq], accounting: [hq]}
	pools:
	  - {name: guests, ranges: [10.30.0.0/24]}
	radius:%s
	`, nasSecret, radiusGroup("hq", radius)))
	const request = "Access-Request\nPacket-Src-IP-Address = %s\nUser-Name = \"alice@sales.example\"\n%s\nMessage-Authenticator = 0x00\nProxy-State = 0x7031\nProxy-State = 0x7032"
	const reply = `Access-Accept
		Message-Authenticator =* ANY
		Class =* ANY
		Class == 0x726564
		Session-Timeout == 3600
		Acct-Interim-Interval == 600
		Framed-IP-Address == 10.40.0.7
		Framed-Route == "10.50.0.0/24 0.0.0.0 1"
		Proxy-State == 0x7031
		Proxy-State == 0x7032
		`
	const mikrotik = reply + "Mikrotik-Rate-Limit == \"2M/10M\""
	w.asks("1812", nasSecret, fmt.Sprintf(request, "127.0.0.2", `User-Password = "secret"`), mikrotik)
	w.asks("1812", nasSecret, fmt.Sprintf(request, "127.0.0.2", `CHAP-Password = "secret"`), mikrotik)
	w.asks("1812", nasSecret, fmt.Sprintf(request, "127.0.0.3", `User-Password = "secret"`), reply+`
		Cisco-AVPair == "lcp:interface-config#1=rate-limit input 2000000 375000 750000 conform-action transmit exceed-action drop"
		Cisco-AVPair == "lcp:interface-config#2=rate-limit output 10000000 1875000 3750000 conform-action transmit exceed-action drop"`)
	w.asks("1812", nasSecret, fmt.Sprintf(request, "127.0.0.2", `User-Password = "sesame"`),
		"Access-Reject\nMessage-Authenticator =* ANY\nProxy-State == 0x7031\nProxy-State == 0x7032")

	w.asks("1812", nasSecret, byMSCHAPv2, inByMSCHAPv2+"Acct-Interim-Interval == 600")

	const who = "\nidentity=\"alice@sales.example\"\npassword=\"secret\"\nfragment_size=300\n"
	ca := fmt.Sprintf("ca_cert=%q\n", radius.Certificates().CA)
	for name, network := range map[string]string{
		"PEAP": "eap=PEAP\nphase2=\"auth=MSCHAPV2\"" + who + ca, "MSCHAPv2": "eap=MSCHAPV2" + who, "TTLS": "eap=TTLS\nphase2=\"auth=PAP\"" + who + ca,
	} {
		if said, in := w.eapol(network); !in {
			t.Errorf("%s: she is not in\n%s", name, said)
		}
		if said, in := w.eapol(strings.Replace(network, `"secret"`, `"sesame"`, 1)); in {
			t.Errorf("%s: with a wrong password\n%s", name, said)
		}
	}

	// Records go on to the same server, with the class that it gave.
	call := w.router("127.0.0.2").opens(alice, "secret", "31")
	call.tells(statusStart)
	call.tells(statusStop, number(46, 60))
	eventually(t, "FreeRADIUS has both records", func() bool {
		detail := radius.Detail()
		return strings.Contains(detail, "Acct-Status-Type = Start") && strings.Contains(detail, "Acct-Status-Type = Stop") &&
			strings.Contains(detail, `Class = 0x726564`)
	})
	s.stop()
}

// FreeRADIUS stands in front of lnsgate as a proxy: who its NASes are is known all the same, EAP passes through it, and so do records.
func TestFreeRADIUSProxiesToLnsgate(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(strings.Replace(strictOffice, "name: auto, source: 127.0.0.2/32", "name: relay, source: 127.0.0.1/32", 1))
	relay := radtest.Start(t, radtest.Options{Namespace: w.hq, Home: radtest.Home{
		Access: netip.MustParseAddrPort("127.0.0.1:1812"), Records: netip.MustParseAddrPort("127.0.0.1:1813"), Secret: nasSecret,
	}})
	port := func(a netip.AddrPort) string { return fmt.Sprint(a.Port()) }
	const request = "Access-Request\nUser-Name = \"anna@sales.example\"\nNAS-Identifier = \"ap-7\"\nProxy-State = 0x70\nMessage-Authenticator = 0x00\n"
	w.asks(port(relay.Auth()), relay.Secret(), request+`User-Password = "Anna@1234"`,
		"Access-Accept\nClass =* ANY\nFramed-IP-Address =* ANY\nAcct-Interim-Interval == 600\nProxy-State == 0x70\nMessage-Authenticator =* ANY")
	w.asks(port(relay.Auth()), relay.Secret(), request+`User-Password = "Anna@1235"`, "Access-Reject\nProxy-State == 0x70\nMessage-Authenticator =* ANY")
	w.asks(port(relay.Acct()), relay.Secret(), `Accounting-Request
		Acct-Status-Type = Start
		User-Name = "anna@sales.example"
		Acct-Session-Id = "0001"
		NAS-IP-Address = 198.51.100.7
		NAS-Identifier = "ap-7"`, "Accounting-Response")
	if shown := s.session(anna); shown.NAS != "relay/ap-7" {
		t.Errorf("%+v", shown)
	}
	network := eapMethods(filepath.Join(s.folder, "eap", "ca.pem"))["PEAP/MSCHAPv2"]
	network = strings.Replace(network, "domain_match", "#domain_match", 1) // it has the name of the machine
	if said, in := w.eapol(network, "-p", port(relay.Auth()), "-s", relay.Secret()); !in {
		t.Errorf("PEAP through a proxy:\n%s", said)
	}
	s.stop()
}
