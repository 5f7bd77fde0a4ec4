package eapserver

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/eap"
)

// way is one way to log in, as eapol_test is told of it.
type way struct {
	lines     string
	arguments []string
}

// ways are all that are offered. The people's CA signs for alice.
func (r *rig) ways(name string) map[string]way {
	who := words("identity", quoted(name), "password", quoted(password))
	outside := words("identity", quoted(name), "password", quoted(password), "anonymous_identity", `"anonymous"`,
		"ca_cert", quoted(r.ca), "domain_match", quoted(serverName))
	certificate, key := r.people.sign(named(name))
	card := words("identity", quoted(name), "ca_cert", quoted(r.ca), "client_cert", quoted(certificate), "private_key", quoted(key))
	all := map[string]way{
		"MD5":      {"eap=MD5\n" + who, []string{"-n"}}, // it has no keys
		"MSCHAPv2": {"eap=MSCHAPV2\n" + who, nil},
		"TLS 1.2":  {"eap=TLS\n" + card, nil},
		"TLS 1.3":  {"eap=TLS\nphase1=\"tls_disable_tlsv1_3=0\"\n" + card, nil},
	}
	for name, inside := range map[string]string{
		"PEAP/MSCHAPv2": "PEAP auth=MSCHAPV2", "PEAP/GTC": "PEAP auth=GTC", "TTLS/PAP": "TTLS auth=PAP", "TTLS/CHAP": "TTLS auth=CHAP",
		"TTLS/MSCHAP": "TTLS auth=MSCHAP", "TTLS/MSCHAPv2": "TTLS auth=MSCHAPV2", "TTLS/EAP-MSCHAPv2": "TTLS autheap=MSCHAPV2",
		"TTLS/EAP-MD5": "TTLS autheap=MD5", "TTLS/EAP-GTC": "TTLS autheap=GTC",
	} {
		all[name] = way{"eap=" + inside[:4] + "\nphase2=" + quoted(inside[5:]) + "\n" + outside, nil}
	}
	return all
}

// eapol_test compares the keys that the NAS gets with its own, unless it is told not to.
func TestEachMethodLetsAliceIn(t *testing.T) {
	r := newRig(t, nil)
	for name, w := range r.ways("alice@dept.example") {
		t.Run(name, func(t *testing.T) {
			said, in := r.try(w.lines, w.arguments...)
			if !in {
				t.Fatalf("she is not in; %v\n%s", r.last().no, said)
			}
			d := r.last().decision
			if d.Account != "alice@dept.example" || d.Domain != "dept.example" || d.Keys.Receive.IsZero() != (name == "MD5") {
				t.Errorf("%+v", d)
			}
			if version := "TLSv" + strings.TrimPrefix(name, "TLS "); strings.HasPrefix(name, "TLS ") && !strings.Contains(said, "Using TLS version "+version) {
				t.Errorf("it is not %s", version)
			}
			// The NAS gets to know who is in where only the tunnel tells.
			hidden := strings.Contains(name, "/")
			if told := d.UserName == "alice@dept.example"; told != hidden || (d.Inner != "") != hidden {
				t.Errorf("user name %q, inner name %q", d.UserName, d.Inner)
			}
		})
	}
}

func TestFragmentsOfAnySize(t *testing.T) {
	for _, server := range []int{64, 100, 1020, 1400} {
		r := newRig(t, func(c *eap.Config) { c.FragmentSize = server })
		ways := r.ways("alice@dept.example")
		for _, client := range []int{100, 500, 1000, 1400} {
			for _, name := range []string{"TLS 1.2", "TLS 1.3", "PEAP/MSCHAPv2", "TTLS/PAP"} {
				t.Run(fmt.Sprintf("%d of %d, %s", server, client, name), func(t *testing.T) {
					if said, in := r.try(ways[name].lines + fmt.Sprintf("\nfragment_size=%d", client)); !in {
						t.Errorf("not in; %v\n%s", r.last().no, said)
					}
				})
			}
		}
	}
}

