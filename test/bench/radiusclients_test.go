package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"lnsgate/aaa/radius/wire"

	"layeh.com/radius"
)

// What the responder says must convince everybody, else nobody waits for it and there is no round trip to measure.
func TestResponderSignsItsReplies(t *testing.T) {
	l := radiusLoad{secret: []byte(tripSecret)}
	sign := newSigner(l.secret)
	for id := range 3 { // a signer is used again and again
		request := l.request(byte(id), id+1)
		reply := sign.accept(request)
		if !l.answers(reply, request) {
			t.Errorf("%x does not answer %x", reply, request)
		}
		v, err := wire.NewKey(tripSecret).VerifyReply(reply, [16]byte(request[authenticatorAt:]))
		if err != nil || !v.Signed || v.Code() != radius.CodeAccessAccept {
			t.Errorf("%x: %+v, %v", reply, v, err)
		}
	}
	if n := testing.AllocsPerRun(10, func() { sign.accept(make([]byte, radiusHeader)) }); n != 0 {
		t.Errorf("%v allocations, which the measurement would blame on the client", n)
	}
}

// Each way of asking must notice when the other end does not know the secret.
func TestEveryClientChecksItsReplies(t *testing.T) {
	r, err := newResponder("another secret")
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	mine, err := ours(r.address(), tripSecret)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.close()
	for name, a := range map[string]*asker{"ours": mine, "layeh": library(r.address(), tripSecret)} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := a.ask(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		if a.sockets() != 1 {
			t.Errorf("%s: %d sockets", name, a.sockets())
		}
	}
}

func TestAtOnceCountsAnswersAfterTheLead(t *testing.T) {
	gone, failure := 0, errors.New("no server")
	a := &asker{sockets: func() int { return 1 }, close: func() { gone++ }, ask: func(context.Context, int) error {
		return pass(t.Context(), time.Millisecond)
	}}
	got, err := a.atOnce(t.Context(), 4, 50*time.Millisecond, 50*time.Millisecond)
	if err != nil || got.rate < 100 || got.rate > 4000 || got.p99 < 1 || got.sockets != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	a.ask = func(context.Context, int) error { return failure }
	if _, err := a.atOnce(t.Context(), 4, 0, time.Millisecond); !errors.Is(err, failure) {
		t.Error(err)
	}
}

func TestParseRadclient(t *testing.T) {
	const said = "Packet summary:\n\tAccepted      : 6400\n\tRejected      : 0\n\tLost          : 0\n"
	if n, err := parseRadclient([]byte(said)); n != 6400 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := parseRadclient([]byte("radclient: no such host\n")); err == nil {
		t.Error("no error")
	}
}

func TestQuantile(t *testing.T) {
	var s sample
	for i := range 100 {
		s = append(s, float64(i))
	}
	slices.Reverse(s)
	for part, want := range map[float64]float64{0: 0, 0.5: 50, 0.99: 99, 1: 99} {
		if got := s.quantile(part); got != want {
			t.Errorf("%v: %v, want %v", part, got, want)
		}
	}
}
