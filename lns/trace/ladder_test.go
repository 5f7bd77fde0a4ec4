package trace

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func stories() map[string]Attempt {
	began := time.Date(2026, 11, 24, 8, 31, 2, 0, time.UTC)
	tunnel := []Step{
		{After: 0, Stage: StageTunnel, Actor: Peer, What: "SCCRQ", Detail: `host "laptop", tunnel 7, vendor "Microsoft", window 8`},
		{After: ms(1), Stage: StageTunnel, Actor: LNS, What: "SCCRP", Detail: `host "LNS", tunnel 4711`},
		{After: ms(20), Stage: StageTunnel, Actor: Peer, What: "SCCCN"},
		{After: ms(21), Stage: StageCall, Actor: Peer, What: "ICRQ", Detail: "session 1, serial 0"},
	}
	base := Attempt{ID: "gw1-18c2f-00000007-4711/1", Node: "gw1", Began: began, Peer: netip.MustParseAddrPort("198.51.100.7:1701"),
		HostName: "laptop", Fingerprint: "Windows 10 or 11", Group: "default", Template: "vt1", Tunnel: 4711, Session: 1}
	wrong := base
	wrong.Name, wrong.Method, wrong.Domain, wrong.Rule, wrong.Backend = "alice@sales", "mschapv2", "sales", "the name ends with @sales", "hq"
	wrong.Ended, wrong.Verdict = began.Add(time.Second), Verdict{WrongPassword, "account alice@sales"}
	wrong.Steps = append(tunnel[:4:4],
		Step{After: ms(40), Stage: StageLink, Actor: LNS, What: "LCP Configure-Request", Detail: "MRU 1460, authentication MS-CHAPv2, magic 0badcafe"},
		Step{After: ms(60), Stage: StageLink, Actor: Peer, What: "LCP Configure-Ack", Detail: "MRU 1460, authentication MS-CHAPv2, magic 0badcafe"},
		Step{After: ms(80), Stage: StageAuthentication, Actor: LNS, What: "login", Detail: "name alice@sales, mschapv2"},
		Step{After: ms(92), Stage: StageAuthentication, Actor: LNS, What: "domain", Who: "sales", Detail: "the name ends with @sales"},
		Step{After: ms(92), Stage: StageAuthentication, Actor: Backend, Who: "hq", What: "answer", Detail: "no: wrong password (server radius1)", Took: ms(12)},
		Step{After: ms(93), Stage: StageAuthentication, Actor: LNS, What: "CHAP Failure", Detail: `"E=691 R=0 C=******************************** V=3"`},
		Step{After: ms(1000), Stage: StageEnd, Actor: LNS, What: "end", Detail: wrong.Verdict.String()})
	silent := base
	silent.Ended, silent.Verdict = began.Add(30*time.Second), Verdict{LinkNoAnswer, ""}
	silent.Steps = tunnel[:4:4]
	for i := range 10 {
		silent.Steps = append(silent.Steps, Step{After: ms(40 + 3000*i), Stage: StageLink, Actor: LNS, What: "LCP Configure-Request",
			Detail: "MRU 1460", Again: i > 0})
	}
	silent.LeftOut = 3
	open := base
	open.Name, open.Account, open.Domain, open.Backend = "bob\x1b[2J", "bob", "default", "local"
	open.Address, open.Pool, open.Why = netip.MustParseAddr("10.10.1.10"), "pool1", "it had this address before"
	open.Opened, open.Verdict = began.Add(time.Second), Verdict{Cause: LoggedIn}
	open.Steps = append(tunnel[:4:4],
		Step{After: ms(90), Stage: StageAddress, Actor: Pools, Who: "pool1", What: "lease", Detail: "10.10.1.10, it had this address before", Took: 310 * time.Microsecond},
		Step{After: ms(120), Stage: StageNetwork, Actor: Host, Who: "a-template-with-a-long-name", What: "data path"},
		Step{After: ms(121), Stage: StageOpen, Actor: LNS, What: "open", Detail: "10.10.1.10 on vt1"})
	stranger := Attempt{ID: "gw1-18c2f-t00000009", Began: began, Ended: began.Add(time.Minute), Times: 12,
		Peer: netip.MustParseAddrPort("203.0.113.9:40000"), Verdict: Verdict{NoGroup, `host name "x", address 203.0.113.9`}}
	return map[string]Attempt{"wrong-password": wrong, "silent": silent, "open": open, "stranger": stranger}
}

func TestLadder(t *testing.T) {
	for name, a := range stories() {
		got, judged, _ := strings.Cut(a.Ladder(), "Verdict ")
		judged = strings.Join(strings.Fields(judged), " ")
		for _, words := range []string{a.Verdict.Cause.String(), a.Verdict.Detail, a.Verdict.Cause.Name()} {
			if !strings.Contains(judged, words) {
				t.Errorf("%s: the verdict lacks %q: %s", name, words, judged)
			}
		}
		if by := a.Verdict.Cause.Helper(); by != ByNobody && !(strings.Contains(judged, a.Verdict.Cause.Remedy()) && strings.HasSuffix(judged, "Who "+by.String())) {
			t.Errorf("%s: nobody is told what to do: %s", name, judged)
		}
		file := filepath.Join("testdata", "ladder-"+name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s (%v): go test ./lns/trace -run TestLadder -update, and look at the difference\n%s", name, err, got)
		}
		for line := range strings.Lines(a.Ladder()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 || strings.ContainsRune(line, '\x1b') {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
	}
}

func TestWrapKeepsEveryWord(t *testing.T) {
	for _, text := range []string{"", "a", strings.Repeat("x", 500), strings.Repeat("word ", 99), "  spaces  "} {
		lines := wrap(text, 20)
		for _, line := range lines {
			if utf8.RuneCountInString(line) > 20 {
				t.Errorf("%q is too long", line)
			}
		}
		if got, want := strings.ReplaceAll(strings.Join(lines, ""), " ", ""), strings.ReplaceAll(text, " ", ""); got != want {
			t.Errorf("%q became %q", want, got)
		}
	}
}
