package dhcp6

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
)

// Type is the kind of a message (RFC 8415 section 7.3).
type Type uint8

// The messages between clients and servers.
const (
	Solicit            = Type(dhcpv6.MessageTypeSolicit)
	Advertise          = Type(dhcpv6.MessageTypeAdvertise)
	Request            = Type(dhcpv6.MessageTypeRequest)
	Confirm            = Type(dhcpv6.MessageTypeConfirm)
	Renew              = Type(dhcpv6.MessageTypeRenew)
	Rebind             = Type(dhcpv6.MessageTypeRebind)
	Reply              = Type(dhcpv6.MessageTypeReply)
	Release            = Type(dhcpv6.MessageTypeRelease)
	Decline            = Type(dhcpv6.MessageTypeDecline)
	InformationRequest = Type(dhcpv6.MessageTypeInformationRequest)
)

// String is the name that the RFC uses.
func (t Type) String() string { return dhcpv6.MessageType(t).String() }

// Status is the outcome of a message, or of a part of it (RFC 8415 section 21.13).
type Status uint16

// The outcomes that this product tells.
const (
	Success       = Status(iana.StatusSuccess)
	NoAddrsAvail  = Status(iana.StatusNoAddrsAvail)
	NoBinding     = Status(iana.StatusNoBinding)
	NotOnLink     = Status(iana.StatusNotOnLink)
	NoPrefixAvail = Status(iana.StatusNoPrefixAvail)
)

// Grant is one address or prefix, and how long it lasts. A lifetime of zero takes it back.
type Grant struct {
	Prefix           netip.Prefix // of an address, that address alone
	Preferred, Valid time.Duration
}

// Identity is one identity association (RFC 8415 section 4.2): what a client asks to have under a number of its own.
type Identity struct {
	ID     [4]byte
	Grants []Grant
	T1, T2 time.Duration // when the client is to ask again
	Status Status
	Text   string // why the status is not Success
}

// Message is what this product reads and writes of a message.
type Message struct {
	Type        Type
	Transaction [3]byte
	Client      []byte     // DUID; empty: none
	Server      []byte     // DUID; empty: none
	Addresses   []Identity // IA_NA
	Prefixes    []Identity // IA_PD
	RapidCommit bool
	DNS         []netip.Addr
	Status      Status
	Text        string // why the status is not Success
}

// ErrMalformed says that octets are no message between a client and a server.
var ErrMalformed = errors.New("not a DHCPv6 message")

// maxIdentities bounds the work that one message makes.
const maxIdentities = 8

// Parse reads a message: what stands behind the UDP header. Messages between relays are ErrMalformed.
func Parse(b []byte) (Message, error) {
	if len(b) < 4 || b[0] == 0 || Type(b[0]) > InformationRequest {
		return Message{}, ErrMalformed
	}
	in, err := dhcpv6.MessageFromBytes(b)
	if err != nil {
		return Message{}, errors.Join(ErrMalformed, err)
	}
	m := Message{Type: Type(in.MessageType), Transaction: in.TransactionID, RapidCommit: in.GetOneOption(dhcpv6.OptionRapidCommit) != nil}
	if id := in.Options.ClientID(); id != nil {
		m.Client = id.ToBytes()
	}
	if id := in.Options.ServerID(); id != nil {
		m.Server = id.ToBytes()
	}
	if s := in.Options.Status(); s != nil {
		m.Status, m.Text = Status(s.StatusCode), s.StatusMessage
	}
	for _, ip := range in.Options.DNS() {
		if a, ok := netip.AddrFromSlice(ip); ok {
			m.DNS = append(m.DNS, a)
		}
	}
	for _, ia := range in.Options.IANA() {
		m.Addresses = append(m.Addresses, addresses(ia))
	}
	for _, ia := range in.Options.IAPD() {
		m.Prefixes = append(m.Prefixes, prefixes(ia))
	}
	if len(m.Addresses)+len(m.Prefixes) > maxIdentities {
		return Message{}, ErrMalformed
	}
	return m, nil
}

