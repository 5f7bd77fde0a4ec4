package arch

import (
	"strings"
	"testing"
)

// Each source below breaks one rule, or nearly: the checker itself must be able to say yes and no.
func TestRules(t *testing.T) {
	tests := []struct {
		name   string
		file   string
		source string
		want   []string // "line rule"; none when the source is as it should be
	}{
		// Imports.
		{"level 0 imports its neighbour", "lns/l2tp/a.go", `import _ "lnsgate/lns/ppp"`, []string{"2 " + ruleImports}},
		{"core imports a contract", "lns/control/a.go", `import _ "lnsgate/lns/l2tp"`, nil},
		{"core imports another core", "lns/control/a.go", `import _ "lnsgate/lns/negotiate"`, []string{"2 " + ruleImports}},
		{"session composes", "lns/session/a.go", "import _ \"lnsgate/lns/negotiate\"\nimport _ \"lnsgate/lns/authenticate\"", nil},
		{"session does not reach up", "lns/session/a.go", `import _ "lnsgate/lns"`, []string{"2 " + ruleImports}},
		{"aaa imports lns", "aaa/local/a.go", `import _ "lnsgate/lns/ppp"`, []string{"2 " + ruleImports}},
		{"pool imports aaa", "pool/memory/a.go", `import _ "lnsgate/aaa"`, []string{"2 " + ruleImports}},
		{"engine imports a driver", "lns/a.go", `import _ "lnsgate/lns/datapath/tun"`, []string{"2 " + ruleImports}},
		{"engine imports the sockets", "lns/a.go", `import _ "lnsgate/lns/transport"`, nil},
		{"admin imports a core", "lns/admin/a.go", `import _ "lnsgate/lns/control"`, []string{"2 " + ruleImports}},
		{"a test puts rooms together", "lns/a_test.go", `import _ "lnsgate/lns/lac"`, nil},
		{"cmd imports everything", "cmd/lnsgate/a.go", "import _ \"lnsgate/configs\"\nimport _ \"lnsgate/lns/host\"", nil},
		{"nobody imports cmd", "lns/lac/a.go", `import _ "lnsgate/cmd/lnsgate"`, []string{"2 " + ruleImports}},
		{"configs from a room", "lns/a.go", `import _ "lnsgate/configs"`, []string{"2 " + ruleConfigs}},
		{"configs from a room's test", "lns/a_test.go", `import _ "lnsgate/configs"`, []string{"2 " + ruleConfigs}},
		{"configs from its own outer test", "configs/a_test.go", `import _ "lnsgate/configs"`, nil},
		{"configs from an end-to-end test", "test/e2e/a_test.go", `import _ "lnsgate/configs"`, nil},
		{"a fake in production", "lns/a.go", `import _ "lnsgate/lns/datapath/datapathtest"`, []string{"2 " + ruleSuites}},
		{"test rooms in production", "lns/lac/a.go", `import _ "lnsgate/test/simnet"`, []string{"2 " + ruleSuites}},
		{"a suite imports its contract", "pool/pooltest/a.go", `import _ "lnsgate/pool"`, nil},
		{"a suite imports what makes its proofs", "aaa/aaatest/a.go", `import _ "lnsgate/aaa/secret"`, nil},
		{"a suite imports a driver", "pool/pooltest/a.go", `import _ "lnsgate/pool/memory"`, []string{"2 " + ruleImports}},
		{"a name that only begins alike", "lns/l2tp/a.go", `import _ "lnsgateway/lns/ppp"`, nil},
		{"a room that nobody planned", "lns/extra/a.go", ``, []string{"0 " + ruleRooms}},

		// Outside libraries.
		{"viper in configs", "configs/a.go", `import _ "github.com/spf13/viper"`, nil},
		{"viper elsewhere", "cmd/lnsgate/a.go", `import _ "github.com/spf13/viper"`, []string{"2 " + ruleLibrary}},
		{"netlink in host", "lns/host/a.go", `import _ "github.com/vishvananda/netlink"`, nil},
		{"netlink below, in the engine", "lns/a.go", `import _ "github.com/vishvananda/netlink/nl"`, []string{"2 " + ruleLibrary}},
		{"netlink in a stranger's test", "lns/a_test.go", `import _ "github.com/vishvananda/netlink"`, []string{"2 " + ruleLibrary}},
		{"pgx by version", "aaa/local/a.go", `import _ "github.com/jackc/pgx/v5"`, []string{"2 " + ruleLibrary}},
		{"pgx in its room", "pool/postgres/a.go", `import _ "github.com/jackc/pgx/v5/pgxpool"`, nil},
		{"radius in secret", "aaa/secret/a.go", `import _ "layeh.com/radius/rfc2759"`, nil},
		{"radius in the contract", "aaa/a.go", `import _ "layeh.com/radius"`, []string{"2 " + ruleLibrary}},
		{"cobra in a room", "lns/admin/a.go", `import _ "github.com/spf13/cobra"`, []string{"2 " + ruleLibrary}},

		// Purity.
		{"sync", "lns/l2tp/a.go", `import _ "sync"`, []string{"2 " + rulePure}},
		{"sync/atomic", "aaa/a.go", `import _ "sync/atomic"`, []string{"2 " + rulePure}},
		{"net", "pool/a.go", `import _ "net"`, []string{"2 " + rulePure}},
		{"net/netip", "pool/a.go", `import _ "net/netip"`, nil},
		{"log/slog", "lns/control/a.go", `import _ "log/slog"`, []string{"2 " + rulePure}},
		{"a logger", "lns/control/a.go", "import \"log/slog\"\nvar l *slog.Logger", []string{"3 " + rulePure}},
		{"a value that describes itself", "aaa/a.go", "import \"log/slog\"\nfunc (s) LogValue() slog.Value { return slog.StringValue(stars) }", nil},
		{"log", "lns/control/a.go", "import \"log\"\nvar l *log.Logger", []string{"2 " + rulePure}},
		{"os", "lns/trace/a.go", `import _ "os"`, []string{"2 " + rulePure}},
		{"x/sys", "lns/datapath/a.go", `import _ "golang.org/x/sys/unix"`, []string{"2 " + rulePure}},
		{"sync in an impure room", "lns/transport/a.go", `import _ "sync"`, nil},
		{"sync in a pure room's test", "pool/a_test.go", `import _ "sync"`, nil},
		{"context is fine", "aaa/a.go", "import \"context\"\nfunc f(ctx context.Context) error { return ctx.Err() }", nil},
		{"context with a clock", "aaa/a.go", "import \"context\"\nvar f = context.WithTimeout", []string{"3 " + rulePure}},
		{"goroutine", "lns/session/a.go", "func f() { go f() }", []string{"2 " + rulePure}},
		{"goroutine in the engine", "lns/a.go", "func f() { go f() }", nil},
		{"channel", "lns/session/a.go", "type t chan int", []string{"2 " + rulePure}},
		{"select", "lns/session/a.go", "func f() { select {} }", []string{"2 " + rulePure}},
		{"send", "lns/session/a.go", "func f() { c <- 1 }", []string{"2 " + rulePure}},
		{"receive", "lns/session/a.go", "func f() { <-c }", []string{"2 " + rulePure}},
		{"time.Now called", "lns/control/a.go", "import \"time\"\nfunc f() time.Time { return time.Now() }", []string{"3 " + rulePure}},
		{"time.Now handed on", "lns/control/a.go", "import \"time\"\nvar now = time.Now", []string{"3 " + rulePure}},
		{"time under another name", "lns/control/a.go", "import t \"time\"\nvar now = t.Now", []string{"3 " + rulePure}},
		{"time by a dot", "lns/control/a.go", "import . \"time\"\nvar now = Now", []string{"2 " + rulePure}},
		{"time as values", "lns/control/a.go", "import \"time\"\nvar d = 3 * time.Second", nil},
		{"a variable named time", "lns/control/a.go", "func f(time clock) { time.Now() }", nil},
		{"crypto in authenticate", "lns/authenticate/a.go", `import _ "crypto/md5"`, []string{"2 " + ruleCrypto}},
		{"crypto in l2tp", "lns/l2tp/a.go", `import _ "crypto/md5"`, nil},

		// Sleep, print, exit.
		{"sleep", "lns/a.go", "import \"time\"\nfunc f() { time.Sleep(1) }", []string{"3 " + ruleNoSleep}},
		{"sleep in a test", "test/e2e/a_test.go", "import \"time\"\nfunc f() { time.Sleep(1) }", []string{"3 " + ruleNoSleep}},
		{"sleep in a bubble", "lns/a_test.go",
			"import \"time\"\nimport \"testing/synctest\"\nfunc f() { synctest.Test(t, func() { time.Sleep(1) }) }", nil},
		{"sleep beside a bubble", "lns/a_test.go",
			"import \"time\"\nimport \"testing/synctest\"\nfunc f() { synctest.Wait() }\nfunc g() { time.Sleep(1) }", []string{"5 " + ruleNoSleep}},
		{"sleep handed on", "lns/a.go", "import \"time\"\nvar wait = time.Sleep", []string{"3 " + ruleNoSleep}},
		{"print in a room", "lns/lac/a.go", "import \"fmt\"\nfunc f() { fmt.Println() }", []string{"3 " + rulePrint}},
		{"print in cmd", "cmd/lnsgate/a.go", "import \"fmt\"\nfunc f() { fmt.Println() }", nil},
		{"exit in a room", "lns/host/a.go", "import \"os\"\nfunc f() { os.Exit(1) }", []string{"3 " + rulePrint}},
		{"exit in TestMain", "lns/host/a_test.go", "import \"os\"\nfunc f() { os.Exit(1) }", nil},

		// Skips.
		{"skip", "lns/host/a_test.go", "func TestA(t *testing.T) { t.Skip() }", []string{"2 " + ruleSkip}},
		{"skipf in a subtest", "lns/host/a_test.go",
			"func TestA(t *testing.T) { t.Run(\"\", func(t *testing.T) {\nt.Skipf(\"no\") }) }", []string{"3 " + ruleSkip}},
		{"skip in the excused helper", "lns/host/a_test.go",
			"func needRoot(t *testing.T) { if os.Getenv(\"LNSGATE_TEST_ALL\") == \"1\" { t.Fatal() }; t.Skip() }", nil},
		{"skip excused by a constant", "lns/host/a_test.go",
			"const all = \"LNSGATE_TEST_ALL\"\nfunc needRoot(t *testing.T) { if os.Getenv(all) == \"1\" { t.Fatal() }; t.Skip() }", nil},
		{"rapid discards an example", "pool/a_test.go", "func f(t *rapid.T) { t.Skip(\"too small\") }", nil},

		// Layout.
		{"doc begins otherwise", "lns/host/doc.go", "", []string{"1 " + ruleDoc}},
		{"unformatted", "lns/host/a.go", "var  x int", []string{"0 " + ruleFormat}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := parse(t, test.file, "package p\n"+test.source)
			got := positions(Check([]*File{file}), file)
			if diff := difference(test.want, got); diff != "" {
				t.Errorf("%s:\n%s\n%s", test.file, test.source, diff)
			}
		})
	}
}

