package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"layeh.com/radius"
	"layeh.com/radius/vendors/mikrotik"
)

func TestVendorAttributes(t *testing.T) {
	p := packet(radius.CodeAccessAccept)
	for _, a := range []VendorAttribute{
		{Cisco, CiscoAVPair, []byte("ip:addr-pool=sales")}, {Huawei, HuaweiOutputAverageRate, []byte{0, 1, 0, 0}},
		{Mikrotik, MikrotikRateLimit, []byte("1M/2M")}, {Cisco, CiscoAVPair, []byte("ip:vrf-id=1")},
	} {
		if err := AddVendor(p, a.Vendor, a.Type, a.Value); err != nil {
			t.Fatal(err)
		}
	}
	if got := mikrotik.MikrotikRateLimit_GetString(p); got != "1M/2M" {
		t.Errorf("the other implementation reads %q", got)
	}
	p.Add(26, radius.Attribute("\x00\x00\x37\x2a\x07\x06\x00\x00\x00\x01\x08\x06\x00\x00\x00\x02")) // two in one
	p.Add(26, radius.Attribute("\x00\x00\x37"))                                                     // no vendor
	p.Add(26, radius.Attribute("\x00\x00\x37\x2a\x07"))                                             // no length
	p.Add(26, radius.Attribute("\x00\x00\x37\x2a\x05\x02\x06\x09\x00"))                             // an empty one and one too long
	var got []string
	for a := range VendorAttributes(p) {
		got = append(got, a.Name()+"="+strings.ToValidUTF8(string(a.Value), "?"))
	}
	want := []string{"Cisco-AVPair=ip:addr-pool=sales", "Huawei-Output-Average-Rate=\x00\x01\x00\x00", "Mikrotik-Rate-Limit=1M/2M",
		"Cisco-AVPair=ip:vrf-id=1", "WISPr-Bandwidth-Max-Up=\x00\x00\x00\x01", "WISPr-Bandwidth-Max-Down=\x00\x00\x00\x02",
		"WISPr-Bandwidth-Min-Up="}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if v, ok := LookupVendor(p, Cisco, CiscoAVPair); !ok || string(v) != "ip:addr-pool=sales" {
		t.Errorf("first Cisco-AVPair: %q, %v", v, ok)
	}
	if v, ok := LookupVendor(p, Cisco, 2); ok {
		t.Errorf("there is no such attribute, but %q", v)
	}
	for range VendorAttributes(p) {
		break
	}
}

func TestAddVendorTooLong(t *testing.T) {
	p := packet(radius.CodeAccessRequest)
	if err := AddVendor(p, Cisco, CiscoAVPair, make([]byte, 248)); !errors.Is(err, ErrTooLong) || len(p.Attributes) != 0 {
		t.Errorf("%v", err)
	}
	if err := AddVendor(p, Cisco, CiscoAVPair, make([]byte, 247)); err != nil {
		t.Error(err)
	}
	if _, err := NewKey(secret).AppendRequest(nil, p); err != nil {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	for a, name := range attributeNames {
		if got := (VendorAttribute{Vendor: a.vendor, Type: a.kind}).Name(); got != name || name == "" {
			t.Errorf("%v is %q", a, got)
		}
		if strings.HasPrefix(a.vendor.String(), "vendor ") {
			t.Errorf("vendor %d has no name", uint32(a.vendor))
		}
	}
	if got := (VendorAttribute{Vendor: 4242, Type: 7}).Name(); got != "vendor 4242 attribute 7" {
		t.Errorf("one without a name is %q", got)
	}
}