func addresses(ia *dhcpv6.OptIANA) Identity {
	i := Identity{ID: ia.IaId, T1: ia.T1, T2: ia.T2}
	if s := ia.Options.Status(); s != nil {
		i.Status, i.Text = Status(s.StatusCode), s.StatusMessage
	}
	for _, o := range ia.Options.Addresses() {
		if a, ok := netip.AddrFromSlice(o.IPv6Addr); ok {
			i.Grants = append(i.Grants, Grant{netip.PrefixFrom(a, a.BitLen()), o.PreferredLifetime, o.ValidLifetime})
		}
	}
	return i
}

func prefixes(ia *dhcpv6.OptIAPD) Identity {
	i := Identity{ID: ia.IaId, T1: ia.T1, T2: ia.T2}
	if s := ia.Options.Status(); s != nil {
		i.Status, i.Text = Status(s.StatusCode), s.StatusMessage
	}
	for _, o := range ia.Options.Prefixes() {
		g := Grant{Preferred: o.PreferredLifetime, Valid: o.ValidLifetime}
		if o.Prefix != nil {
			if a, ok := netip.AddrFromSlice(o.Prefix.IP.To16()); ok {
				bits, _ := o.Prefix.Mask.Size()
				g.Prefix = netip.PrefixFrom(a, bits)
			}
		}
		i.Grants = append(i.Grants, g)
	}
	return i
}

// Bytes writes the message.
func (m Message) Bytes() []byte {
	out := dhcpv6.Message{MessageType: dhcpv6.MessageType(m.Type), TransactionID: m.Transaction}
	if len(m.Client) > 0 {
		out.AddOption(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionClientID, OptionData: m.Client})
	}
	if len(m.Server) > 0 {
		out.AddOption(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionServerID, OptionData: m.Server})
	}
	if m.RapidCommit {
		out.AddOption(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionRapidCommit})
	}
	if m.Status != Success || m.Text != "" {
		out.AddOption(status(m.Status, m.Text))
	}
	for _, i := range m.Addresses {
		out.AddOption(i.iana())
	}
	for _, i := range m.Prefixes {
		out.AddOption(i.iapd())
	}
	if len(m.DNS) > 0 {
		var servers []byte
		for _, a := range m.DNS {
			servers = append(servers, a.AsSlice()...)
		}
		out.AddOption(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionDNSRecursiveNameServer, OptionData: servers})
	}
	return out.ToBytes()
}

func (i Identity) iana() dhcpv6.Option {
	ia := &dhcpv6.OptIANA{IaId: i.ID, T1: i.T1, T2: i.T2}
	for _, g := range i.Grants {
		ia.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: g.Prefix.Addr().AsSlice(), PreferredLifetime: g.Preferred, ValidLifetime: g.Valid})
	}
	if i.Status != Success {
		ia.Options.Add(status(i.Status, i.Text))
	}
	return ia
}

func (i Identity) iapd() dhcpv6.Option {
	ia := &dhcpv6.OptIAPD{IaId: i.ID, T1: i.T1, T2: i.T2}
	for _, g := range i.Grants {
		ia.Options.Add(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionIAPrefix, OptionData: g.bytes()})
	}
	if i.Status != Success {
		ia.Options.Add(status(i.Status, i.Text))
	}
	return ia
}

// bytes is the content of an IA Prefix option (RFC 8415 section 21.22): preferred and valid lifetime, length, prefix. The
// library's own type for it is made of those of net, which are none for a room like this.
func (g Grant) bytes() []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(g.Preferred/time.Second))
	b = binary.BigEndian.AppendUint32(b, uint32(g.Valid/time.Second))
	network := netip.IPv6Unspecified().As16()
	bits := 0
	if g.Prefix.IsValid() {
		network, bits = g.Prefix.Addr().As16(), g.Prefix.Bits()
	}
	return append(append(b, byte(bits)), network[:]...)
}

func status(s Status, text string) dhcpv6.Option {
	return &dhcpv6.OptStatusCode{StatusCode: iana.StatusCode(s), StatusMessage: text}
}
