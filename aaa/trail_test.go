package aaa_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
)

// clock goes on by a second each time it is looked at.
func clock() func() time.Time {
	now := time.Unix(1000, 0)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

// served is a back end whose answers come from a server.
type served struct{ *aaatest.Fake }

func (s served) Authenticate(ctx context.Context, q *aaa.Query) (aaa.Grant, error) {
	aaa.TrailOf(ctx).AnsweredBy("radius1", 300*time.Millisecond, 2)
	return s.Fake.Authenticate(ctx, q)
}

func TestTrailTellsWhoWasAskedAndWhatTheySaid(t *testing.T) {
	server, broken, last := served{aaatest.NewFake("hq")}, aaatest.NewFake("broken"), aaatest.NewFake("local")
	server.SetOther(aaatest.Answer{Err: unknown})
	broken.SetOther(aaatest.Answer{Err: errBroken})
	last.SetOther(aaatest.Answer{})
	g := mustGateway(t, aaa.Config{DefaultDomain: "hq", Backends: []aaa.Backend{server, broken, last}, Domains: []aaa.Domain{
		{Name: "hq", Chain: []string{"hq", "broken", "local"}, ContinueOnError: true},
	}})
	trail := aaa.Trail{Now: clock()}
	ctx := aaa.WithTrail(context.Background(), &trail)
	if _, err := g.Authenticate(ctx, &aaa.Request{Name: "bob", Proof: aaa.Proof{Method: aaa.PAP}}); err != nil {
		t.Fatal(err)
	}
	if trail.Domain != "hq" || trail.Rule != "default domain" {
		t.Errorf("domain %q by %q", trail.Domain, trail.Rule)
	}
	want := []aaa.Asked{
		{Backend: "hq", Took: time.Second, Answer: "no: unknown user: not here", Server: "radius1", After: 300 * time.Millisecond, Sendings: 2},
		{Backend: "broken", Took: time.Second, Answer: "it could not be asked: connection refused"},
		{Backend: "local", Took: time.Second, Answer: "yes"},
	}
	if !reflect.DeepEqual(trail.Asked, want) {
		t.Errorf("asked %+v\nwant  %+v", trail.Asked, want)
	}
}

func TestTrailOfWhatEndsEarly(t *testing.T) {
	more, late := aaatest.NewFake("more"), aaatest.NewFake("late")
	more.SetOther(aaatest.Answer{Err: &aaa.Challenge{}})
	late.SetOther(aaatest.Answer{Err: aaa.Reject(aaa.Timeout, "4 s")})
	g := mustGateway(t, aaa.Config{DefaultDomain: "more", Backends: []aaa.Backend{more, late}, Domains: []aaa.Domain{
		{Name: "more", Chain: []string{"more"}}, {Name: "late", Chain: []string{"late"}}, {Name: "off", Chain: []string{"more"}, Blocked: true},
	}})
	for name, want := range map[string]aaa.Trail{
		"bob":         {Domain: "more", Rule: "default domain", Asked: []aaa.Asked{{Backend: "more", Took: time.Second, Answer: "it wants to hear more of the peer"}}},
		"bob@late":    {Domain: "late", Rule: `domain in the name "bob@late"`, Asked: []aaa.Asked{{Backend: "late", Took: time.Second, Answer: "it could not be asked: timed out: 4 s"}}},
		"bob@off":     {Domain: "off", Rule: `domain in the name "bob@off"`},
		"bob@nowhere": {},
		"":            {},
	} {
		trail := aaa.Trail{Now: clock()}
		g.Authenticate(aaa.WithTrail(context.Background(), &trail), &aaa.Request{Name: name, Proof: aaa.Proof{Method: aaa.PAP}})
		trail.Now = nil
		if !reflect.DeepEqual(trail, want) {
			t.Errorf("%q left %+v, want %+v", name, trail, want)
		}
	}
}

func TestNoTrailTakesNoNotes(t *testing.T) {
	g, _ := departments(t, "default")
	if _, err := g.Authenticate(context.Background(), &aaa.Request{Name: "bob", Proof: aaa.Proof{Method: aaa.PAP}}); err != nil {
		t.Fatal(err)
	}
	if aaa.TrailOf(context.Background()) != nil {
		t.Error("a context without a trail has one")
	}
	aaa.TrailOf(context.Background()).AnsweredBy("nobody", 0, 0)
}
