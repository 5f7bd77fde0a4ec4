package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lnsgate/test/netns"

	"golang.org/x/sys/unix"
)

// beLnsgate makes the test binary run as lnsgate itself: the demo starts its own binary again, as server and client.
const beLnsgate = "TEST_BINARY_IS_LNSGATE"

func init() {
	if os.Getenv(beLnsgate) == "1" {
		main()
		os.Exit(0)
	}
}

func testBinary(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// demoProcess is this binary as lnsgate demo.
func demoProcess(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	netns.RequireTUN(t)
	command := exec.Command(testBinary(t), append([]string{"demo"}, args...)...)
	// The race detector makes every process wait for a second at its end.
	command.Env = append(os.Environ(), beLnsgate+"=1", "GORACE=atexit_sleep_ms=0")
	return command
}

// nothingLeft checks namespaces, folder and processes. The last may still be ending when the demo was killed.
func nothingLeft(t *testing.T) {
	t.Helper()
	for _, name := range demoNames {
		if _, err := os.Stat("/run/netns/" + name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the namespace %s is left: %v", name, err)
		}
	}
	if _, err := os.Stat(demoFolder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %s is left: %v", demoFolder, err)
	}
	for _, pid := range demoChildren(t) {
		t.Errorf("process %d is left", pid)
	}
}

// demoChildren finds the processes that a demo of this test binary has started.
func demoChildren(t *testing.T) []int {
	t.Helper()
	self := testBinary(t)
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, file := range files {
		line, err := os.ReadFile(file)
		words := strings.Split(string(line), "\x00")
		if err != nil || len(words) < 2 || words[0] != self || words[1] != "serve" && words[1] != "dial" {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(file, "/")[2])
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, pid)
	}
	return found
}

func TestDemoTellsProgramsThatEverythingWorked(t *testing.T) {
	command := demoProcess(t, "--json")
	var stderr strings.Builder
	command.Stderr = &stderr
	began := time.Now()
	out, err := command.Output()
	if err != nil || stderr.Len() > 0 {
		t.Errorf("%v, on standard error: %q", err, stderr.String())
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
	var r demoReport
	decoder := json.NewDecoder(bytes.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Errorf("more than one object: %s", out)
	}
	if !r.OK || r.Error != "" || !r.HTTPOK || r.PingMS <= 0 {
		t.Errorf("got %+v", r)
	}
	if r.Address != "10.10.1.10" || r.HTTPSource != r.Address {
		t.Errorf("address %q, the server saw %q", r.Address, r.HTTPSource)
	}
	if !strings.Contains(r.RejectedReason, "wrong password") {
		t.Errorf("rejected_reason %q", r.RejectedReason)
	}
	checkDemoSteps(t, r.Steps)
	nothingLeft(t)
}

// checkDemoSteps looks for the phases, and for the messages that make a login, in their order.
func checkDemoSteps(t *testing.T, steps []demoStep) {
	t.Helper()
	var phases, messages []string
	for i, s := range steps {
		if i > 0 && s.TimeMS < steps[i-1].TimeMS {
			t.Errorf("step %d goes back in time: %+v after %+v", i, s, steps[i-1])
		}
		if s.From == s.To || s.Message == "" {
			t.Errorf("step %d: %+v", i, s)
		}
		if !slices.Contains(phases, s.Phase) {
			phases = append(phases, s.Phase)
		}
		messages = append(messages, s.Message)
	}
	want := []string{"tunnel", "session", "lcp", "authentication", "ipcp", "ping", "http", "wrong password", "goodbye"}
	if !slices.Equal(phases, want) {
		t.Errorf("phases %q, want %q", phases, want)
	}
	at := 0
	for _, message := range []string{"SCCRQ", "SCCRP", "SCCCN", "ICRQ", "ICRP", "ICCN", "LCP Configure-Ack", "CHAP Challenge",
		"CHAP Response", "CHAP Success", "IPCP Configure-Ack", "CHAP Failure", "LCP Terminate-Request", "StopCCN"} {
		next := slices.Index(messages[at:], message)
		if next < 0 {
			t.Errorf("no %s after %q", message, messages[:at])
			continue
		}
		at += next + 1
	}
}

func TestDemoTellsPeopleWithinAHundredColumns(t *testing.T) {
	out, err := demoProcess(t).CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	lines := strings.Split(string(out), "\n")
	for _, line := range lines {
		if len(line) > demoWidth || strings.TrimRight(line, " ") != line || strings.Contains(line, "\x1b") {
			t.Errorf("not fit to be shown: %q", line)
		}
	}
	if len(lines) > 80 {
		t.Errorf("%d lines are more than a person reads", len(lines))
	}
	for _, part := range []string{"RFC 2661", "RFC 1661", "RFC 1994", "RFC 1332", "The client is 10.10.1.10 now",
		`"Welcome to headquarters, 10.10.1.10."`, "wrong password", "Nothing is left", "Everything worked"} {
		if !strings.Contains(string(out), part) {
			t.Errorf("no word of %q in:\n%s", part, out)
		}
	}
	nothingLeft(t)
}

// startDemo runs the demo until it has printed a line that contains the mark.
func startDemo(t *testing.T, mark string, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	command := demoProcess(t, args...)
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = t.Output()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill() })
	reader := bufio.NewReader(output)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			t.Fatalf("it ended before it said %q: %v", mark, err)
		}
		if strings.Contains(line, mark) {
			return command, reader
		}
	}
}

