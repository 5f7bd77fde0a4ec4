package capture_test

import (
	"bytes"
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/capture"
)

// seen is what tshark makes of a file.
type seen struct {
	malformed []string
	control   []string // names of the control messages, in order, without bare acknowledgements
	ppp       []string // protocols
	comments  []string
	last      string // comment of the last packet
	first     string
	sources   []string
}

func read(t *testing.T, file []byte) seen {
	t.Helper()
	var s seen
	for _, line := range tshark(t, file, "ip.src", "udp.srcport", "l2tp.avp.message_type", "frame.protocols", "frame.comment", "_ws.malformed", "_ws.expert.message") {
		f := strings.Split(line, "|")
		if f[5] != "" || strings.Contains(line, "Malformed") {
			s.malformed = append(s.malformed, line)
		}
		if f[2] != "" {
			s.control = append(s.control, f[2])
		}
		if _, behind, ok := strings.Cut(f[3], "l2tp:ppp:"); ok {
			s.ppp = append(s.ppp, behind)
		}
		if f[4] != "" {
			s.comments = append(s.comments, f[4])
		}
		if s.sources == nil {
			s.first = f[4]
		}
		s.last = f[4]
		s.sources = append(s.sources, f[0]+":"+f[1])
	}
	if len(s.malformed) > 0 {
		t.Errorf("tshark calls packets malformed:\n%s", strings.Join(s.malformed, "\n"))
	}
	return s
}

// control messages by their number: SCCRQ, SCCRP, SCCCN, ICRQ, ICRP, ICCN.
var setup = []string{"1", "2", "3", "10", "11", "12"}

func TestArmedBeforeTheCall(t *testing.T) {
	var file []byte
	run(t, nil, func(r *rig) {
		c := r.arm(capture.Request{By: "test", Filter: capture.Filter{User: "alice"}})
		other, wanted := r.dial(2, "bob", password), r.dial(3, "alice", password)
		r.login(other)
		r.login(wanted)
		r.logout(wanted)
		r.logout(other)
		file = finish(t, c)
	})
	got := read(t, file)
	if len(got.control) < 8 || !slices.Equal(got.control[:6], setup) {
		t.Errorf("control messages: %v", got.control)
	}
	for _, want := range []string{"lcp", "chap", "ipcp"} {
		if !slices.ContainsFunc(got.ppp, func(p string) bool { return strings.Contains(p, want) }) {
			t.Errorf("no %s in %v", want, got.ppp)
		}
	}
	if i := slices.IndexFunc(got.sources, func(s string) bool { return s != "198.51.100.3:1701" && s != serverAddr.String() }); i >= 0 {
		t.Errorf("a packet of %s", got.sources[i])
	}
	if !strings.Contains(got.first, "user alice") || !strings.Contains(got.first, "peer 198.51.100.3:1701") {
		t.Errorf("comment of the first packet: %q", got.first)
	}
	if !strings.Contains(got.last, "verdict") || !strings.Contains(got.last, "alice") {
		t.Errorf("comment of the last packet: %q (of %q)", got.last, got.comments)
	}
	if !slices.ContainsFunc(got.comments, func(c string) bool { return strings.Contains(c, "logged in, address 10.10.1.") }) {
		t.Errorf("comments: %q", got.comments)
	}
}

func TestAFailedAttemptIsWrittenWholeAndNothingElse(t *testing.T) {
	var file []byte
	run(t, nil, func(r *rig) {
		c := r.arm(capture.Request{By: "test", Filter: capture.Filter{Failed: true}})
		good := r.dial(2, "bob", password)
		r.login(good)
		<-r.dial(3, "alice", "not "+password, aaa.PAP).ended
		r.pause(5 * time.Second)
		r.logout(good)
		file = finish(t, c)
	})
	got := read(t, file)
	if len(got.control) < 7 || !slices.Equal(got.control[:6], setup) || slices.Contains(got.sources, "198.51.100.2:1701") {
		t.Errorf("control messages %v of %v", got.control, got.sources)
	}
	if !strings.Contains(got.last, "verdict wrong-password") || !strings.Contains(got.last, "What to do (user)") {
		t.Errorf("comment of the last packet: %q (of %q)", got.last, got.comments)
	}
}

