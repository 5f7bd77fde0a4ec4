package aaa

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest name a peer may give, in octets. It is what fits into one RADIUS attribute (RFC 2865 section 5).
const MaxName = 253

// Identity is a name as a peer typed it, taken apart.
type Identity struct {
	Raw    string // as typed; the exact identity, and what goes into CHAP and MS-CHAP
	User   string // without the domain, case kept
	Domain string // in lower case, "" if none was typed
}

// NameError says why a name cannot be an identity.
type NameError struct {
	Name   string // as typed
	Reason string // in words
}

// Error names the name, quoted, and the reason.
func (e *NameError) Error() string { return fmt.Sprintf("name %q: %s", e.Name, e.Reason) }

// ParseIdentity takes a name apart. The domain is what follows the last @, else what precedes the last backslash
// (DOMAIN\user). A name that could only be a mistake or an attack is refused with a *NameError: empty, longer than
// MaxName, not UTF-8, with a control character or white space, with an empty user or domain, with two dots in a row, or
// with a domain that starts or ends with a dot.
func ParseIdentity(raw string) (Identity, error) {
	id := Identity{Raw: raw, User: raw}
	if reason := faultInName(raw); reason != "" {
		return Identity{}, &NameError{raw, reason}
	}
	at, slash := strings.LastIndexByte(raw, '@'), strings.LastIndexByte(raw, '\\')
	switch {
	case at >= 0:
		id.User, id.Domain = raw[:at], raw[at+1:]
	case slash >= 0:
		id.User, id.Domain = raw[slash+1:], raw[:slash]
	default:
		return id, nil
	}
	if id.User == "" {
		return Identity{}, &NameError{raw, "the user before the domain is empty"}
	}
	if reason := faultInDomain(id.Domain); reason != "" {
		return Identity{}, &NameError{raw, reason}
	}
	id.Domain = FoldDomain(id.Domain)
	return id, nil
}

// FoldDomain returns the form in which domain names are compared: lower case.
func FoldDomain(name string) string { return strings.ToLower(name) }

// faultInName says what is wrong with a whole name, or nothing.
func faultInName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > MaxName:
		return fmt.Sprintf("it has %d octets, at most %d are allowed", len(name), MaxName)
	case !utf8.ValidString(name):
		return "it is not UTF-8"
	case strings.Contains(name, ".."):
		return "it has two dots in a row"
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return "it has a control character"
		}
		if unicode.IsSpace(r) {
			return "it has white space"
		}
	}
	return ""
}

// faultInDomain says what is wrong with the domain part of a name that faultInName passed, or nothing.
func faultInDomain(domain string) string {
	switch {
	case domain == "":
		return "the domain is empty"
	case strings.HasPrefix(domain, "."), strings.HasSuffix(domain, "."):
		return "the domain starts or ends with a dot"
	}
	return ""
}
