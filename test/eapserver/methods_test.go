package eapserver

import (
	"strconv"
	"testing"
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

func TestEachMethodLetsAliceIn(t *testing.T) {
	r := newRig(t, nil)
	for name, w := range r.ways("alice@dept.example") {
		t.Run(name, func(t *testing.T) {
			said, in := r.try(w.lines, w.arguments...)
			if !in {
				t.Fatalf("she is not in; %v\n%s", r.last().no, said)
			}
			if d := r.last().decision; d.Account != "alice@dept.example" || d.Domain != "dept.example" {
				t.Errorf("%+v", d)
			}
		})
	}
	_ = strconv.Itoa
}
