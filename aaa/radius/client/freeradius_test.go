package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2866"
	"layeh.com/radius/rfc2869"

	"lnsgate/aaa"
	"lnsgate/test/radtest"
)

// everybody gets in and is told who it is, so that an answer to another request shows. mallory does not.
const everybody = `mallory Auth-Type := Reject
DEFAULT Auth-Type := Accept
	Reply-Message := "%{User-Name}"
`

func debian(srv *radtest.Server) Server {
	return Server{Name: "freeradius", Address: srv.Auth().String(), Secret: aaa.NewSecret(srv.Secret()), StatusServer: true}
}

// hello logs in and checks that the answer is for that user.
func hello(ctx context.Context, g *Group, user string) error {
	r := login(user)
	build := r.Build
	r.Build = func(p *radius.Packet) error {
		return errors.Join(build(p), rfc2865.NASIdentifier_SetString(p, "nas"))
	}
	reply, err := g.Exchange(ctx, r)
	if err != nil {
		return err
	}
	if got := rfc2865.ReplyMessage_GetString(reply.Packet); reply.Packet.Code != radius.CodeAccessAccept || got != user {
		return fmt.Errorf("%s got %v for %q", user, reply.Packet.Code, got)
	}
	return nil
}

// FreeRADIUS 3.2.1 signs nothing but EAP: auto logs in and learns nothing, require does not log in and says why.
func TestFreeRADIUSMessageAuthenticator(t *testing.T) {
	srv := radtest.Start(t, radtest.Options{Users: "alice Cleartext-Password := \"secret of alice\"\n"})
	g := group(t, Config{Servers: []Server{debian(srv)}})
	if reply := must(t, g, login("alice"), radius.CodeAccessAccept); reply.Signed {
		t.Error("the reply is signed; this FreeRADIUS is not the one that was expected")
	}
	must(t, g, login("bob"), radius.CodeAccessReject)
	eap := Request{Code: radius.CodeAccessRequest, Build: func(p *radius.Packet) error {
		return errors.Join(rfc2865.UserName_SetString(p, "alice"), rfc2869.EAPMessage_Set(p, []byte("\x02\x01\x00\x0a\x01alice")))
	}}
	if reply := must(t, g, eap, radius.CodeAccessChallenge); !reply.Signed || g.Stats()[0].Signs {
		t.Errorf("EAP: signed %v, learnt %v", reply.Signed, g.Stats()[0].Signs)
	}

	var log logged
	demanding := debian(srv)
	demanding.MessageAuthenticator = Require
	strict := group(t, Config{Log: log.logger(), Servers: []Server{demanding}})
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := strict.Exchange(ctx, login("alice")); !errors.Is(err, ErrSilent) {
		t.Errorf("require: %v", err)
	}
	if got := strict.Stats()[0].Discarded[Unsigned]; got == 0 || !strings.Contains(log.String(), "no Message-Authenticator") {
		t.Errorf("%d unsigned; log:\n%s", got, log.String())
	}
}

func TestFreeRADIUSAccounting(t *testing.T) {
	srv := radtest.Start(t, radtest.Options{})
	s := debian(srv)
	s.Address = srv.Acct().String()
	g := group(t, Config{Servers: []Server{s}, Retry: EndlessRetry()})
	must(t, g, Request{Code: radius.CodeAccountingRequest, Build: func(p *radius.Packet) error {
		return errors.Join(rfc2865.UserName_SetString(p, "alice"), rfc2866.AcctSessionID_SetString(p, "one-and-only"),
			rfc2866.AcctStatusType_Set(p, rfc2866.AcctStatusType_Value_Start), rfc2865.NASIdentifier_SetString(p, "nas"))
	}}, radius.CodeAccountingResponse)
	eventually(t, "the record", func() bool { return strings.Contains(srv.Detail(), "one-and-only") })
}

