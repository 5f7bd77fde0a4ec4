package radius

import (
	"context"
	"fmt"
	"net/netip"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"
)

// Exchanger asks one of a group of servers. client.Group is one.
type Exchanger interface {
	Exchange(ctx context.Context, r client.Request) (client.Reply, error)
}

// NAS is what this node calls itself. Two nodes must not share it: on Accounting-On a server closes every session of the
// NAS that sent it.
type NAS struct {
	Identifier string     // NAS-Identifier; "" = none is sent
	Address    netip.Addr // NAS-IP-Address or NAS-IPv6-Address; zero = our end of the session's tunnel
}

// NameForm says how a user is named to a group of servers.
type NameForm uint8

// The forms.
const (
	AsTyped       NameForm = iota
	WithDomain             // user@domain, also when no domain was typed
	WithoutDomain          // the part before the domain
)

// String names the form as the configuration does.
func (f NameForm) String() string {
	switch f {
	case AsTyped:
		return "as_typed"
	case WithDomain:
		return "with_domain"
	case WithoutDomain:
		return "without_domain"
	}
	return fmt.Sprintf("name form %d", uint8(f))
}

// name is the User-Name of an identity. The domain is that which was chosen.
func (f NameForm) name(id aaa.Identity, domain string) string {
	switch {
	case f == WithoutDomain:
		return id.User
	case f == WithDomain && id.Domain == "" && domain != "":
		return id.User + "@" + domain
	}
	return id.Raw
}

// recordName is the User-Name of a record: what the server that granted wants, else the form of this group.
func (f NameForm) recordName(r *aaa.Record) string {
	switch {
	case r.UserName != "":
		return r.UserName
	case r.Method == aaa.EAP: // as in the request, see userName
		return r.Name
	}
	id, err := aaa.ParseIdentity(r.Name)
	if err != nil {
		return r.Name
	}
	return f.name(id, r.Domain)
}