// The MTU that the NAS tells bounds what it has to carry.
func TestSmallFramedMTU(t *testing.T) {
	r := newRig(t, nil)
	for name, w := range r.ways("alice@dept.example") {
		said, in := r.try(w.lines, append(w.arguments, "-N12:d:200")...)
		if !in {
			t.Errorf("%s: not in; %v", name, r.last().no)
		}
		for line := range strings.Lines(said) {
			var n int
			if _, err := fmt.Sscanf(line, "decapsulated EAP packet (code=1 id=%d len=%d)", new(int), &n); err == nil && n > 200 {
				t.Errorf("%s: a packet of %d octets", name, n)
			}
		}
	}
}

// Whatever the reason, the supplicant hears the same.
func TestWhoIsNotLetIn(t *testing.T) {
	r := newRig(t, nil)
	ways := r.ways("alice@dept.example")
	for _, c := range []struct {
		what        string
		old, better string // in the lines of alice
		cause       aaa.Cause
	}{
		{"a wrong password", password, "sesame", aaa.WrongPassword},
		{"nobody", "alice@dept.example", "nobody@dept.example", aaa.UnknownUser},
		{"somebody who is switched off", "alice@dept.example", "carol", aaa.AccountDisabled},
		{"no such domain", "alice@dept.example", "alice@elsewhere.example", aaa.UnknownDomain},
		{"a domain without EAP", "alice@dept.example", "alice@noeap.example", aaa.MethodNotAllowed},
		{"a near miss", "alice@dept.example", "Alice@dept.example", aaa.UnknownUser},
	} {
		for name, w := range ways {
			if strings.HasPrefix(name, "TLS") {
				continue
			}
			t.Run(c.what+"/"+name, func(t *testing.T) {
				said, in := r.try(strings.ReplaceAll(w.lines, c.old, c.better), w.arguments...)
				if no := r.last().no; in || no == nil || no.Cause != c.cause {
					t.Errorf("in: %v, %v", in, no)
				}
				if !strings.Contains(said, "code=3 (Access-Reject)") || !strings.Contains(said, "decapsulated EAP packet (code=4") {
					t.Errorf("it does not hear so:\n%s", said)
				}
				if strings.Contains(name, "MSCHAPv2") && name != "TTLS/MSCHAPv2" && !strings.Contains(said, "error 691") {
					t.Errorf("it does not hear why:\n%s", said)
				}
			})
		}
	}
}

func TestCertificatesThatAreNotAccepted(t *testing.T) {
	r := newRig(t, nil)
	stranger := newAuthority(t)
	const alice = "alice@dept.example"
	for what, c := range map[string]struct {
		by     *authority
		change func(*x509.Certificate)
		detail string
	}{
		"of another CA":    {stranger, named(alice), "is not accepted"},
		"that has ended":   {r.people, func(c *x509.Certificate) { named(alice)(c); c.NotAfter = time.Now().Add(-time.Hour) }, "expired"},
		"of somebody else": {r.people, named("bob@dept.example"), "is of bob@dept.example, not of"},
		"of a server": {r.people, func(c *x509.Certificate) {
			named(alice)(c)
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, "incompatible key usage"},
		"whose common name is not all": {r.people, func(c *x509.Certificate) {
			named("bob@dept.example")(c)
			c.Subject = pkix.Name{CommonName: alice}
		}, "not of"},
	} {
		for version, phase1 := range map[string]string{"1.2": "", "1.3": "\nphase1=\"tls_disable_tlsv1_3=0\""} {
			t.Run(what+"/"+version, func(t *testing.T) {
				certificate, key := c.by.sign(c.change)
				said, in := r.try("eap=TLS\n" + words("identity", quoted(alice), "ca_cert", quoted(r.ca), "client_cert", quoted(certificate), "private_key", quoted(key)) + phase1)
				no := r.last().no
				if in || no == nil || no.Cause != aaa.MalformedProof || !strings.Contains(no.Detail, c.detail) {
					t.Errorf("in: %v, %v", in, no)
				}
				if !strings.Contains(said, "decapsulated EAP packet (code=4") {
					t.Errorf("it does not hear so:\n%s", said)
				}
			})
		}
	}
}

// A certificate is no account: who is switched off, unknown, or in a domain without EAP is not let in.
func TestACertificateNeedsAnAccount(t *testing.T) {
	r := newRig(t, nil)
	for name, cause := range map[string]aaa.Cause{"carol": aaa.AccountDisabled, "nobody@dept.example": aaa.UnknownUser, "alice@noeap.example": aaa.MethodNotAllowed,
		"alice@onlyeap.example": aaa.CauseNone, "bob": aaa.CauseNone} {
		certificate, key := r.people.sign(func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: name} })
		_, in := r.try("eap=TLS\n" + words("identity", quoted(name), "ca_cert", quoted(r.ca), "client_cert", quoted(certificate), "private_key", quoted(key)))
		no := r.last().no
		if in != (cause == aaa.CauseNone) || !in && (no == nil || no.Cause != cause) {
			t.Errorf("%s: in: %v, %v", name, in, no)
		}
	}
}

