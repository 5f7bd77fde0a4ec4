package lns_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
	"lnsgate/lns/ppp"
	"lnsgate/test/simnet"
)

// scapyReads has scapy take each line of hex apart, and tell what it found, a line of JSON each. Scapy has no AVPs, so what it
// tells of a control message is its header and the octets behind.
const scapyReads = `
import sys, json
from scapy.layers.l2tp import L2TP
from scapy.layers.ppp import PPP
for line in sys.stdin:
    b = bytes.fromhex(line)
    p = L2TP(b)
    flags = str(p.hdr).split("+")
    o = dict(control="control" in flags, sequence="sequence" in flags, version=int(p.version), length=p.len, tunnel=p.tunnel_id, session=p.session_id, ns=p.ns, nr=p.nr)
    if o["control"]:
        o["rest"] = len(bytes(p.payload))
    elif PPP in p:
        f = p[PPP]
        o["protocol"] = f.proto
        inner = f.payload
        for name in ("code", "id", "len"):
            if name in inner.fields:
                o[name] = inner.fields[name]
        if "options" in inner.fields:
            o["options"] = [[x.type, len(bytes(x))] for x in inner.fields["options"]]
    o["again"] = bytes(L2TP(bytes(p))) == b
    print(json.dumps(o))
`

// opinion is what scapy tells of one datagram.
type opinion struct {
	Control, Sequence, Again        bool
	Version, Rest                   int
	Length, Tunnel, Session, Ns, Nr *int
	Protocol, Code, ID, Len         *int
	Options                         [][2]int
}

// Scapy is a second opinion on every control message and PPP packet that the server sends.
func TestScapyReadsWhatWeSend(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import scapy.layers.l2tp").Run(); err != nil {
		if os.Getenv("LNSGATE_TEST_ALL") == "1" {
			t.Fatalf("python3-scapy of Debian is needed: %v", err)
		}
		t.Skipf("python3-scapy of Debian is needed: %v", err)
	}
	sent := everythingWeSay(t)
	var question, answer, complaint bytes.Buffer
	for _, b := range sent {
		question.WriteString(hex.EncodeToString(b) + "\n")
	}
	scapy := exec.Command("/usr/bin/python3", "-c", scapyReads)
	scapy.Stdin, scapy.Stdout, scapy.Stderr = &question, &answer, &complaint
	if err := scapy.Run(); err != nil {
		t.Fatalf("%v: %s", err, &complaint)
	}
	read := json.NewDecoder(&answer)
	kinds := map[string]int{}
	for _, b := range sent {
		var o opinion
		if err := read.Decode(&o); err != nil {
			t.Fatal(err)
		}
		kinds[o.compare(t, b)]++
	}
	for _, kind := range []string{"ZLB", "SCCRP", "ICRP", "CDN", "StopCCN", "HELLO", "LCP", "PAP", "CHAP", "EAP", "IPCP", "IPv6CP"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s was sent: %v", kind, kinds)
		}
	}
	t.Logf("%d messages: %v", len(sent), kinds)
}

// compare holds it against what we read of the same octets, and tells what it was.
func (o opinion) compare(t *testing.T, b []byte) string {
	t.Helper()
	h, payload, err := l2tp.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	is := func(what string, theirs *int, ours int) {
		t.Helper()
		if theirs == nil || *theirs != ours {
			t.Errorf("%x: scapy's %s is %v, ours %d", b, what, theirs, ours)
		}
	}
	is("tunnel", o.Tunnel, int(h.Tunnel))
	is("session", o.Session, int(h.Session))
	if !o.Again || o.Version != 2 || o.Control != h.Control || o.Sequence != h.Sequence {
		t.Errorf("%x: scapy reads %+v, we %+v", b, o, h)
	}
	if h.Length {
		is("length", o.Length, len(b))
	}
	if h.Sequence {
		is("Ns", o.Ns, int(h.Ns))
		is("Nr", o.Nr, int(h.Nr))
	}
	if h.Control {
		if o.Rest != len(payload) {
			t.Errorf("%x: scapy leaves %d octets of AVPs, we %d", b, o.Rest, len(payload))
		}
		return l2tp.PeekType(payload).String()
	}
	p, packet, err := ppp.ParseFrame(payload)
	if err != nil {
		t.Fatal(err)
	}
	is("protocol", o.Protocol, int(p))
	if o.Code != nil {
		is("code", o.Code, int(packet[0]))
		is("identifier", o.ID, int(packet[1]))
		is("length", o.Len, int(packet[2])<<8|int(packet[3]))
	}
	o.compareOptions(t, packet)
	return p.String()
}

func (o opinion) compareOptions(t *testing.T, packet []byte) {
	t.Helper()
	rest := packet[4:]
	for _, option := range o.Options {
		if len(rest) < 2 || int(rest[0]) != option[0] || int(rest[1]) != option[1] {
			t.Fatalf("%x: scapy reads options %v", packet, o.Options)
		}
		rest = rest[rest[1]:]
	}
	if o.Options != nil && len(rest) != 0 {
		t.Errorf("%x: scapy reads only options %v", packet, o.Options)
	}
}

// everythingWeSay has people log in by each method, with and without IPv6 and hidden AVPs, be refused, kicked, asked for a sign of
// life, and closed.
func everythingWeSay(t *testing.T) (sent [][]byte) {
	for _, hidden := range []bool{false, true} {
		for _, method := range []aaa.Method{aaa.PAP, aaa.CHAP, aaa.MSCHAPv2, aaa.EAP} {
			change := func(c *lns.Config, d *lns.Deps) {
				c.Templates[0].Methods, c.Templates[0].IPv6 = []aaa.Method{method}, true
				c.Groups[0].AlwaysSequence = hidden
				if hidden {
					c.Groups[0].Secret, c.Groups[0].Authenticate, c.Groups[0].HideAVPs = aaa.NewSecret("hush"), true, true
				}
				if method == aaa.EAP {
					d.AAA = &conversation{}
				}
			}
			runWith(t, fast, change, func(r *rig) {
				(&torture{rig: r}).furnish(t) // which has prefixes
				r.net.Tap(func(d simnet.Datagram) {
					if d.From == serverAddr {
						sent = append(sent, d.Bytes)
					}
				})
				as := func(c *lac.ClientConfig) {
					c.Login.Methods, c.Login.IPv6 = []aaa.Method{method}, true
					if hidden {
						c.Secret, c.HideAVPs = l2tp.Secret("hush"), true
					}
				}
				good, wrong := r.dial(1, "l2tpuser", "Admin@123", as), r.dial(2, "l2tpuser", "wrong", as)
				r.wantUp(good, 5*time.Second)
				r.wantEnd(wrong, 20*time.Second)
				r.sleep(5 * time.Minute) // HELLO and echo
				if _, err := r.server.Kick(context.Background(), "l2tpuser", "lunch"); err != nil {
					t.Error(err)
				}
				r.wantEnd(good, 10*time.Second)
				again := r.dial(3, "l2tpuser", "Admin@123", as)
				r.wantUp(again, 5*time.Second)
				r.server.Close(context.Background())
				r.wantEnd(again, 10*time.Second)
			})
		}
	}
	return sent
}
