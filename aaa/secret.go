package aaa

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// stars is all that a Secret ever prints. Its width is fixed, so it tells nothing about the length.
const stars = "********"

// Secret is a password or shared secret that prints as stars in logs, errors, JSON, YAML and dumps alike. Only Reveal
// gives it away, so a search for Reveal finds every place that handles the octets. The zero value is the empty secret.
//
// The text is held behind a pointer because fmt does not call the methods of unexported fields: a struct that keeps a
// Secret in one would otherwise print it. A Secret cannot be compared with ==, which would compare the pointers; use
// Equal.
type Secret struct {
	_    [0]func()
	text *string
}

// NewSecret wraps text. The text is kept as it is; it need not be UTF-8.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text in clear. The caller must not log it or put it in an error.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty, that is: not set.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal reports whether both secrets are the same. The time it takes tells neither where they differ nor how long the
// other one is: both are hashed first, and the two digests are compared in constant time.
func (s Secret) Equal(other Secret) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(other.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns stars.
func (s Secret) String() string { return stars }

// GoString returns stars, for %#v.
func (s Secret) GoString() string { return stars }

// Format writes stars, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// MarshalJSON returns stars as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + stars + `"`), nil }

// MarshalText returns stars. YAML and gob encoders use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(stars), nil }

// LogValue returns stars for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(stars) }
