package aaa

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestASecretPrintsAsStarsEverywhere(t *testing.T) {
	const text = "Admin@123"
	s := NewSecret(text)
	type holder struct {
		Shown  Secret
		hidden Secret
		Ptr    *Secret
	}
	values := []any{s, &s, holder{s, s, &s}, &holder{s, s, &s}, []Secret{s}, map[string]Secret{"k": s}, Proof{Password: s}, Request{Proof: Proof{Password: s}}}
	leaked := func(out string) bool {
		return strings.Contains(out, "Admin") || strings.Contains(out, fmt.Sprintf("%x", text)) ||
			strings.Contains(out, fmt.Sprintf("%X", text))
	}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
			if out := fmt.Sprintf(verb, v); leaked(out) {
				t.Errorf("%s of %T: %s", verb, v, out)
			}
		}
		if out, err := json.Marshal(v); err != nil || leaked(string(out)) {
			t.Errorf("JSON of %T: %s, %v", v, out, err)
		}
		if out, err := yaml.Marshal(v); err != nil || leaked(string(out)) {
			t.Errorf("YAML of %T: %s, %v", v, out, err)
		}
		for _, handler := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).Info("login", "value", v)
			if leaked(b.String()) {
				t.Errorf("slog of %T: %s", v, b.String())
			}
		}
	}
	if fmt.Sprint(s) != stars || s.String() != stars || fmt.Sprint(Secret{}) != stars {
		t.Error("stars are missing, or tell an empty secret apart")
	}
}

func TestSecretHoldsWhatItWasGiven(t *testing.T) {
	for _, text := range []string{"", "a", "ä\x00\xff", strings.Repeat("x", 1000)} {
		s := NewSecret(text)
		if s.Reveal() != text || s.IsZero() != (text == "") {
			t.Errorf("%q: reveals %q, IsZero %v", text, s.Reveal(), s.IsZero())
		}
		if !s.Equal(NewSecret(text)) || s.Equal(NewSecret(text+"x")) {
			t.Errorf("%q: Equal is wrong", text)
		}
	}
	if !(Secret{}).Equal(NewSecret("")) {
		t.Error("two empty secrets differ")
	}
}
