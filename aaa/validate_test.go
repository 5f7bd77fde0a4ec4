package aaa_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
)

// paths lists the paths of the faults that are joined in err.
func paths(t *testing.T, err error) []string {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("error %v does not join faults", err)
	}
	var found []string
	for _, e := range joined.Unwrap() {
		var fault *aaa.Fault
		if !errors.As(e, &fault) || fault.Problem == "" {
			t.Fatalf("%v is no fault", e)
		}
		found = append(found, fault.Path)
	}
	return found
}

func TestNewGatewayReportsEveryFaultAtOnce(t *testing.T) {
	local := aaatest.NewFake("local")
	_, err := aaa.NewGateway(aaa.Config{
		Backends:      []aaa.Backend{local, nil, aaatest.NewFake("local"), aaatest.NewFake("")},
		DefaultDomain: "defualt",
		Domains: []aaa.Domain{
			{Name: "default", Chain: []string{"local", "ldap", "local"}},
			{Name: "DEFAULT", Aliases: []string{"sales"}, Chain: nil},
			{Name: "Sales", Chain: []string{"local"}, Aliases: []string{"sales", "a b"}},
			{Name: "", Chain: []string{"local"}, MTU: -1, SessionTimeout: -1, IdleTimeout: -1},
			{Name: "a@b", Chain: []string{"local"}, Methods: []aaa.Method{aaa.PAP, aaa.MethodNone, 99}},
			{Name: ".x", Chain: []string{"local"}},
		},
	})
	want := []string{
		"backends[1]", "backends[2]", "backends[3]",
		"domains[0].authentication[1]", "domains[0].authentication[2]",
		"domains[1].name", "domains[1].authentication",
		"domains[2].name", "domains[2].aliases[0]", "domains[2].aliases[1]",
		"domains[3].name", "domains[3].mtu", "domains[3].session_timeout", "domains[3].idle_timeout",
		"domains[4].name", "domains[4].methods[1]", "domains[4].methods[2]",
		"domains[5].name", "default_domain",
	}
	if got := paths(t, err); !slices.Equal(got, want) {
		t.Errorf("faults at\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(err.Error(), `no back end named "ldap"`) || !strings.Contains(err.Error(), `there is one named "default"`) {
		t.Errorf("%v", err)
	}
}

func TestNewGatewayAcceptsAnAliasAsTheDefault(t *testing.T) {
	_, err := aaa.NewGateway(aaa.Config{
		Backends: []aaa.Backend{aaatest.NewFake("local")}, DefaultDomain: "HQ",
		Domains: []aaa.Domain{{Name: "headquarters", Aliases: []string{"hq"}, Chain: []string{"local"}}},
	})
	if err != nil {
		t.Error(err)
	}
}

func TestEveryCauseAndMethodHasWords(t *testing.T) {
	for c := aaa.CauseNone; c <= aaa.Timeout; c++ {
		if c.String() == "" || strings.HasPrefix(c.String(), "cause ") {
			t.Errorf("cause %d has no words", c)
		}
		r := aaa.Rejection{Cause: c}
		if r.Retryable() != (c == aaa.BackendUnavailable || c == aaa.Timeout) || r.Error() != c.String() {
			t.Errorf("%s: %q, retryable %v", c, r.Error(), r.Retryable())
		}
	}
	for m := aaa.MethodNone; m <= aaa.EAP; m++ {
		if back, err := aaa.ParseMethod(m.String()); err != nil || back != m {
			t.Errorf("%s is read as %s, %v", m, back, err)
		}
	}
	for _, name := range []string{"", "PAP", "chap-md5", "method 9"} {
		if m, err := aaa.ParseMethod(name); err == nil {
			t.Errorf("%q is read as %s", name, m)
		}
	}
	if aaa.Cause(200).String() != "cause 200" || aaa.Method(200).String() != "method 200" {
		t.Error("unknown numbers are not shown")
	}
}