func TestDemoLeavesNothingWhenInterrupted(t *testing.T) {
	for _, c := range []struct {
		name, mark string
		args       []string
		worked     bool
	}{
		{"at the beginning", "A client dials", nil, false},
		{"while it is kept", "Ctrl-C ends it", []string{"--keep"}, true},
		{"while it is kept for a program", `"ok":true`, []string{"--keep", "--json"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			command, output := startDemo(t, c.mark, c.args...)
			if err := command.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(output)
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Wait(); (err == nil) != c.worked {
				t.Errorf("%v:\n%s", err, rest)
			}
			nothingLeft(t)
		})
	}
}

func TestDemoLeavesNothingWhenNobodyReadsOn(t *testing.T) {
	netns.RequireTUN(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := demoProcess(t)
	command.Stdout, command.Stderr = writer, t.Output()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if _, err := reader.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	reader.Close()
	if err := command.Wait(); err == nil {
		t.Error("it says that everything worked, and nobody saw it")
	}
	nothingLeft(t)
}

func TestDemoRunsAgainAfterAKill(t *testing.T) {
	command, _ := startDemo(t, "Ctrl-C ends it", "--keep")
	children := demoChildren(t)
	if len(children) != 2 {
		t.Errorf("processes %v, want a server and a client", children)
	}
	var ends []int // descriptors that are readable when a child has ended
	for _, pid := range children {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		ends = append(ends, fd)
	}
	if out, err := demoProcess(t).CombinedOutput(); err == nil || !strings.Contains(string(out), "another lnsgate demo") {
		t.Errorf("a second demo at the same time: %v:\n%s", err, out)
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	command.Wait()
	for i, fd := range ends {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 5000)
		if n != 1 || err != nil {
			t.Errorf("process %d has outlived its demo: %v", children[i], err)
		}
	}
	if out, err := demoProcess(t).CombinedOutput(); err != nil {
		t.Errorf("after the kill: %v:\n%s", err, out)
	}
	nothingLeft(t)
}

func TestDemoSaysWhatIsMissing(t *testing.T) {
	netns.RequireCommand(t, "setpriv")
	command := exec.Command("setpriv", "--bounding-set=-all", "--inh-caps=-all", testBinary(t), "demo", "--json")
	command.Env = demoProcess(t).Env
	out, err := command.Output()
	var r demoReport
	if err == nil || json.Unmarshal(out, &r) != nil || r.OK || !strings.Contains(r.Error, "sudo lnsgate demo") {
		t.Errorf("%v: %s", err, out)
	}
	nothingLeft(t)
}

func TestInternetChecksum(t *testing.T) {
	request := echoRequest(0x1234, 7)
	if internetChecksum(request) != 0 {
		t.Errorf("the checksum of %x does not come out even", request)
	}
	if isEchoReply(request, 0x1234, 7) {
		t.Error("our own request is taken for the answer")
	}
	request[0] = icmpEchoReply
	if !isEchoReply(request, 0x1234, 7) || isEchoReply(request, 0x1234, 8) || isEchoReply(request[:7], 0x1234, 7) {
		t.Error("an answer is not known, or a wrong one is")
	}
}

func TestDemoLinesComeWholeHoweverTheyAreWritten(t *testing.T) {
	var got []string
	l := &demoLines{each: func(line []byte) { got = append(got, string(line)) }}
	for _, piece := range []string{"a", "b\nc", "\n\nd\n1\n2\n3\n", "unfinished"} {
		if n, err := l.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := []string{"ab", "c", "", "d", "1", "2", "3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := "\nd\n1\n2\n3"; l.String() != want {
		t.Errorf("remembered %q, want %q", l.String(), want)
	}
}

func TestWrapWords(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, []string{""}},
		{"one two three", 7, []string{"one two", "three"}},
		{"incomprehensibilities a b", 5, []string{"incomprehensibilities", "a b"}},
	} {
		if got := wrapWords(c.text, c.width); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}
