package wire

import "fmt"

// Types of vendors' attributes that say who the peer is, what it gets, how fast and for how long.
const (
	CiscoAVPair byte = 1 // text: protocol:attribute=value

	MSCHAPResponse         byte = 1
	MSCHAPError            byte = 2
	MSMPPEEncryptionPolicy byte = 7
	MSMPPEEncryptionTypes  byte = 8
	MSCHAPDomain           byte = 10
	MSCHAPChallenge        byte = 11
	MSCHAPMPPEKeys         byte = 12 // hidden as User-Password is
	MSMPPESendKey          byte = 16 // salted
	MSMPPERecvKey          byte = 17 // salted
	MSCHAP2Response        byte = 25
	MSCHAP2Success         byte = 26
	MSCHAP2CPW             byte = 27
	MSPrimaryDNSServer     byte = 28
	MSSecondaryDNSServer   byte = 29
	MSPrimaryNBNSServer    byte = 30
	MSSecondaryNBNSServer  byte = 31

	AscendClientPrimaryDNS   byte = 135
	AscendClientSecondaryDNS byte = 136
	AscendDataRate           byte = 197 // bit/s, from the user
	AscendAssignIPPool       byte = 218
	AscendXmitRate           byte = 255 // bit/s, to the user

	HuaweiInputBurstSize          byte = 1
	HuaweiInputAverageRate        byte = 2 // bit/s, from the user
	HuaweiInputPeakRate           byte = 3 // bit/s
	HuaweiOutputBurstSize         byte = 4
	HuaweiOutputAverageRate       byte = 5 // bit/s, to the user
	HuaweiOutputPeakRate          byte = 6 // bit/s
	HuaweiIPAddress               byte = 30
	HuaweiQosProfileName          byte = 31
	HuaweiFramedPool              byte = 88
	HuaweiVPNInstance             byte = 94
	HuaweiPrimaryDNS              byte = 135
	HuaweiSecondaryDNS            byte = 136
	HuaweiDomainName              byte = 138
	HuaweiFramedPoolGroup         byte = 157
	HuaweiDownQOSProfileName      byte = 182
	HuaweiDelegatedIPv6PrefixPool byte = 191

	WISPrBandwidthMinUp       byte = 5 // bit/s
	WISPrBandwidthMinDown     byte = 6 // bit/s
	WISPrBandwidthMaxUp       byte = 7 // bit/s
	WISPrBandwidthMaxDown     byte = 8 // bit/s
	WISPrSessionTerminateTime byte = 9 // text: a date

	MikrotikRecvLimit          byte = 1 // octets
	MikrotikXmitLimit          byte = 2 // octets
	MikrotikRateLimit          byte = 8 // text: rx/tx and bursts
	MikrotikRealm              byte = 9
	MikrotikMarkID             byte = 11
	MikrotikRecvLimitGigawords byte = 14
	MikrotikXmitLimitGigawords byte = 15
	MikrotikAddressList        byte = 19
	MikrotikDelegatedIPv6Pool  byte = 22

	ADSLAgentCircuitID     byte = 1
	ADSLAgentRemoteID      byte = 2
	ADSLActualDataRateUp   byte = 129 // bit/s
	ADSLActualDataRateDown byte = 130 // bit/s

	ERXVirtualRouterName byte = 1
	ERXAddressPoolName   byte = 2
	ERXPrimaryDNS        byte = 4
	ERXSecondaryDNS      byte = 5

	RedbackClientDNSPrimary   byte = 1
	RedbackClientDNSSecondary byte = 2
	RedbackIPAddressPoolName  byte = 36

	NokiaPrimaryDNS        byte = 9
	NokiaSecondaryDNS      byte = 10
	NokiaSubscriberProfile byte = 12
	NokiaSLAProfile        byte = 13
)

// attribute is one attribute of one vendor.
type attribute struct {
	vendor Vendor
	kind   byte
}

var vendorNames = map[Vendor]string{
	Cisco:     "Cisco",
	Microsoft: "Microsoft",
	Ascend:    "Ascend",
	Huawei:    "Huawei",
	WISPr:     "WISPr",
	Mikrotik:  "Mikrotik",
	ADSLForum: "ADSL-Forum",
	ERX:       "ERX",
	Redback:   "Redback",
	Nokia:     "Nokia",
}