func TestATunnelThatNeverBecomesACall(t *testing.T) {
	var file []byte
	run(t, func(c *lns.Config) { c.Groups[0].Sources = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} }, func(r *rig) {
		c := r.arm(capture.Request{By: "test", Filter: capture.Filter{Failed: true}})
		<-r.dial(3, "alice", password).ended
		r.pause(5 * time.Second)
		file = finish(t, c)
	})
	got := read(t, file)
	if len(got.control) < 2 || !slices.Equal(got.control[:2], []string{"1", "4"}) || !strings.Contains(strings.Join(got.comments, "\n"), "verdict no-group") {
		t.Errorf("%v with %q", got.control, got.comments)
	}
}

func TestASessionThatIsOpenAlready(t *testing.T) {
	var file []byte
	run(t, nil, func(r *rig) {
		open, other := r.dial(3, "carol@sales", password), r.dial(2, "bob", password)
		r.login(open)
		r.login(other)
		c := r.arm(capture.Request{By: "test", Filter: capture.Filter{Domain: "SALES"}})
		r.pause(2 * time.Minute)
		r.logout(open)
		r.logout(other)
		file = finish(t, c)
	})
	got := read(t, file)
	if len(got.ppp) < 4 || slices.Contains(got.sources, "198.51.100.2:1701") {
		t.Errorf("%v of %v", got.ppp, got.sources)
	}
	if !strings.Contains(got.first, "user carol@sales, domain sales") || !strings.Contains(got.last, "verdict") {
		t.Errorf("comments: %q", got.comments)
	}
}

func TestAPeerIsCapturedWhateverBecomesOfIt(t *testing.T) {
	var file []byte
	run(t, nil, func(r *rig) {
		c := r.arm(capture.Request{By: "test", Filter: capture.Filter{Peer: netip.MustParsePrefix("198.51.100.3/32")}})
		end := r.net.Endpoint(nil, netip.MustParseAddrPort("198.51.100.3:1701"))
		must(t, wire{end}.Send([]byte{0xc8, 0x02, 0, 12, 0, 99, 0, 0, 0, 0, 0, 0})) // for a tunnel that does not exist
		r.pause(time.Second)
		dialled := r.dialFrom(end, "alice", password)
		r.login(dialled)
		r.pause(time.Minute)
		file = finish(t, c)
		r.logout(dialled)
	})
	got := read(t, file)
	if len(got.control) < 6 || !slices.Equal(got.control[:6], setup) || len(got.sources) < 20 {
		t.Errorf("%v: %v", got.control, got.sources)
	}
	if all := strings.Join(got.comments, "\n"); !strings.Contains(all, "peer 198.51.100.3:1701") || !strings.Contains(all, "user alice") ||
		!strings.Contains(got.last, "open when the capture ended") {
		t.Errorf("comments: %q", got.comments)
	}
}

func TestCountEndsACapture(t *testing.T) {
	var file []byte
	run(t, nil, func(r *rig) {
		c := r.arm(capture.Request{By: "test", Filter: capture.Filter{User: "alice"}, Limit: 5})
		d := r.dial(3, "alice", password)
		r.login(d)
		if left := r.hub.List(); len(left) != 0 {
			t.Errorf("still under way: %+v", left)
		}
		r.logout(d)
		file = finish(t, c)
	})
	if got := read(t, file); len(got.sources) != 5 {
		t.Errorf("%d packets", len(got.sources))
	}
}

// Secrets are not in the file unless that was asked for, whichever method the peer uses, and the tunnel's are not either.
func TestSecretsAreMaskedUnlessAsked(t *testing.T) {
	withSecret := func(c *lns.Config) { c.Groups[0].Authenticate = true }
	for _, method := range []aaa.Method{aaa.PAP, aaa.CHAP, aaa.MSCHAPv2} {
		var masked, plain []byte
		run(t, withSecret, func(r *rig) {
			m := r.arm(capture.Request{By: "test", Filter: capture.Filter{User: "alice"}})
			p := r.arm(capture.Request{By: "test", Filter: capture.Filter{User: "alice"}, Shown: capture.Shown{Secrets: true}})
			d := r.dial(3, "alice", password, method)
			r.login(d)
			r.logout(d)
			masked, plain = finish(t, m), finish(t, p)
		})
		if method == aaa.PAP && (bytes.Contains(masked, []byte(password)) || !bytes.Contains(plain, []byte(password))) {
			t.Error("the password of PAP is in the masked file, or not in the other")
		}
		zeros := regexp.MustCompile(`^[0|,]*$`)
		for _, line := range tshark(t, masked, "pap.password", "chap.value", "l2tp.avp.chap_challenge", "l2tp.avp.chap_challenge_response") {
			if !zeros.MatchString(strings.ReplaceAll(line, `\000`, "0")) {
				t.Errorf("%s: %q", method, line)
			}
		}
		if a, b := len(masked), len(plain); a < 2000 || a != b {
			t.Errorf("%s: %d masked octets, %d others", method, a, b)
		}
	}
}

