package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// demoWidth is how many columns the story may take.
const demoWidth = 100

// demoTeller tells the demo to people.
type demoTeller struct {
	out   io.Writer
	stage string // of the step printed last
	count int    // headings so far
}

func newDemoTeller(out io.Writer) *demoTeller { return &demoTeller{out: out} }

// picture shows who is where.
func (t *demoTeller) picture() {
	const machine = "  %-25s          %-25s          %s\n"
	const cable = "  | %-21s | %s | %-21s | %s | %-21s |\n"
	edge := "+" + strings.Repeat("-", 23) + "+"
	fmt.Fprint(t.out, "A client dials into headquarters. Three network namespaces of this machine play the parts.\n\n")
	fmt.Fprintf(t.out, machine, " "+demoClientName, " "+demoLNSName, " "+demoHeadquartersName)
	fmt.Fprintf(t.out, machine, edge, edge, edge)
	fmt.Fprintf(t.out, cable, "a PC", "internet", "the LNS", " office ", "a web server")
	fmt.Fprintf(t.out, cable, demoClient, "--------", demoLNS+" "+demoGateway, "--------", demoHeadquarters)
	fmt.Fprintf(t.out, cable, "lnsgate dial", "        ", "lnsgate serve", "        ", demoURL)
	fmt.Fprintf(t.out, machine+"\n", edge, edge, edge)
}

// line prints one line.
func (t *demoTeller) line(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }

// command prints what can be typed, or was.
func (t *demoTeller) command(format string, args ...any) { t.line("   "+format, args...) }

// paragraph prints text behind a lead, broken where it gets too wide.
func (t *demoTeller) paragraph(lead, text string) {
	indent := strings.Repeat(" ", len(lead))
	for _, line := range wrapWords(text, demoWidth-len(lead)) {
		fmt.Fprintln(t.out, strings.TrimRight(lead+line, " "))
		lead = indent
	}
}

// wrapWords breaks a text into lines of at most width columns.
func wrapWords(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// heading begins a phase.
func (t *demoTeller) heading(title, explanation string) {
	t.count++
	fmt.Fprintf(t.out, "\n%d. %s: %s\n", t.count, title, explanation)
}

// demoStages explains the stages of a login: a title, what happens, and what the short names stand for.
var demoStages = map[string][3]string{
	"tunnel": {"The tunnel", "client and LNS agree to talk, over UDP port 1701 (RFC 2661, control connection)",
		"SCCRQ, SCCRP, SCCCN: Start-Control-Connection-Request, -Reply, -Connected"},
	"session": {"The session", "one call inside that tunnel, which will carry PPP (RFC 2661, incoming call)",
		"ICRQ, ICRP, ICCN: Incoming-Call-Request, -Reply, -Connected"},
	"lcp":            {"The link", "PPP begins; they agree on packet size and how to log in (RFC 1661, LCP)"},
	"authentication": {"The login", "the client proves that it knows the password without sending it (RFC 1994, CHAP)"},
	"ipcp":           {"The address", "the client asks for any and is given one from the pool (RFC 1332, IPCP)"},
}

// step prints one message of the dialogue, under the heading of its stage.
func (t *demoTeller) step(e demoEvent) {
	if e.Step != t.stage {
		t.stage = e.Step
		words, known := demoStages[e.Step]
		if !known {
			words = [3]string{e.Step}
		}
		t.heading(words[0], words[1])
		if words[2] != "" {
			t.line("   %s", words[2])
		}
	}
	t.bareStep(e)
}

// bareStep prints one message: when, who to whom, what, and its content in words.
func (t *demoTeller) bareStep(e demoEvent) {
	arrow := "client -> LNS"
	if e.From != "client" {
		arrow = "LNS -> client"
	}
	detail := e.Detail
	if e.Again {
		detail = strings.TrimSpace("(again) " + detail)
	}
	_, what, shortened := strings.Cut(e.Message, " ") // the heading names the protocol
	if !shortened || e.Step != t.stage {
		what = e.Message
	}
	t.paragraph(fmt.Sprintf("%7.1f ms  %s  %-17s ", e.Seconds*1000, arrow, what), detail)
}

// up prints what the login has brought.
func (t *demoTeller) up(e demoEvent) {
	t.paragraph("   ==> ", fmt.Sprintf("up after %.1f ms. The client is %s now, on its interface %s; the LNS is %s.",
		e.TookMS, e.Address, demoDevice, e.Peer))
}

func (t *demoTeller) pings(trips []time.Duration) {
	var words []string
	for _, trip := range trips {
		words = append(words, fmt.Sprintf("%.2f ms", milliseconds(trip)))
	}
	t.fact("ping "+demoHeadquarters, strings.Join(words, ", "))
}

func (t *demoTeller) page(p demoPage) {
	t.fact("GET "+demoURL, fmt.Sprintf("%s in %.2f ms: %q", p.status, milliseconds(p.took), p.text))
	t.fact("the server saw", p.source+", an address from the pool: it came through the tunnel")
}

// fact prints a name and what is to be said of it.
func (t *demoTeller) fact(name, value string) {
	t.paragraph(fmt.Sprintf("   %-23s  ", name), value)
}

// refusal puts the two sides of a refused login beside each other.
func (t *demoTeller) refusal(end demoEvent, r demoRefusal) {
	t.fact("the client is told", end.Reason)
	t.fact("the log of the LNS says", fmt.Sprintf("%s: %s", r.Message, r.Cause))
	t.fact("", "(the peer hears the same of an unknown name)")
}

// hints says what can be tried while the demo is kept running.
func (t *demoTeller) hints(self string) {
	inClient := "  ip netns exec " + demoClientName + " "
	socket := " --socket " + demoFile("admin.sock")
	fmt.Fprint(t.out, "\nIt is kept running. Try, as root in another terminal:\n\n",
		inClient, "ping ", demoHeadquarters, "\n",
		inClient, "curl ", demoURL, "\n",
		"  ", self, " show sessions", socket, "\n",
		"  ", self, " show pools", socket, "\n",
		"  ", self, " kick ", demoUser, socket, "\n",
		inClient, self, " dial --server ", demoLNS, " --user ", demoUser, " --password ", demoPassword, "\n",
		"  ip netns exec ", demoLNSName, " tcpdump -n -i internet udp port 1701\n",
		"  cat ", demoFile("lnsgate.yaml"), " ", demoFile("lns.log"), "\n",
		"\nCtrl-C ends it and takes everything away.\n")
}