// The supplicant does not trust us, and says so.
func TestAWrongCAIsToldToTheAdministrator(t *testing.T) {
	r := newRig(t, nil)
	ways := r.ways("alice@dept.example")
	for _, name := range []string{"TLS 1.2", "TLS 1.3", "PEAP/MSCHAPv2", "TTLS/PAP"} {
		said, in := r.try(strings.ReplaceAll(ways[name].lines, r.ca, r.people.file()))
		if !strings.Contains(said, "decapsulated EAP packet (code=4") {
			t.Errorf("%s: it does not hear that it is over:\n%s", name, said)
		}
		if no := r.last().no; in || no == nil || !strings.Contains(no.Detail, "the peer gave up: remote error: tls: unknown certificate authority; where it does not trust this server") {
			t.Errorf("%s: in: %v, %v", name, in, no)
		}
	}
}

// The name inside has no domain, and so it gets the default one: nobody proves the name outside.
func TestTheDomainOfTheNameOutside(t *testing.T) {
	r := newRig(t, nil)
	const domain = "default"
	for _, outside := range []string{"anonymous@dept.example", "@dept.example", "anonymous"} {
		lines := words("identity", `"bob"`, "password", quoted(password), "anonymous_identity", quoted(outside), "ca_cert", quoted(r.ca))
		for _, method := range []string{"eap=PEAP\nphase2=\"auth=MSCHAPV2\"\n", "eap=TTLS\nphase2=\"auth=PAP\"\n"} {
			_, in := r.try(method + lines)
			if d := r.last().decision; !in || d.Domain != domain || d.Account != "bob" || d.UserName != "bob" {
				t.Errorf("%s from outside %q: %v, %+v", method, outside, r.last().no, d)
			}
		}
	}
}

// What the peer does not want is followed by what it wants.
func TestTheOrderOfMethods(t *testing.T) {
	r := newRig(t, func(c *eap.Config) { c.Methods = []eap.Method{eap.MD5, eap.TTLS, eap.PEAP} })
	ways := r.ways("alice")
	for _, name := range []string{"MD5", "PEAP/MSCHAPv2", "TTLS/PAP"} {
		if _, in := r.try(ways[name].lines, ways[name].arguments...); !in {
			t.Errorf("%s: %v", name, r.last().no)
		}
	}
	_, in := r.try(ways["MSCHAPv2"].lines)
	if no := r.last().no; in || no == nil || no.Cause != aaa.MethodNotAllowed || !strings.Contains(no.Detail, "instead of md5 it wants mschapv2") {
		t.Errorf("in: %v, %v", in, no)
	}
}

// A device whose TLS 1.2 is older than RFC 7627 has no keys that are safe. It is let in where none are needed; what derives a
// challenge from the tunnel does not work.
func TestADeviceWithoutTheExtendedMasterSecret(t *testing.T) {
	r := newRig(t, nil)
	file := filepath.Join(t.TempDir(), "openssl.cnf")
	must(t, os.WriteFile(file, []byte("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nOptions = -ExtendedMasterSecret\n"), 0o600))
	r.environment = []string{"OPENSSL_CONF=" + file}
	ways := r.ways("alice@dept.example")
	for name, want := range map[string]bool{"PEAP/MSCHAPv2": true, "TTLS/PAP": true, "TLS 1.2": true, "TTLS/CHAP": false, "TTLS/MSCHAPv2": false} {
		_, in := r.try(ways[name].lines, "-n")
		last := r.last()
		if in != want || !last.decision.Keys.Receive.IsZero() || !want && !strings.Contains(last.no.Detail, "it can use pap") {
			t.Errorf("%s: %v, %+v", name, in, last)
		}
	}
}
