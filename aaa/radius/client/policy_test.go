package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
)

func signed(r request)   { r.reply(r.answer(radius.CodeAccessAccept, true)) }
func unsigned(r request) { r.reply(r.answer(radius.CodeAccessAccept, false)) }

// refused asks and wants no answer, as all replies are thrown away.
func refused(t *testing.T, g *Group) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	before := g.Stats()[0].Discarded[Unsigned]
	if reply, err := g.Exchange(ctx, login("alice")); !errors.Is(err, ErrSilent) {
		t.Errorf("taken: %+v, %v", reply, err)
	}
	if g.Stats()[0].Discarded[Unsigned] == before {
		t.Error("nothing was thrown away")
	}
}

func TestPolicyAuto(t *testing.T) {
	s := serve(t, unsigned)
	file := filepath.Join(t.TempDir(), "signs.json")
	config := Config{StateFile: file, Servers: []Server{{Address: s.address()}}}
	g := group(t, config)
	must(t, g, login("alice"), radius.CodeAccessAccept)
	s.set(func(r request) { r.reply(r.answer(radius.CodeAccessChallenge, true, text(79, "eap"))) })
	must(t, g, login("alice"), radius.CodeAccessChallenge) // EAP is always signed, and says nothing about the rest
	s.set(unsigned)
	must(t, g, login("alice"), radius.CodeAccessAccept)
	s.set(signed)
	must(t, g, login("alice"), radius.CodeAccessAccept)
	s.set(unsigned)
	refused(t, g)
	if !g.Stats()[0].Signs {
		t.Error("it is not said that the server signs")
	}
	eventually(t, "the file", func() bool { b, _ := os.ReadFile(file); return strings.Contains(string(b), s.address()) })
	g.Close()

	again := group(t, config) // after a restart
	refused(t, again)
	again.Close()
	config.Servers[0].MessageAuthenticator = Off
	must(t, group(t, config), login("alice"), radius.CodeAccessAccept)
}

func TestPolicyRequire(t *testing.T) {
	s := serve(t, func(r request) { unsigned(r); r.reply(r.answer(radius.CodeAccessReject, true)) })
	var log logged
	g := group(t, Config{Log: log.logger(), Servers: []Server{{Name: "dc1", Address: s.address(), MessageAuthenticator: Require}}})
	for range 5 {
		must(t, g, login("alice"), radius.CodeAccessReject)
	}
	eventually(t, "the log", func() bool { return strings.Contains(log.String(), "message_authenticator: off") })
	if got := strings.Count(log.String(), "thrown away"); got != 1 || !strings.Contains(log.String(), "server=dc1") {
		t.Errorf("%d lines:\n%s", got, log.String())
	}
}

func TestPolicyRequireStatusServer(t *testing.T) {
	answer := func(sign bool) func(request) {
		return func(r request) {
			if r.octets[0] == byte(radius.CodeStatusServer) {
				r.reply(r.answer(radius.CodeAccessAccept, sign))
			}
		}
	}
	s := serve(t, answer(false))
	g := group(t, Config{Retry: quick(), Servers: []Server{{Address: s.address(), StatusServer: true, MessageAuthenticator: Require,
		Timeout: 30 * time.Millisecond}}, Health: Health{Zombie: 400 * time.Millisecond, Answer: 20 * time.Millisecond}})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	g.Exchange(ctx, login("alice"))
	eventually(t, "an unsigned answer to Status-Server", func() bool { return g.Stats()[0].Discarded[Unsigned] > 0 })
	if g.state(0) != Zombie {
		t.Errorf("it is %v", g.state(0))
	}
	s.set(answer(true))
	eventually(t, "it is alive", func() bool { return g.state(0) == Alive })
}

// What is there must be right, whatever the policy.
func TestPolicyOffStillChecks(t *testing.T) {
	s := serve(t, func(r request) {
		p := r.packet().Response(radius.CodeAccessAccept)
		p.Add(80, make([]byte, 16))
		b, _ := p.Encode()
		r.reply(b)
		r.reply(r.answer(radius.CodeAccessChallenge, false, text(79, "eap")))
		r.reply(r.answer(radius.CodeAccessReject, false))
	})
	g := group(t, Config{Servers: []Server{{Address: s.address(), MessageAuthenticator: Off}}})
	must(t, g, login("alice"), radius.CodeAccessReject)
	if d := g.Stats()[0].Discarded; d[ForgedMessage] != 1 || d[Unsigned] != 1 {
		t.Errorf("%v", d)
	}
}

func TestStateFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signs.json")
	if signs, err := recall(file); err != nil || signs != nil {
		t.Errorf("no file: %v, %v", signs, err)
	}
	if err := keepInMind(file, []string{"b:1812", "a:1812"}); err != nil {
		t.Fatal(err)
	}
	if signs, err := recall(file); err != nil || strings.Join(signs, " ") != "a:1812 b:1812" {
		t.Errorf("%v, %v", signs, err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(good) - 1 { // the last octet is the end of the line
		if err := os.WriteFile(file, good[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if signs, err := recall(file); err == nil {
			t.Errorf("cut at %d: %v", n, signs)
		}
	}
	if err := os.WriteFile(file, []byte(`{"version":9,"signs":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := recall(file); err == nil {
		t.Error("another version was taken")
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	if err := keepInMind(filepath.Join(file, "no folder"), nil); err == nil {
		t.Error("written where there is no folder")
	}
}

// A reload leaves two groups with one file for a while: neither forgets what the other has learnt.
func TestStateFileKeepsWhatIsSaidOfOthers(t *testing.T) {
	s, unwanted := serve(t, signed), serve(t, signed)
	file := filepath.Join(t.TempDir(), "signs.json")
	if err := keepInMind(file, []string{"192.0.2.1:1812", unwanted.address()}); err != nil {
		t.Fatal(err)
	}
	g := group(t, Config{StateFile: file, Servers: []Server{
		{Address: s.address()}, {Address: unwanted.address(), MessageAuthenticator: Off, Priority: 2},
	}})
	must(t, g, login("alice"), radius.CodeAccessAccept)
	g.Close() // at once: what was learnt last is written all the same
	signs, err := recall(file)
	if want := []string{"192.0.2.1:1812", s.address()}; err != nil || len(signs) != 2 || !slices.Contains(signs, want[0]) || !slices.Contains(signs, want[1]) {
		t.Errorf("%v, %v, not %v", signs, err, want)
	}
}

func TestDamagedStateFileIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signs.json")
	if err := os.WriteFile(file, []byte("\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, signed)
	var log logged
	g := group(t, Config{Log: log.logger(), StateFile: file, Servers: []Server{{Address: s.address()}}})
	must(t, g, login("alice"), radius.CodeAccessAccept)
	if !strings.Contains(log.String(), "cannot be read") || !strings.Contains(log.String(), file) {
		t.Errorf("log:\n%s", log.String())
	}
	eventually(t, "a new file", func() bool { signs, err := recall(file); return err == nil && len(signs) == 1 })
}

func TestSecretsAreNotLogged(t *testing.T) {
	s := serve(t, unsigned)
	var log logged
	g := group(t, Config{Log: log.logger(), Servers: []Server{{Address: s.address()}}})
	reply := must(t, g, login("alice"), radius.CodeAccessAccept)
	if rfc2865.ReplyMessage_GetString(reply.Packet) != "" || strings.Contains(log.String(), secret) {
		t.Errorf("log:\n%s", log.String())
	}
}
