package eap

import (
	"fmt"
	"strings"

	"lnsgate/aaa/eap/packet"
)

var typeNames = map[packet.Type]string{
	packet.MD5Challenge: "md5", packet.GTC: "gtc", packet.TLS: "tls", packet.TTLS: "ttls", packet.PEAP: "peap",
	packet.MSCHAPv2: "mschapv2", 5: "otp", 17: "leap", 18: "sim", 23: "aka", 43: "fast", 50: "aka'", 52: "pwd", 55: "teap",
}

// nameOf is a type as people call it.
func nameOf(t packet.Type) string {
	if name := typeNames[t]; name != "" {
		return name
	}
	return fmt.Sprintf("type %d", t)
}

// wishesText lists types for people.
func wishesText(list []packet.Type) string {
	if len(list) == 0 {
		return "nothing else"
	}
	var names []string
	for _, t := range list {
		names = append(names, nameOf(t))
	}
	return strings.Join(names, ", ")
}
