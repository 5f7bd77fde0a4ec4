package ppp

import (
	"fmt"
	"io"
	"log/slog"
)

// stars is all that a Secret ever prints. Its width is fixed, so it tells nothing about the length.
const stars = "********"

// Secret is the octets of a password, that print as stars in logs, errors, JSON and dumps
// alike. To use the octets, use it as the []byte that it is. Only fmt gets past it, and only in an unexported field of
// a struct that is printed whole: keep it behind a pointer there.
type Secret []byte

// Format writes stars, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// MarshalText returns stars. JSON and YAML encoders use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(stars), nil }

// LogValue returns stars for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(stars) }
