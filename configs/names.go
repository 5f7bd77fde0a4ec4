package configs

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// What follows are the rules of aaa.ParseIdentity and of aaa/secret, so that a fault is found together with all others and
// with its line. A test of cmd/lnsgate holds the two against each other.

const (
	longestName     = 253 // octets
	longestPassword = 256 // UTF-16 units, what MS-CHAPv2 can hash
)

// emptyNTHash is the NT hash of the empty password.
const emptyNTHash = "31d6cfe0d16ae931b73c59d7e0c089c0"

// splitName returns the domain of a name as it is typed, in small letters and empty when there is none, or why nobody can
// log in by the name.
func splitName(name string) (domain, fault string) {
	if fault := faultInName(name); fault != "" {
		return "", fault
	}
	user, domain := name, ""
	at, slash := strings.LastIndexByte(name, '@'), strings.LastIndexByte(name, '\\')
	switch {
	case at >= 0:
		user, domain = name[:at], name[at+1:]
	case slash >= 0:
		user, domain = name[slash+1:], name[:slash]
	default:
		return "", ""
	}
	if user == "" {
		return "", fmt.Sprintf("the name %q has no user before the domain", name)
	}
	if domain == "" || domain[0] == '.' || domain[len(domain)-1] == '.' {
		return "", fmt.Sprintf("the domain in %q is empty, or starts or ends with a dot", name)
	}
	return strings.ToLower(domain), ""
}

// faultInName says what is wrong with a name, whether of a user or of a domain, or nothing.
func faultInName(name string) string {
	switch {
	case name == "":
		return "the name is empty"
	case len(name) > longestName:
		return fmt.Sprintf("the name is longer than %d octets", longestName)
	case !utf8.ValidString(name):
		return "the name is not UTF-8"
	case strings.ContainsFunc(name, isBlank):
		return fmt.Sprintf("the name %q holds white space or control characters", name)
	case strings.Contains(name, ".."):
		return fmt.Sprintf("the name %q has two dots in a row", name)
	}
	return ""
}

// faultInDomainName says why nobody could type a name as a domain, or nothing.
func faultInDomainName(name string) string {
	fault := faultInName(name)
	switch {
	case fault != "":
		return fault
	case strings.ContainsAny(name, `@\`):
		return fmt.Sprintf(`%q: a domain is written without the @ or \ that stand between it and the user`, name)
	case name[0] == '.' || name[len(name)-1] == '.':
		return fmt.Sprintf("%q: a domain does not start or end with a dot", name)
	}
	return ""
}

// faultInPassword says why a password can never be matched, or nothing.
func faultInPassword(password string) string {
	switch {
	case !utf8.ValidString(password):
		return "the password is not UTF-8, so MS-CHAPv2 cannot use it"
	case len(utf16.Encode([]rune(password))) > longestPassword:
		return fmt.Sprintf("the password is longer than %d UTF-16 units", longestPassword)
	}
	return ""
}

func isBlank(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }
