package configs

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// stars stands for every secret, whatever its length.
const stars = "********"

// Secret is a password or key. However it is printed, it shows as stars.
type Secret struct {
	text string
}

// NewSecret wraps a clear text.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal returns the clear text.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == "" }

// String prints stars, or nothing when there is no secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return stars
}

// Format prints stars for every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// GoString prints stars.
func (s Secret) GoString() string { return s.String() }

// MarshalText writes stars.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(b []byte) error {
	s.text = string(b)
	return nil
}

// LogValue logs stars.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Size is a number of octets. A file says 4096, 512KiB, 4MiB or 1GiB.
type Size int64

// UnmarshalText reads a number of octets, or a size with a unit.
func (s *Size) UnmarshalText(b []byte) error {
	text := string(b)
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		*s = Size(n)
		return nil
	}
	for _, unit := range sizeUnits {
		digits, found := strings.CutSuffix(text, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			break
		}
		*s = Size(n) * unit.octets
		return nil
	}
	return fmt.Errorf("%q is not a size like 512KiB or 4MiB", text)
}

// String prints the size with the largest unit that fits evenly.
func (s Size) String() string {
	for _, unit := range sizeUnits {
		if s >= unit.octets && s%unit.octets == 0 {
			return fmt.Sprintf("%d%s", s/unit.octets, unit.name)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

var sizeUnits = []struct {
	name   string
	octets Size
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// MSS says how the TCP maximum segment size of passing connections is limited: MSSAuto, MSSOff, or octets.
type MSS int

// The values of MSS that are not octets.
const (
	MSSAuto MSS = 0  // from the negotiated MRU
	MSSOff  MSS = -1 // left alone
)

// UnmarshalText reads auto or off. Numbers are read as numbers.
func (m *MSS) UnmarshalText(b []byte) error {
	switch string(b) {
	case "auto":
		*m = MSSAuto
	case "off":
		*m = MSSOff
	default:
		return fmt.Errorf("%q is not auto, off or a number of octets", b)
	}
	return nil
}

// String prints what a file would say.
func (m MSS) String() string {
	switch m {
	case MSSAuto:
		return "auto"
	case MSSOff:
		return "off"
	}
	return strconv.Itoa(int(m))
}
