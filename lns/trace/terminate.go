package trace

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// windowsMark stands between magic number and error code in the data of a Terminate-Request of Windows.
const windowsMark = "\x00\x3c\xcd\x74"

// windowsErrors are those of RAS that a client may end a link with (Microsoft: "Routing and Remote Access Error Codes").
var windowsErrors = map[uint32]string{
	0:   "no error, it hung up",
	619: "the connection could not be made: something on the way, such as a firewall, broke it",
	628: "the connection was ended before it was complete",
	629: "the connection was ended by the other side",
	631: "its user hung up",
	638: "the request timed out",
	645: "internal fault of its authentication",
	646: "the account may not log in at this time of day",
	647: "the account is disabled",
	648: "the password has expired",
	649: "the account may not dial in",
	651: "the device, or the way to the server, reports a fault",
	678: "the server did not answer",
	691: "access denied: name or password wrong",
	718: "the server did not respond in time",
	719: "the server ended the PPP link",
	720: "no PPP control protocol could be agreed on",
	721: "the remote computer did not respond",
	722: "a PPP packet was not valid",
	732: "the PPP negotiation did not converge",
	733: "the server does not support this network protocol",
	734: "the PPP link control protocol was terminated",
	735: "the address that it asked for was refused",
	736: "the server ended the control protocol",
	737: "the line is looped back",
	738: "the server did not assign an address",
	739: "the server cannot use the stored Windows password",
	741: "this computer does not support the encryption that is required",
	742: "the server does not support the encryption that is required",
	743: "the server requires encryption",
	778: "the server could not prove who it is",
	781: "no valid certificate for encryption",
	787: "the security layer (IPsec) could not verify the server",
	788: "the security layer (IPsec) could not agree on parameters",
	789: "the security layer (IPsec) failed at its first step: compare the pre-shared key or certificates",
	792: "the security layer (IPsec) timed out",
	800: "the server cannot be reached, or the parameters for IPsec are wrong",
	806: "something on the way does not let GRE through",
	809: "the server does not answer: something on the way, such as NAT, blocks UDP 500 or 4500",
	812: "the policy of the server forbids it: often an authentication method that does not fit",
	828: "the connection was idle for too long",
	835: "the server's certificate does not have the name that is dialled",
	919: "the server refused the authentication protocol",
	930: "the authentication server did not answer in time",
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