var attributeNames = map[attribute]string{
	{Cisco, CiscoAVPair}:                    "Cisco-AVPair",
	{Microsoft, MSCHAPResponse}:             "MS-CHAP-Response",
	{Microsoft, MSCHAPError}:                "MS-CHAP-Error",
	{Microsoft, MSMPPEEncryptionPolicy}:     "MS-MPPE-Encryption-Policy",
	{Microsoft, MSMPPEEncryptionTypes}:      "MS-MPPE-Encryption-Types",
	{Microsoft, MSCHAPDomain}:               "MS-CHAP-Domain",
	{Microsoft, MSCHAPChallenge}:            "MS-CHAP-Challenge",
	{Microsoft, MSCHAPMPPEKeys}:             "MS-CHAP-MPPE-Keys",
	{Microsoft, MSMPPESendKey}:              "MS-MPPE-Send-Key",
	{Microsoft, MSMPPERecvKey}:              "MS-MPPE-Recv-Key",
	{Microsoft, MSCHAP2Response}:            "MS-CHAP2-Response",
	{Microsoft, MSCHAP2Success}:             "MS-CHAP2-Success",
	{Microsoft, MSCHAP2CPW}:                 "MS-CHAP2-CPW",
	{Microsoft, MSPrimaryDNSServer}:         "MS-Primary-DNS-Server",
	{Microsoft, MSSecondaryDNSServer}:       "MS-Secondary-DNS-Server",
	{Microsoft, MSPrimaryNBNSServer}:        "MS-Primary-NBNS-Server",
	{Microsoft, MSSecondaryNBNSServer}:      "MS-Secondary-NBNS-Server",
	{Ascend, AscendClientPrimaryDNS}:        "Ascend-Client-Primary-DNS",
	{Ascend, AscendClientSecondaryDNS}:      "Ascend-Client-Secondary-DNS",
	{Ascend, AscendDataRate}:                "Ascend-Data-Rate",
	{Ascend, AscendAssignIPPool}:            "Ascend-Assign-IP-Pool",
	{Ascend, AscendXmitRate}:                "Ascend-Xmit-Rate",
	{Huawei, HuaweiInputBurstSize}:          "Huawei-Input-Burst-Size",
	{Huawei, HuaweiInputAverageRate}:        "Huawei-Input-Average-Rate",
	{Huawei, HuaweiInputPeakRate}:           "Huawei-Input-Peak-Rate",
	{Huawei, HuaweiOutputBurstSize}:         "Huawei-Output-Burst-Size",
	{Huawei, HuaweiOutputAverageRate}:       "Huawei-Output-Average-Rate",
	{Huawei, HuaweiOutputPeakRate}:          "Huawei-Output-Peak-Rate",
	{Huawei, HuaweiIPAddress}:               "Huawei-IP-Address",
	{Huawei, HuaweiQosProfileName}:          "Huawei-Qos-Profile-Name",
	{Huawei, HuaweiFramedPool}:              "Huawei-Framed-Pool",
	{Huawei, HuaweiVPNInstance}:             "Huawei-VPN-Instance",
	{Huawei, HuaweiPrimaryDNS}:              "Huawei-Primary-DNS",
	{Huawei, HuaweiSecondaryDNS}:            "Huawei-Secondary-DNS",
	{Huawei, HuaweiDomainName}:              "Huawei-Domain-Name",
	{Huawei, HuaweiFramedPoolGroup}:         "Huawei-Framed-Pool-Group",
	{Huawei, HuaweiDownQOSProfileName}:      "Huawei-Down-QOS-Profile-Name",
	{Huawei, HuaweiDelegatedIPv6PrefixPool}: "Huawei-Delegated-IPv6-Prefix-Pool",
	{WISPr, WISPrBandwidthMinUp}:            "WISPr-Bandwidth-Min-Up",
	{WISPr, WISPrBandwidthMinDown}:          "WISPr-Bandwidth-Min-Down",
	{WISPr, WISPrBandwidthMaxUp}:            "WISPr-Bandwidth-Max-Up",
	{WISPr, WISPrBandwidthMaxDown}:          "WISPr-Bandwidth-Max-Down",
	{WISPr, WISPrSessionTerminateTime}:      "WISPr-Session-Terminate-Time",
	{Mikrotik, MikrotikRecvLimit}:           "Mikrotik-Recv-Limit",
	{Mikrotik, MikrotikXmitLimit}:           "Mikrotik-Xmit-Limit",
	{Mikrotik, MikrotikRateLimit}:           "Mikrotik-Rate-Limit",
	{Mikrotik, MikrotikRealm}:               "Mikrotik-Realm",
	{Mikrotik, MikrotikMarkID}:              "Mikrotik-Mark-Id",
	{Mikrotik, MikrotikRecvLimitGigawords}:  "Mikrotik-Recv-Limit-Gigawords",
	{Mikrotik, MikrotikXmitLimitGigawords}:  "Mikrotik-Xmit-Limit-Gigawords",
	{Mikrotik, MikrotikAddressList}:         "Mikrotik-Address-List",
	{Mikrotik, MikrotikDelegatedIPv6Pool}:   "Mikrotik-Delegated-IPv6-Pool",
	{ADSLForum, ADSLAgentCircuitID}:         "ADSL-Agent-Circuit-Id",
	{ADSLForum, ADSLAgentRemoteID}:          "ADSL-Agent-Remote-Id",
	{ADSLForum, ADSLActualDataRateUp}:       "Actual-Data-Rate-Upstream",
	{ADSLForum, ADSLActualDataRateDown}:     "Actual-Data-Rate-Downstream",
	{ERX, ERXVirtualRouterName}:             "ERX-Virtual-Router-Name",
	{ERX, ERXAddressPoolName}:               "ERX-Address-Pool-Name",
	{ERX, ERXPrimaryDNS}:                    "ERX-Primary-Dns",
	{ERX, ERXSecondaryDNS}:                  "ERX-Secondary-Dns",
	{Redback, RedbackClientDNSPrimary}:      "Client-DNS-Pri",
	{Redback, RedbackClientDNSSecondary}:    "Client-DNS-Sec",
	{Redback, RedbackIPAddressPoolName}:     "IP-Address-Pool-Name",
	{Nokia, NokiaPrimaryDNS}:                "Alc-Primary-Dns",
	{Nokia, NokiaSecondaryDNS}:              "Alc-Secondary-Dns",
	{Nokia, NokiaSubscriberProfile}:         "Alc-Subsc-Prof-Str",
	{Nokia, NokiaSLAProfile}:                "Alc-SLA-Prof-Str",
}

// String returns the usual name of the vendor, or its number.
func (v Vendor) String() string {
	if name, ok := vendorNames[v]; ok {
		return name
	}
	return fmt.Sprintf("vendor %d", uint32(v))
}

// Name returns the usual name of the attribute, or its vendor and number.
func (a VendorAttribute) Name() string {
	if name, ok := attributeNames[attribute{a.Vendor, a.Type}]; ok {
		return name
	}
	return fmt.Sprintf("%v attribute %d", a.Vendor, a.Type)
}