// The server is stopped and started while many log in. Nobody gets the answer of another, and all get in again.
func TestFreeRADIUSStopAndStartUnderLoad(t *testing.T) {
	srv := radtest.Start(t, radtest.Options{Users: everybody})
	g := group(t, Config{Servers: []Server{debian(srv)}, Retry: RetryConfig{Initial: 200 * time.Millisecond, Max: time.Second, Duration: 3 * time.Second, Jitter: 0.1},
		Health: Health{Zombie: 2 * time.Second, Check: time.Second, Answer: 200 * time.Millisecond, Rest: time.Second}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var good, failed atomic.Int64
	var workers sync.WaitGroup
	for w := range 16 {
		workers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				err := hello(ctx, g, fmt.Sprintf("user-%d-%d", w, i))
				switch {
				case err == nil:
					good.Add(1)
				case errors.Is(err, ErrSilent), errors.Is(err, ErrNoServer), errors.Is(err, context.Canceled):
					failed.Add(1)
					pause(ctx, 10*time.Millisecond)
				default:
					t.Error(err)
				}
			}
		})
	}
	more := func(what string) {
		before := good.Load()
		eventually(t, what, func() bool { return good.Load() > before+200 })
	}
	more("logins")
	srv.Kill() // told to end under load, FreeRADIUS 3.2.1 now and then waits for its threads for ever
	eventually(t, "it is not alive", func() bool { return g.state(0) != Alive })
	srv.Restart()
	more("logins after the restart")
	srv.Pause() // no refusal tells that it is gone
	eventually(t, "it is a zombie or dead", func() bool { s := g.state(0); return s == Zombie || s == Dead })
	srv.Resume()
	more("logins after the pause")
	eventually(t, "it is alive", func() bool { return g.state(0) == Alive })
	cancel()
	workers.Wait()
	t.Logf("%d logins, %d errors: %+v", good.Load(), failed.Load(), g.Stats()[0])
}

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func TestFreeRADIUSStatusServer(t *testing.T) {
	srv := radtest.Start(t, radtest.Options{Users: everybody})
	g := group(t, Config{Servers: []Server{debian(srv)}, Retry: RetryConfig{Initial: 50 * time.Millisecond, Count: 2, Duration: time.Second},
		Health: Health{Zombie: 300 * time.Millisecond, Check: 200 * time.Millisecond, Answer: 100 * time.Millisecond}})
	ctx := context.Background()
	if err := hello(ctx, g, "alice"); err != nil {
		t.Fatal(err)
	}
	srv.Pause()
	if err := hello(ctx, g, "alice"); !errors.Is(err, ErrSilent) {
		t.Errorf("%v", err)
	}
	eventually(t, "it is dead", func() bool { return g.state(0) == Dead })
	srv.Resume()
	eventually(t, "it is alive", func() bool { return g.state(0) == Alive })
	if s := g.Stats()[0]; s.ProbesGood < 3 || s.Discarded[Forged]+s.Discarded[Malformed] != 0 {
		t.Errorf("%+v", s)
	}
}

func TestFreeRADIUSRadSec(t *testing.T) {
	srv := radtest.Start(t, radtest.Options{Users: everybody, RadSec: true})
	g := group(t, Config{Servers: []Server{{Name: "freeradius", Address: srv.RadSec().String(), TLS: srv.TLS(), StatusServer: true}},
		Health: Health{Check: 200 * time.Millisecond}})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for w := range 32 {
		all.Go(func() {
			for i := range 20 {
				if err := hello(ctx, g, fmt.Sprintf("user-%d-%d", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	must(t, g, record(), radius.CodeAccountingResponse)
	if s := g.Stats()[0]; s.Sockets != 1 || s.Cut != 0 || s.Resent != 0 {
		t.Errorf("%+v", s)
	}
	eventually(t, "the watchdog", func() bool { s := g.Stats()[0]; return s.ProbesGood > 2 && s.Sockets == 1 })
	srv.Kill()
	eventually(t, "it is dead", func() bool { return g.state(0) == Dead })
	if err := hello(ctx, g, "alice"); !errors.Is(err, ErrConnection) {
		t.Errorf("%v", err)
	}
	srv.Restart()
	eventually(t, "it can be asked", func() bool { return hello(ctx, g, "alice") == nil })
}
