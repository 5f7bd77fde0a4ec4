package wire

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// binaryName stands before the octets in hexadecimal of a name that is no text, or begins with it.
const binaryName = "hex:"

// NameText is a name that a NAS has made, such as Acct-Session-Id, as text: the name itself, or where its octets are none, these in
// hexadecimal, so that different names stay different. A NUL that ends a text does not belong to it; where there are more, or nothing
// else, the name is a number.
func NameText(octets []byte) string {
	text := strings.TrimSuffix(string(octets), "\x00")
	if isText(text) && (text != "" || len(octets) == 0) && !strings.HasPrefix(text, binaryName) {
		return text
	}
	return binaryName + hex.EncodeToString(octets)
}

// NameOctets are the octets that NameText has made a text of.
func NameOctets(text string) []byte {
	if digits, is := strings.CutPrefix(text, binaryName); is {
		if octets, err := hex.DecodeString(digits); err == nil {
			return octets
		}
	}
	return []byte(text)
}

func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