// Where the ids that the server assigns are hidden, they are found out by what else passes.
func TestHiddenIDs(t *testing.T) {
	var file []byte
	hide := func(c *lns.Config) { c.Groups[0].Authenticate, c.Groups[0].HideAVPs = true, true }
	run(t, hide, func(r *rig) {
		c := r.arm(capture.Request{By: "test", Filter: capture.Filter{User: "alice"}})
		other, wanted := r.dial(2, "bob", password), r.dial(3, "alice", password)
		r.login(other)
		r.login(wanted)
		r.logout(wanted)
		file = finish(t, c)
		r.logout(other)
	})
	got := read(t, file)
	if len(got.control) < 8 || len(got.ppp) < 12 || slices.Contains(got.sources, "198.51.100.2:1701") || !strings.Contains(got.last, "verdict") {
		t.Errorf("%v, %v of %v, %q", got.control, got.ppp, got.sources, got.last)
	}
}

func TestUserDataIsLeftOutUnlessAsked(t *testing.T) {
	const content = "what nobody else should read"
	packet := udpPacket(content)
	files := make(map[capture.Data][]byte)
	run(t, nil, func(r *rig) {
		armed := make(map[capture.Data]*capture.Capture)
		for _, d := range []capture.Data{capture.NoData, capture.DataHeaders, capture.WholeData} {
			armed[d] = r.arm(capture.Request{By: "test", Filter: capture.Filter{User: "alice"}, Shown: capture.Shown{Data: d}})
		}
		end, otherEnd := r.endpoint(3), r.endpoint(2)
		d, other := r.dialFrom(end, "alice", password), r.dialFrom(otherEnd, "bob", password)
		r.login(d)
		r.login(other)
		for _, spec := range r.path.Specs() {
			sender := end
			if spec.Path.Remote == otherEnd.Addr() {
				sender = otherEnd
			}
			must(t, wire{sender}.Send(dataMessage(spec.Key.Tunnel, spec.Key.Session, packet)))
			must(t, r.sender.SendBatch(spec.Path, [][]byte{dataMessage(spec.PeerTunnel, spec.PeerSession, packet)}))
		}
		r.pause(time.Second)
		r.logout(d)
		r.logout(other)
		for amount, c := range armed {
			files[amount] = finish(t, c)
		}
	})
	for amount, file := range files {
		want := 0
		if amount != capture.NoData {
			want = 2
		}
		if n := bytes.Count(file, packet[:28]); n != want {
			t.Errorf("%s: %d packets of the user, want %d", amount, n, want)
		}
		if whole := bytes.Contains(file, []byte(content)); whole != (amount == capture.WholeData) {
			t.Errorf("%s: the content is in the file: %t", amount, whole)
		}
	}
}

// dataMessage is a data message of a session that carries an IPv4 packet.
func dataMessage(tunnel, session uint16, packet []byte) []byte {
	b := []byte{0x00, 0x02, byte(tunnel >> 8), byte(tunnel), byte(session >> 8), byte(session), 0xff, 0x03, 0x00, 0x21}
	return append(b, packet...)
}

func udpPacket(content string) []byte {
	n := byte(28 + len(content))
	b := []byte{0x45, 0, 0, n, 0, 0, 0, 0, 64, 17, 0, 0, 10, 10, 1, 10, 10, 10, 0, 1, 0x30, 0x39, 0x30, 0x39, 0, n - 20, 0, 0}
	return append(b, content...)
}

// When the server stops, its goodbye and the verdict that it makes are in the file.
func TestTheEndOfTheServerIsInTheFile(t *testing.T) {
	var file []byte
	run(t, nil, func(r *rig) {
		c := r.arm(capture.Request{By: "test", Filter: capture.Filter{User: "alice"}})
		d := r.dial(3, "alice", password)
		r.login(d)
		r.server.Close(context.Background())
		must(t, r.hub.Close())
		file = finish(t, c)
	})
	if !bytes.Contains(file, []byte("verdict shutdown")) {
		t.Errorf("%q", file[len(file)-400:])
	}
}
