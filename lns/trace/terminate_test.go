package trace

import "testing"

// Windows ends with its magic number, a mark and the number of its error.
func TestQ33TerminateTextOfWindows(t *testing.T) {
	for data, want := range map[string]string{
		"": "",
		"\x11\x22\x33\x44\x00\x3c\xcd\x74\x00\x00\x02\xdc": "Windows error 732 (the PPP negotiation did not converge)",
		"\x11\x22\x33\x44\x00\x3c\xcd\x74\x00\x00\x03\xe7": "Windows error 999",
		"User request":                     `"User request"`,
		"\x00\x1b[2J":                      `"\x00\x1b[2J"`,
		"\x11\x22\x33\x44\x00\x3c\xcd\x74": `"\x11\"3D\x00<\xcdt"`,
	} {
		if got := TerminateText(data); got != want {
			t.Errorf("%q became %s, want %s", data, got, want)
		}
	}
}
