package main

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lnsgate/test/netns"
	"lnsgate/test/pgtest"

	"go.uber.org/goleak"
)

// Each measurement runs once, at a size that says nothing about speed, and must fill its lines of the table.
func TestEveryMeasurementFillsItsLines(t *testing.T) {
	netns.RequireTUN(t)
	netns.RequireCommand(t, "iperf3")
	netns.RequireCommand(t, "freeradius")
	netns.RequireCommand(t, "nft")
	pgtest.Empty(t) // is there a PostgreSQL?
	defer goleak.VerifyNone(t)
	program := filepath.Join(t.TempDir(), "lnsgate")
	if err := (&bench{program: "", folder: filepath.Dir(program)}).build(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, lines := range map[string]int{"logins": 6, "memory": 3, "throughput": 4, "packets": 6, "paths": 8, "sql": 36, "radius": 14, "radiuslogins": 6, "rates": 16, "hostile": 5, "storm": 6, "stops": 6, "starts": 10} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), []string{
				"--program", program, "--runs", "1", "--logins", "100", "--paced", "50", "--rate", "100", "--sessions", "50",
				"--idle", "100ms", "--transfer", "1s", "--datagrams", "200ms", "--accounts", "400", "--radius", "100", "--people", "20", "--times", "3",
				"--rounds", "1", "--asking", "200ms", "--settle", "50ms", "--limited", "1s", "--hostile", "2000", "--crowd", "1", "--many", "2000", "--alone", name,
			}, &out, t.Output())
			if err != nil {
				t.Fatal(err)
			}
			printed, _, _ := strings.Cut(out.String(), legend)
			rows := strings.Split(printed, "\n| ")[2:] // behind the machine and the head
			if len(rows) != lines {
				t.Fatalf("%d lines, want %d:\n%s", len(rows), lines, &out)
			}
			for _, r := range rows {
				checkRow(t, r)
			}
		})
	}
	t.Run("cost of a packet", func(t *testing.T) { packetsCostNotManyTimesPlainForwarding(t, program) })
}

// checkRow wants a number in the column of the median; only what may well be nothing is allowed to be 0.
func checkRow(t *testing.T, line string) {
	t.Helper()
	cells := strings.Split(line, " | ")
	if len(cells) < 6 {
		t.Errorf("%d cells: %s", len(cells), line)
		return
	}
	number, _, _ := strings.Cut(strings.ReplaceAll(cells[1], ",", ""), " ")
	value, err := strconv.ParseFloat(number, 64)
	mayBeNothing := strings.HasPrefix(cells[0], "processor time") || strings.HasPrefix(cells[0], "packets lost")
	if err != nil || value < 0 || value == 0 && !mayBeNothing {
		t.Errorf("no figure: %s", line)
	}
}

// dearest is how many times the processor time of a packet without a tunnel the server may need for one: a third to one is
// usual. It is so much because a test must not depend on what else runs; what costs a system call more is seen by the tests
// of lns/datapath/tun and lns/transport, which count.
const dearest = 10

// packetsCostNotManyTimesPlainForwarding wants that a packet through the tunnel is not out of all proportion to one that is forwarded without: once of three times is enough.
func packetsCostNotManyTimesPlainForwarding(t *testing.T, program string) {
	b := &bench{program: program, folder: filepath.Dir(program), progress: t.Output(), size: size{datagrams: 500 * time.Millisecond}}
	for range 3 {
		b.figures = collection{}
		if err := b.once(t.Context(), measurement{"packets", "", measurePackets}); err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for _, r := range b.figures.all() {
			if r.beside == allOfPlain {
				ratio := r.values.over(r.reference).median()
				t.Logf("%s: %.2f times that of plain forwarding", r.what, ratio)
				worst = max(worst, ratio)
			}
		}
		if worst > 0 && worst < dearest {
			return
		}
	}
	t.Errorf("a packet costs the server more than %d times what it costs without a tunnel", dearest)
}

func TestFaultyRequestsAreRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"nothing":  {},
		"unknown":  {"speed"},
		"no runs":  {"--runs", "0", "all"},
		"few":      {"--accounts", "10", "--radius", "6", "sql"},
		"bad flag": {"--nonsense", "all"},
	} {
		if err := run(t.Context(), args, t.Output(), t.Output()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestChoose(t *testing.T) {
	all, err := choose([]string{"all"})
	if err != nil || len(all) != len(measurements) {
		t.Errorf("all: %d, %v", len(all), err)
	}
	group, err := choose([]string{"sql"})
	if err != nil || len(group) != 5 || group[0].name != "authorisations" {
		t.Errorf("sql: %v, %v", group, err)
	}
	two, err := choose([]string{"packets", "logins"})
	if err != nil || len(two) != 2 || two[0].name != "packets" || two[1].name != "logins" {
		t.Errorf("two: %v, %v", two, err)
	}
}

func TestReadWhatProgramsPrint(t *testing.T) {
	dialogue := []byte("{\"event\":\"step\"}\nnoise\n{\"event\":\"step\"}\n{\"event\":\"up\",\"address\":\"10.64.0.1\"}\n{\"event\":\"end\"}\n")
	if n := countSteps(dialogue); n != 2 {
		t.Errorf("%d steps", n)
	}
	if a := addressIn(dialogue); a.String() != "10.64.0.1" {
		t.Errorf("address %v", a)
	}
	if a := addressIn(dialogue[:40]); a.IsValid() {
		t.Errorf("address %v out of nothing", a)
	}
	if v, err := parseStream([]byte(`{"end":{"sum_received":{"seconds":10,"bits_per_second":2.5e9}}}`)); err != nil || v.megabits() != 2500 {
		t.Errorf("stream %v, %v", v, err)
	}
	for _, faulty := range []string{"", "{}", `{"error":"unable to connect"}`} {
		if v, err := parseStream([]byte(faulty)); err == nil {
			t.Errorf("%q: %v", faulty, v)
		}
	}
}

// The configuration must be one that the program takes, for thousands of accounts.
func TestConfigurationNamesEveryAccount(t *testing.T) {
	text := configuration(common("/s", "/f", ", datapath: tun"), 3)
	for _, want := range []string{"admin_socket: /s\n", "state_dir: /f\n", "datapath: tun}\n", `{name: user1, password: "Admin@123"}`, "name: user3,"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "user4") {
		t.Error("one account too many")
	}
}
