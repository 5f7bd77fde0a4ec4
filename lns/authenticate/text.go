package authenticate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is how long a text for the peer gets, in octets: what PAP has room for (RFC 1334 section 2.2.2).
const maxText = 255

// shown makes a server's text fit to be shown to a person by whatever program stands at the other end: one line, printable,
// valid UTF-8, not longer than maxText.
func shown(text string) string {
	text = strings.TrimRight(text, "\x00")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, text[:min(len(text), 2*maxText)])
	for len(text) > maxText {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return strings.TrimRight(text, " ")
}
