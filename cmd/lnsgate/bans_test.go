package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/configs"
)

// untilSaid calls a function when something is logged.
type untilSaid struct {
	slog.Handler
	message string
	said    func()
}

func (u untilSaid) Enabled(context.Context, slog.Level) bool { return true }

func (u untilSaid) WithAttrs([]slog.Attr) slog.Handler { return u }

func (u untilSaid) Handle(_ context.Context, r slog.Record) error {
	if r.Message == u.message {
		u.said()
	}
	return nil
}

// serving is a running server of that file, until the function that is returned is called.
func serving(t *testing.T, file string) (*node, func()) {
	t.Helper()
	config, _, err := configs.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	serves := make(chan struct{})
	n, err := newNode(config, file, slog.New(untilSaid{slog.DiscardHandler, "serving", sync.OnceFunc(func() { close(serves) })}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.run(ctx, nil) }()
	select {
	case <-serves: // before that nobody can ask for a reload
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	return n, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func (n *node) tryLogin(name, password, from string) (aaa.Decision, error) {
	return n.entrance.Authenticate(context.Background(), &aaa.Request{
		Name: name, Proof: aaa.Proof{Method: aaa.PAP, Password: aaa.NewSecret(password)}, Peer: netip.AddrPortFrom(netip.MustParseAddr(from), 1701),
	})
}

func reasonOf(err error) aaa.Reason {
	if no, ok := errors.AsType[*aaa.Rejection](err); ok {
		return no.Reason
	}
	return aaa.ReasonNone
}

// An operator bans an account of the file and a network, sees both, and lifts one; a restart knows the other.
func TestAnOperatorBans(t *testing.T) {
	file := radiusOnly(t)
	socket := strings.TrimSuffix(file, "lnsgate.yaml") + "admin.sock"
	n, stop := serving(t, file)
	if out, err := lnsgate(t, "bans", "--socket", socket); err != nil || out != "nobody is banned\n" {
		t.Errorf("%q %v", out, err)
	}
	if _, err := n.tryLogin("alice", "Admin@123", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if out, err := lnsgate(t, "bans", "add", "alice", "--for", "1h", "--why", "laptop stolen", "--socket", socket); err != nil || !strings.Contains(out, "alice is banned") {
		t.Errorf("%q %v", out, err)
	}
	if _, err := lnsgate(t, "bans", "add", "203.0.113.7/24", "--socket", socket); err != nil {
		t.Error(err)
	}
	_, err := n.tryLogin("alice", "Admin@123", "192.0.2.1")
	if reasonOf(err) != aaa.AccountBanned || !strings.Contains(err.Error(), "laptop stolen") || !strings.Contains(err.Error(), "until "+time.Now().UTC().Format("2006-")) {
		t.Errorf("%v", err)
	}
	if !n.bans.Banned(netip.MustParseAddr("203.0.113.200"), time.Now()) {
		t.Error("the network is not banned")
	}
	out, err := lnsgate(t, "bans", "--socket", socket)
	lines := strings.Split(out, "\n")
	if err != nil || len(lines) != 4 || !strings.HasPrefix(lines[1], "account  alice") || !strings.HasSuffix(lines[1], "laptop stolen") ||
		!strings.Contains(lines[2], "203.0.113.0/24") || !strings.Contains(lines[2], "lifted") {
		t.Errorf("%s %v", out, err)
	}
	if out, err := lnsgate(t, "bans", "lift", "alice", "--socket", socket); err != nil || out != "alice may log in again\n" {
		t.Errorf("%q %v", out, err)
	}
	if _, err := n.tryLogin("alice", "Admin@123", "192.0.2.1"); err != nil {
		t.Error(err)
	}
	if _, err := lnsgate(t, "bans", "lift", "alice", "--socket", socket); err == nil || !strings.Contains(err.Error(), "not banned") {
		t.Errorf("%v", err)
	}
	if _, err := lnsgate(t, "bans", "add", "bob", "--for", "10ms", "--socket", socket); err == nil {
		t.Error("a ban of 10 ms")
	}
	stop()
	n, stop = serving(t, file)
	defer stop()
	if all := n.bans.List(time.Now()); len(all) != 1 || all[0].Who() != "203.0.113.0/24" {
		t.Errorf("after a restart: %+v", all)
	}
	all := n.figures().Counters()
	for name, want := range map[string]uint64{"bans_now": 1, "guesses_delayed": 0, "bans_refused": 0} {
		if got, there := all[name]; got != want || !there {
			t.Errorf("%s is %d, there: %v", name, got, there)
		}
	}
}

// Accounts of the file are guarded without a database too, by what the file says, and a reload changes that.
func TestGuessesBanAnAccountOfTheFile(t *testing.T) {
	file := radiusOnly(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put := func(failures string) {
		if err := os.WriteFile(file, append(text, "bans: {account_failures: "+failures+", account_time: 1h}\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("3")
	n, stop := serving(t, file)
	defer stop()
	for range 3 {
		if _, err := n.tryLogin("alice", "guess", "192.0.2.1"); reasonOf(err) == aaa.AccountBanned {
			t.Error("banned too early")
		}
	}
	if _, err := n.tryLogin("alice", "Admin@123", "192.0.2.2"); reasonOf(err) != aaa.AccountBanned || !strings.Contains(err.Error(), "3 failed logins in a row") {
		t.Errorf("%v", err)
	}
	put("2")
	if _, err := n.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, _ = n.tryLogin("carol", "guess", "192.0.2.3")
	}
	if _, err := n.tryLogin("carol", "guess", "192.0.2.3"); reasonOf(err) != aaa.AccountBanned {
		t.Errorf("after the reload: %v", err)
	}
}

func TestWhoIsBanned(t *testing.T) {
	for who, want := range map[string]string{
		"bob": "", "bob@sales": "", "203.0.113.7": "203.0.113.7/32", "203.0.113.7/24": "203.0.113.0/24", "2001:db8::1": "2001:db8::1/128",
		"::ffff:192.0.2.1": "192.0.2.1/32", "10.1.2": "", `SALES\bob`: "",
	} {
		account, source := banned(who)
		if want == "" && (account != who || source.IsValid()) || want != "" && (account != "" || source.String() != want) {
			t.Errorf("%s: %q %v", who, account, source)
		}
	}
}
