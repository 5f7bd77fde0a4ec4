package l2tp

import "strconv"

// Attribute is the number of an AVP of vendor 0 (RFC 2661 section 4.4, RFC 3145).
type Attribute uint16

const (
	attrMessageType        Attribute = 0
	attrResultCode         Attribute = 1
	attrProtocolVersion    Attribute = 2
	attrFramingCaps        Attribute = 3
	attrBearerCaps         Attribute = 4
	attrTieBreaker         Attribute = 5
	attrFirmware           Attribute = 6
	attrHostName           Attribute = 7
	attrVendorName         Attribute = 8
	attrAssignedTunnel     Attribute = 9
	attrReceiveWindow      Attribute = 10
	attrChallenge          Attribute = 11
	attrQ931Cause          Attribute = 12
	attrChallengeResponse  Attribute = 13
	attrAssignedSession    Attribute = 14
	attrCallSerial         Attribute = 15
	attrMinimumBPS         Attribute = 16
	attrMaximumBPS         Attribute = 17
	attrBearerType         Attribute = 18
	attrFramingType        Attribute = 19
	attrCalledNumber       Attribute = 21
	attrCallingNumber      Attribute = 22
	attrSubAddress         Attribute = 23
	attrTxSpeed            Attribute = 24
	attrPhysicalChannel    Attribute = 25
	attrInitialReceivedLCP Attribute = 26
	attrLastSentLCP        Attribute = 27
	attrLastReceivedLCP    Attribute = 28
	attrProxyAuthType      Attribute = 29
	attrProxyAuthName      Attribute = 30
	attrProxyAuthChallenge Attribute = 31
	attrProxyAuthID        Attribute = 32
	attrProxyAuthResponse  Attribute = 33
	attrCallErrors         Attribute = 34
	attrACCM               Attribute = 35
	attrRandomVector       Attribute = 36
	attrPrivateGroup       Attribute = 37
	attrRxSpeed            Attribute = 38
	attrSequencingRequired Attribute = 39
	attrDisconnectCause    Attribute = 46
)

// definition is what the RFC fixes about an attribute.
type definition struct {
	name      string
	min, max  int // length of the value in octets, before hiding
	mandatory bool
	hideable  bool
}

const (
	must   = true
	may    = false
	hide   = true
	inOpen = false
)

var definitions = [...]definition{
	attrMessageType:        {"Message Type", 2, 2, must, inOpen},
	attrResultCode:         {"Result Code", 2, maxValue, must, inOpen},
	attrProtocolVersion:    {"Protocol Version", 2, 2, must, inOpen},
	attrFramingCaps:        {"Framing Capabilities", 4, 4, must, hide},
	attrBearerCaps:         {"Bearer Capabilities", 4, 4, must, hide},
	attrTieBreaker:         {"Tie Breaker", 8, 8, may, inOpen},
	attrFirmware:           {"Firmware Revision", 2, 2, may, hide},
	attrHostName:           {"Host Name", 1, maxValue, must, inOpen},
	attrVendorName:         {"Vendor Name", 0, maxValue, may, hide},
	attrAssignedTunnel:     {"Assigned Tunnel ID", 2, 2, must, hide},
	attrReceiveWindow:      {"Receive Window Size", 2, 2, must, inOpen},
	attrChallenge:          {"Challenge", 1, maxValue, must, hide},
	attrQ931Cause:          {"Q.931 Cause Code", 3, maxValue, must, inOpen},
	attrChallengeResponse:  {"Challenge Response", 16, 16, must, hide},
	attrAssignedSession:    {"Assigned Session ID", 2, 2, must, hide},
	attrCallSerial:         {"Call Serial Number", 4, 4, must, hide},
	attrMinimumBPS:         {"Minimum BPS", 4, 4, must, hide},
	attrMaximumBPS:         {"Maximum BPS", 4, 4, must, hide},
	attrBearerType:         {"Bearer Type", 4, 4, must, hide},
	attrFramingType:        {"Framing Type", 4, 4, must, hide},
	attrCalledNumber:       {"Called Number", 0, maxValue, must, hide},
	attrCallingNumber:      {"Calling Number", 0, maxValue, must, hide},
	attrSubAddress:         {"Sub-Address", 0, maxValue, must, hide},
	attrTxSpeed:            {"(Tx) Connect Speed", 4, 4, must, hide},
	attrPhysicalChannel:    {"Physical Channel ID", 4, 4, may, hide},
	attrInitialReceivedLCP: {"Initial Received LCP CONFREQ", 0, maxValue, may, hide},
	attrLastSentLCP:        {"Last Sent LCP CONFREQ", 0, maxValue, may, hide},
	attrLastReceivedLCP:    {"Last Received LCP CONFREQ", 0, maxValue, may, hide},
	attrProxyAuthType:      {"Proxy Authen Type", 2, 2, may, hide},
	attrProxyAuthName:      {"Proxy Authen Name", 0, maxValue, may, hide},
	attrProxyAuthChallenge: {"Proxy Authen Challenge", 1, maxValue, may, hide},
	attrProxyAuthID:        {"Proxy Authen ID", 2, 2, may, hide},
	attrProxyAuthResponse:  {"Proxy Authen Response", 0, maxValue, may, hide},
	attrCallErrors:         {"Call Errors", 26, 26, must, hide},
	attrACCM:               {"ACCM", 10, 10, must, hide},
	attrRandomVector:       {"Random Vector", 0, maxValue, must, inOpen},
	attrPrivateGroup:       {"Private Group ID", 0, maxValue, may, hide},
	attrRxSpeed:            {"Rx Connect Speed", 4, 4, may, hide},
	attrSequencingRequired: {"Sequencing Required", 0, 0, must, inOpen},
	attrDisconnectCause:    {"PPP Disconnect Cause Code", 5, maxValue, may, hide},
}

// define looks an attribute up. known is false if no RFC that this package implements defines it.
func (a Attribute) define() (d definition, known bool) {
	if int(a) >= len(definitions) {
		return definition{}, false
	}
	d = definitions[a]
	return d, d.name != ""
}

// String is the attribute's name in the RFC and its number.
func (a Attribute) String() string {
	n := strconv.Itoa(int(a))
	if d, known := a.define(); known {
		return d.name + " (" + n + ")"
	}
	return "attribute " + n
}
