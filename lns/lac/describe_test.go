package lac

import "testing"

func TestVerdictWords(t *testing.T) {
	for in, want := range map[string]string{
		"Authentication failed":               "Authentication failed",
		"E=691 R=0 C=00112233 V=3 M=Bad luck": "error 691 (name or password wrong): Bad luck",
		"E=648 R=0 C=00112233 V=3":            "error 648 (password expired)",
		"E=999":                               "error 999",
		"":                                    "",
	} {
		if got := verdictWords(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestEveryStageAndCauseHasItsOwnWords(t *testing.T) {
	seen := map[string]bool{}
	check := func(words string, text []byte, err error) {
		if words == "" || seen[words] || string(text) != words || err != nil {
			t.Errorf("%q is empty, used twice, or %q as text (%v)", words, text, err)
		}
		seen[words] = true
	}
	for s := range stageCount {
		text, err := s.MarshalText()
		check(s.String(), text, err)
	}
	for c := range causeCount {
		text, err := c.MarshalText()
		check(c.String(), text, err)
	}
	for _, unknown := range []string{stageCount.String(), causeCount.String()} {
		check(unknown, []byte(unknown), nil)
	}
	for cause, sentence := range linkSentences {
		if sentence == "" || seen[sentence] {
			t.Errorf("cause %s: sentence %q", cause, sentence)
		}
	}
}
