package trace

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestEveryCauseIsExplained(t *testing.T) {
	names := map[string]Cause{}
	for _, c := range Causes() {
		if other, twice := names[c.Name()]; twice {
			t.Errorf("causes %d and %d are both named %q", c, other, c.Name())
		}
		names[c.Name()] = c
		if strings.Trim(c.Name(), "abcdefghijklmnopqrstuvwxyz-") != "" || c.Name() == "" {
			t.Errorf("cause %d is named %q", c, c.Name())
		}
		for what, words := range map[string]string{"sentence": c.String(), "remedy": c.Remedy()} {
			if len(words) < 4 || len(words) > 250 || strings.HasSuffix(words, ".") || strings.ContainsAny(words, "\n|") {
				t.Errorf("%s: the %s is %q", c.Name(), what, words)
			}
		}
		if c.Stage() >= stageCount || c.Helper() >= helperCount {
			t.Errorf("%s: stage %v, helper %v", c.Name(), c.Stage(), c.Helper())
		}
		if text, err := c.MarshalText(); err != nil || new(Cause).UnmarshalText(text) != nil {
			t.Errorf("%s cannot be written and read back", c.Name())
		}
	}
	if len(names) < 60 {
		t.Errorf("%d causes", len(names))
	}
}

func TestGeneralCausesAreTheirOwn(t *testing.T) {
	for _, c := range Causes() {
		if g := c.General(); g.General() != g {
			t.Errorf("%s is a case of %s, which is one of %s", c.Name(), g.Name(), g.General().Name())
		}
	}
	if Cause(200).General() != Cause(200) || Cause(200).Name() != Unknown.Name() {
		t.Error("a number without a cause")
	}
}

// causeList is the table of causes as a page.
func causeList() string {
	var b strings.Builder
	b.WriteString("# Why a login failed or a session ended\n\n" +
		"Every verdict of `lnsgate explain`, of the log, the table `logins`, the metrics and the web page is one of these. The name\n" +
		"stays the same from version to version. This page is made from the code: `go test ./lns/trace -update`.\n")
	for stage := StageTunnel; stage < stageCount; stage++ {
		fmt.Fprintf(&b, "\n## %s\n\n| name | what it means | what to do | who |\n|---|---|---|---|\n", stage)
		for _, c := range Causes() {
			if c.Stage() == stage && c != Unknown {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.Name(), c, c.Remedy(), c.Helper())
			}
		}
	}
	fmt.Fprintf(&b, "\nOnly a fault of lnsgate itself is `%s`: %s.\n", Unknown.Name(), Unknown.Remedy())
	return b.String()
}

func TestTheListOfCausesIsThatOfTheCode(t *testing.T) {
	want := causeList()
	if *update {
		if err := os.WriteFile("CAUSES.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("CAUSES.md"); err != nil || string(got) != want {
		t.Errorf("CAUSES.md is not what the code says (%v): go test ./lns/trace -update", err)
	}
}

// The README names all causes, by stage.
func TestTheReadmeNamesEveryCause(t *testing.T) {
	const path, begin, end = "../../README.md", "-update -->\n", "<!-- causes end -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatal("the marks are gone")
	}
	want := before + begin + causeNames() + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Errorf("the causes in the README are not those of the code: go test ./lns/trace -update")
	}
}

// causeNames is a list of the causes by stage.
func causeNames() string {
	var b strings.Builder
	for stage := StageTunnel; stage < stageCount; stage++ {
		line := fmt.Sprintf("- %s:", stage)
		for _, c := range Causes() {
			if c.Stage() != stage || c == Unknown {
				continue
			}
			if word := " " + c.Name(); len(line)+len(word) > 127 {
				b.WriteString(line + "\n")
				line = " " + word
			} else {
				line += word
			}
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