func TestDoc(t *testing.T) {
	tests := []struct {
		name, file, source string
		ok                 bool
	}{
		{"good", "pool/doc.go", "// Package pool is a contract. It does not allocate.\npackage pool\n", true},
		{"no limits", "pool/doc.go", "// Package pool is a contract.\npackage pool\n", false},
		{"other name", "pool/doc.go", "// Package pools is a contract. It does not allocate.\npackage pool\n", false},
		{"no comment", "pool/doc.go", "package pool\n", false},
		{"command", "cmd/lnsgate/doc.go", "// Command lnsgate serves. It does no more.\npackage main\n", true},
		{"no doc.go", "pool/pool.go", "package pool\n", false},
		{"only tests need none", "pool/pool_test.go", "package pool\n", true},
		{"vague name", "lns/util/doc.go", "// Package util is not named.\npackage util\n", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			faults := checkLayout([]*File{parse(t, test.file, test.source)})
			if (len(faults) == 0) != test.ok {
				t.Errorf("faults: %v", faults)
			}
		})
	}
}

func TestFaultNamesRuleFileAndLine(t *testing.T) {
	file := parse(t, "lns/l2tp/a.go", "package l2tp\n\nimport _ \"sync\"\n")
	faults := checkPurity([]*File{file})
	if len(faults) != 1 {
		t.Fatalf("faults: %v", faults)
	}
	for _, part := range []string{"lns/l2tp/a.go:3: ", "must not import sync", rulePure} {
		if text := faults[0].String(); !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}
