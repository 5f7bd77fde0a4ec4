package trace

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// windowsMark stands between magic number and error code in the data of a Terminate-Request of Windows.
const windowsMark = "\x00\x3c\xcd\x74"

var windowsErrors = map[uint32]string{
	0:   "no error, it hung up",
	691: "access denied: name or password wrong",
	718: "the server did not respond in time",
	721: "the remote computer did not respond",
	732: "the PPP negotiation did not converge",
	734: "the PPP link control protocol was terminated",
	738: "the server did not assign an address",
	742: "the server does not support the encryption that is required",
	919: "the server refused the authentication protocol",
}

// TerminateText turns the data of an LCP or IPCP Terminate-Request into words: the error code of Windows explained, anything
// else quoted. It is empty when the peer sent no data.
func TerminateText(data string) string {
	switch {
	case data == "":
		return ""
	case len(data) == 12 && data[4:8] == windowsMark:
		code := binary.BigEndian.Uint32([]byte(data[8:]))
		if words, known := windowsErrors[code]; known {
			return fmt.Sprintf("Windows error %d (%s)", code, words)
		}
		return fmt.Sprintf("Windows error %d", code)
	default:
		return strconv.QuoteToASCII(data)
	}
}
