package wire

import "layeh.com/radius"

// Attributes by their numbers (RFC 2865, 2866, 2867, 2868, 2869, 3162, 4372, 4818, 5176, 6911).
const (
	TypeUserName             radius.Type = 1
	TypeUserPassword         radius.Type = 2
	TypeCHAPPassword         radius.Type = 3
	TypeNASIPAddress         radius.Type = 4
	TypeNASPort              radius.Type = 5
	TypeServiceType          radius.Type = 6
	TypeFramedProtocol       radius.Type = 7
	TypeFramedIPAddress      radius.Type = 8
	TypeFramedMTU            radius.Type = 12
	TypeReplyMessage         radius.Type = 18
	TypeState                radius.Type = 24
	TypeClass                radius.Type = 25
	TypeVendorSpecific       radius.Type = 26
	TypeSessionTimeout       radius.Type = 27
	TypeCalledStationID      radius.Type = 30
	TypeCallingStationID     radius.Type = 31
	TypeNASIdentifier        radius.Type = 32
	TypeProxyState           radius.Type = 33
	TypeAcctStatusType       radius.Type = 40
	TypeAcctDelayTime        radius.Type = 41
	TypeAcctInputOctets      radius.Type = 42
	TypeAcctOutputOctets     radius.Type = 43
	TypeAcctSessionID        radius.Type = 44
	TypeAcctAuthentic        radius.Type = 45
	TypeAcctSessionTime      radius.Type = 46
	TypeAcctInputPackets     radius.Type = 47
	TypeAcctOutputPackets    radius.Type = 48
	TypeAcctTerminateCause   radius.Type = 49
	TypeAcctInputGigawords   radius.Type = 52
	TypeAcctOutputGigawords  radius.Type = 53
	TypeEventTimestamp       radius.Type = 55
	TypeCHAPChallenge        radius.Type = 60
	TypeNASPortType          radius.Type = 61
	TypeTunnelType           radius.Type = 64
	TypeTunnelMediumType     radius.Type = 65
	TypeTunnelClientEndpoint radius.Type = 66
	TypeTunnelServerEndpoint radius.Type = 67
	TypeAcctTunnelConnection radius.Type = 68
	TypeConnectInfo          radius.Type = 77
	TypeEAPMessage           radius.Type = 79
	TypeMessageAuth          radius.Type = 80
	TypeTunnelAssignmentID   radius.Type = 82
	TypeNASPortID            radius.Type = 87
	TypeCUI                  radius.Type = 89
	TypeTunnelClientAuthID   radius.Type = 90
	TypeTunnelServerAuthID   radius.Type = 91
	TypeNASIPv6Address       radius.Type = 95
	TypeFramedInterfaceID    radius.Type = 96
	TypeFramedIPv6Prefix     radius.Type = 97
	TypeErrorCause           radius.Type = 101
	TypeDelegatedIPv6Prefix  radius.Type = 123
	TypeFramedIPv6Address    radius.Type = 168
)
