package aaa_test

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
)

// unknown, wrong and broken are what a back end may say no with.
var (
	unknown   = aaa.Reject(aaa.UnknownUser, "not here")
	wrong     = aaa.Reject(aaa.WrongPassword, "")
	errBroken = errors.New("connection refused")
)

func mustGateway(t *testing.T, cfg aaa.Config) *aaa.Gateway {
	t.Helper()
	g, err := aaa.NewGateway(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// departments is a gateway with three domains and one back end that grants everybody.
func departments(t *testing.T, defaultDomain string) (*aaa.Gateway, *aaatest.Fake) {
	fake := aaatest.NewFake("fake")
	fake.SetOther(aaatest.Answer{})
	chain := []string{"fake"}
	return mustGateway(t, aaa.Config{
		DefaultDomain: defaultDomain,
		Backends:      []aaa.Backend{fake},
		Domains: []aaa.Domain{
			{Name: "default", Chain: chain},
			{Name: "Sales", Aliases: []string{"Vertrieb", "s.example"}, Chain: chain, VirtualTemplate: "vt2"},
			{Name: "secure", Chain: chain, Methods: []aaa.Method{aaa.MSCHAPv2}},
		},
	}), fake
}

func TestDomainIsChosenByTheFirstRuleThatApplies(t *testing.T) {
	for _, test := range []struct {
		name, forced, group, global string
		domain, rule                string
	}{
		{"bob", "", "", "default", "default", "default domain"},
		{"bob", "", "sales", "default", "Sales", `default domain of l2tp group "g1"`},
		{"bob", "", "VERTRIEB", "default", "Sales", `default domain of l2tp group "g1", alias "vertrieb" of "Sales"`},
		{"bob@sales", "", "default", "default", "Sales", `domain in the name "bob@sales"`},
		{"bob@SALES", "", "", "", "Sales", `domain in the name "bob@SALES"`},
		{"bob@vertrieb", "", "", "", "Sales", `domain in the name "bob@vertrieb", alias "vertrieb" of "Sales"`},
		{`SALES\bob`, "", "", "", "Sales", `domain in the name "SALES\\bob"`},
		{"bob@sales", "default", "sales", "Sales", "default", `forced by l2tp group "g1"`},
		{"bob@nowhere", "default", "", "", "default", `forced by l2tp group "g1"`},
	} {
		g, _ := departments(t, test.global)
		d, err := g.Authenticate(context.Background(), &aaa.Request{
			Name: test.name, Group: "g1", ForcedDomain: test.forced, DefaultDomain: test.group, Proof: aaa.Proof{Method: aaa.PAP},
		})
		if err != nil || d.Domain != test.domain || d.Rule != test.rule {
			t.Errorf("%+v: domain %q by %q, %v", test, d.Domain, d.Rule, err)
		}
	}
}

func TestWhoIsAskedFirst(t *testing.T) {
	g, _ := departments(t, "default")
	for _, test := range []struct {
		request aaa.Request
		want    string
	}{
		{aaa.Request{Name: "bob"}, "fake"},
		{aaa.Request{Name: "bob@sales", Backend: "fake"}, "fake"},
		{aaa.Request{Name: "bob@sales", Backend: "gone"}, ""},
		{aaa.Request{Name: "bob@nowhere"}, ""},
		{aaa.Request{Name: "b ob"}, ""},
	} {
		if got := g.First(&test.request); got != test.want {
			t.Errorf("%+v: %q", test.request, got)
		}
	}
}

func TestTheRuleOfARADIUSClientNamesIt(t *testing.T) {
	g, _ := departments(t, "")
	for want, r := range map[string]*aaa.Request{
		`forced by RADIUS client "ap"`:         {Name: "bob", ForcedDomain: "sales"},
		`default domain of RADIUS client "ap"`: {Name: "bob", DefaultDomain: "sales"},
	} {
		r.Group, r.NAS, r.Proof.Method = "ap", &aaa.NAS{}, aaa.PAP
		if d, err := g.Authenticate(context.Background(), r); err != nil || d.Rule != want {
			t.Errorf("%q, %v; want %q", d.Rule, err, want)
		}
	}
}

func TestAnUnknownDomainIsNeverTheDefault(t *testing.T) {
	for _, test := range []struct {
		request aaa.Request
		global  string
		detail  string
	}{
		{aaa.Request{Name: "bob@nowhere"}, "default", `no domain "nowhere"`},
		{aaa.Request{Name: "bob@salse"}, "default", `there is one named "sales"`},
		{aaa.Request{Name: `CORP\bob`}, "default", `no domain "corp"`},
		{aaa.Request{Name: "bob@sales", ForcedDomain: "gone", Group: "g1"}, "default", `no domain "gone" (forced by l2tp group "g1")`},
		{aaa.Request{Name: "bob", DefaultDomain: "gone", Group: "g1"}, "default", `no domain "gone" (default domain of l2tp group "g1")`},
		{aaa.Request{Name: "bob"}, "", "no default domain is set"},
	} {
		g, fake := departments(t, test.global)
		test.request.Proof.Method = aaa.PAP
		d, err := g.Authenticate(context.Background(), &test.request)
		r := rejection(t, err)
		if r.Cause != aaa.UnknownDomain || !strings.Contains(r.Detail, test.detail) || !reflect.DeepEqual(d, aaa.Decision{}) {
			t.Errorf("%+v: %v", test.request, err)
		}
		if len(fake.Calls()) != 0 {
			t.Errorf("%+v: a back end was asked", test.request)
		}
	}
}

func TestAFarDomainNameIsNotSuggested(t *testing.T) {
	g, _ := departments(t, "")
	for _, typed := range []string{"bob@xyz", "bob@ab", "bob@accounting.example"} {
		_, err := g.Authenticate(context.Background(), &aaa.Request{Name: typed, Proof: aaa.Proof{Method: aaa.PAP}})
		if r := rejection(t, err); strings.Contains(r.Detail, "there is one") {
			t.Errorf("%q: %s", typed, r.Detail)
		}
	}
}

func rejection(t *testing.T, err error) *aaa.Rejection {
	t.Helper()
	var r *aaa.Rejection
	if !errors.As(err, &r) {
		t.Fatalf("error %v, want a *aaa.Rejection", err)
	}
	return r
}

func TestAMalformedNameIsRejectedBeforeAnybodyIsAsked(t *testing.T) {
	g, fake := departments(t, "default")
	_, err := g.Authenticate(context.Background(), &aaa.Request{Name: "bob smith", Proof: aaa.Proof{Method: aaa.PAP}})
	var fault *aaa.NameError
	if r := rejection(t, err); r.Cause != aaa.MalformedName || !errors.As(err, &fault) || len(fake.Calls()) != 0 {
		t.Errorf("%v after %v", err, fake.Calls())
	}
}

func TestADomainAcceptsOnlyItsMethods(t *testing.T) {
	g, fake := departments(t, "default")
	for _, test := range []struct {
		name   string
		method aaa.Method
		ok     bool
	}{
		{"bob@secure", aaa.MSCHAPv2, true}, {"bob@secure", aaa.PAP, false}, {"bob@secure", aaa.CHAP, false},
		{"bob@secure", aaa.MethodNone, false}, {"bob", aaa.PAP, true}, {"bob", aaa.EAP, true}, {"bob", aaa.MethodNone, false},
	} {
		before := len(fake.Calls())
		_, err := g.Authenticate(context.Background(), &aaa.Request{Name: test.name, Proof: aaa.Proof{Method: test.method}})
		if (err == nil) != test.ok {
			t.Errorf("%s by %s: %v", test.name, test.method, err)
		}
		if test.ok {
			continue
		}
		r := rejection(t, err)
		if r.Cause != aaa.MethodNotAllowed || r.Domain == "" || r.Rule == "" || len(fake.Calls()) != before {
			t.Errorf("%s by %s: %+v", test.name, test.method, r)
		}
	}
	if _, err := g.Authorize(context.Background(), &aaa.Request{Name: "bob@secure"}); err != nil {
		t.Errorf("Authorize needs no method: %v", err)
	}
}

func TestTheChainGoesOnOnlyWhenTheUserIsUnknown(t *testing.T) {
	granted := aaatest.Answer{}
	for _, test := range []struct {
		what          string
		first, second aaatest.Answer
		goOn          bool
		cause         aaa.Cause // CauseNone: granted
		backend       string
		asked         int // how many back ends
	}{
		{"the first grants", granted, granted, false, aaa.CauseNone, "first", 1},
		{"the first does not know", aaatest.Answer{Err: unknown}, granted, false, aaa.CauseNone, "second", 2},
		{"nobody knows", aaatest.Answer{Err: unknown}, aaatest.Answer{Err: unknown}, false, aaa.UnknownUser, "first, second", 2},
		{"the password is wrong at the first", aaatest.Answer{Err: wrong}, granted, true, aaa.WrongPassword, "first", 1},
		{"the first is broken", aaatest.Answer{Err: errBroken}, granted, false, aaa.BackendUnavailable, "first", 1},
		{"the first is broken, go on", aaatest.Answer{Err: errBroken}, granted, true, aaa.CauseNone, "second", 2},
		{"broken, then unknown", aaatest.Answer{Err: errBroken}, aaatest.Answer{Err: unknown}, true, aaa.BackendUnavailable, "first", 2},
		{"broken, then wrong", aaatest.Answer{Err: errBroken}, aaatest.Answer{Err: wrong}, true, aaa.WrongPassword, "second", 2},
		{"it says itself that it timed out", aaatest.Answer{Err: aaa.Reject(aaa.Timeout, "")}, granted, true, aaa.CauseNone, "second", 2},
		{"its own deadline passed", aaatest.Answer{Err: context.DeadlineExceeded}, granted, false, aaa.Timeout, "first", 1},
	} {
		first, second := aaatest.NewFake("first"), aaatest.NewFake("second")
		first.SetOther(test.first)
		second.SetOther(test.second)
		g := mustGateway(t, aaa.Config{
			Backends: []aaa.Backend{second, first}, DefaultDomain: "d",
			Domains: []aaa.Domain{{Name: "d", Chain: []string{"first", "second"}, ContinueOnError: test.goOn}},
		})
		d, err := g.Authenticate(context.Background(), &aaa.Request{Name: "bob", Proof: aaa.Proof{Method: aaa.PAP}})
		if asked := len(first.Calls()) + len(second.Calls()); asked != test.asked {
			t.Errorf("%s: %d back ends were asked", test.what, asked)
		}
		if test.cause == aaa.CauseNone {
			if err != nil || d.Backend != test.backend {
				t.Errorf("%s: %+v, %v", test.what, d, err)
			}
			continue
		}
		if r := rejection(t, err); r.Cause != test.cause || r.Backend != test.backend || r.Domain != "d" || r.Rule == "" {
			t.Errorf("%s: %+v", test.what, r)
		}
	}
	if unknown.Backend != "" || unknown.Domain != "" || unknown.Detail != "not here" {
		t.Errorf("the gateway wrote into a back end's rejection: %+v", unknown)
	}
}

func TestAnEndedContextEndsTheChain(t *testing.T) {
	fake := aaatest.NewFake("fake")
	fake.SetOther(aaatest.Answer{Wait: make(chan struct{})})
	next := aaatest.NewFake("next")
	g := mustGateway(t, aaa.Config{
		Backends: []aaa.Backend{fake, next}, DefaultDomain: "d",
		Domains: []aaa.Domain{{Name: "d", Chain: []string{"fake", "next"}, ContinueOnError: true}},
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := g.Authenticate(ctx, &aaa.Request{Name: "bob", Proof: aaa.Proof{Method: aaa.PAP}})
	r := rejection(t, err)
	if r.Cause != aaa.Timeout || !r.Retryable() || !errors.Is(err, context.DeadlineExceeded) || len(next.Calls()) != 0 {
		t.Errorf("%+v, next asked %d times", r, len(next.Calls()))
	}
}

func TestTheAccountGoesBeforeTheDomain(t *testing.T) {
	addr := netip.MustParseAddr
	domain := aaa.Domain{
		Name: "d", Chain: []string{"fake"}, Pools: []string{"p1"}, MTU: 1400, SessionTimeout: time.Hour, IdleTimeout: time.Minute,
		DNS: [2]netip.Addr{addr("10.0.0.1"), addr("10.0.0.2")}, NBNS: [2]netip.Addr{addr("10.0.0.3")}, VirtualTemplate: "vt2",
	}
	own := aaa.Grant{
		Account: "stored", Address: addr("10.9.9.9"), Pools: []string{"p2", "p3"}, MTU: 1300, SessionTimeout: time.Second,
		IdleTimeout: 2 * time.Second, DNS: [2]netip.Addr{addr("10.0.0.7")}, NBNS: [2]netip.Addr{1: addr("10.0.0.8")}, Reply: "S=1",
	}
	fake := aaatest.NewFake("fake")
	fake.Set("plain", aaatest.Answer{})
	fake.Set("own", aaatest.Answer{Grant: own})
	g := mustGateway(t, aaa.Config{Backends: []aaa.Backend{fake}, DefaultDomain: "d", Domains: []aaa.Domain{domain}})

	for name, want := range map[string]aaa.Decision{
		"plain": {
			Account: "plain", Domain: "d", Pools: domain.Pools, DNS: domain.DNS, NBNS: domain.NBNS, MTU: 1400,
			SessionTimeout: time.Hour, IdleTimeout: time.Minute, VirtualTemplate: "vt2", Backend: "fake", Rule: "default domain",
		},
		"own": {
			Account: "stored", Domain: "d", Address: own.Address, Pools: own.Pools, DNS: own.DNS, NBNS: own.NBNS, MTU: 1300,
			SessionTimeout: time.Second, IdleTimeout: 2 * time.Second, VirtualTemplate: "vt2", Reply: "S=1", Backend: "fake",
			Rule: "default domain",
		},
	} {
		r := &aaa.Request{Name: name, VirtualTemplate: "vt1", Proof: aaa.Proof{Method: aaa.PAP}}
		got, err := g.Authenticate(context.Background(), r)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, want\n%+v, %v", name, got, want, err)
		}
		if want.Reply = ""; name == "own" {
			got, err = g.Authorize(context.Background(), r)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("authorize %s:\n%+v, want\n%+v, %v", name, got, want, err)
			}
		}
	}
}

func TestADecisionIsMemoryOfItsOwn(t *testing.T) {
	fake := aaatest.NewFake("fake")
	fake.SetOther(aaatest.Answer{})
	pools := []string{"p1", "p2"}
	g := mustGateway(t, aaa.Config{
		Backends: []aaa.Backend{fake}, DefaultDomain: "d", Domains: []aaa.Domain{{Name: "d", Chain: []string{"fake"}, Pools: pools}},
	})
	pools[0] = "changed in the configuration"
	r := &aaa.Request{Name: "bob", VirtualTemplate: "vt1", Proof: aaa.Proof{Method: aaa.PAP}}
	d, _ := g.Authenticate(context.Background(), r)
	d.Pools[1] = "changed in the decision"
	d, _ = g.Authenticate(context.Background(), r)
	if !reflect.DeepEqual(d.Pools, []string{"p1", "p2"}) || d.VirtualTemplate != "vt1" {
		t.Errorf("%+v", d)
	}
}
