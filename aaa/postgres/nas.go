package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

// NAS is a NAS, or a network of them, that may ask by RADIUS, as it stands in the table nas, in its words.
type NAS struct {
	Name                     string
	Source                   netip.Prefix // of several that fit a source, the longest counts
	Secret                   aaa.Secret
	Clear                    bool     // the secret can be read in the database
	CertificateNames         []string // over TLS one of them must be in its certificate; none: any that is signed
	Type                     string   // standard, mikrotik, cisco, huawei, wispr or accel
	MessageAuthenticator     string   // auto, require or off
	UnsignedProxies          bool
	Addresses                string // given, named or none
	Domain                   string // forced on all its users; "" = none
	DefaultDomain            string // for names typed without one; "" = that of the node
	DynamicAuthorizationPort uint16 // 0: it is never told anything
}

// NASFault says why a NAS cannot be served, and what to do.
type NASFault struct {
	Name string
	Err  error // secret.ErrUnknownKey or secret.ErrSeal, among others
}

// Error names the NAS, the reason, and what to do.
func (f *NASFault) Error() string {
	if errors.Is(f.Err, secret.ErrUnknownKey) {
		return fmt.Sprintf("the secret of the NAS %q is sealed: %v of this node; copy the key file from another node", f.Name, f.Err)
	}
	return fmt.Sprintf("the sealed secret of the NAS %q does not open: it was changed, or comes from another row; set it again with lnsgate nas set %s --secret-stdin", f.Name, f.Name)
}

// Unwrap returns what stands in the way.
func (f *NASFault) Unwrap() error { return f.Err }

// nasRow is a row as it is stored.
type nasRow struct {
	NAS
	id     int64
	clear  *string
	sealed []byte
	key    string
}

const nasSQL = `
SELECT id, name, source, secret, sealed, coalesce(key_id, ''), certificate_names, type, message_authenticator, unsigned_proxies,
	addresses, coalesce(domain, ''), coalesce(default_domain, ''), dynamic_authorization_port
FROM nas WHERE NOT disabled ORDER BY name`

// NASes reads all NASes that are not disabled. Those whose secret cannot be opened are left out, and told of in faults. The
// error is a *aaa.Rejection.
func (b *Backend) NASes(ctx context.Context) (list []NAS, faults []*NASFault, err error) {
	var rows []nasRow
	err = b.db.ask(ctx, "read the NASes", func(ctx context.Context) error {
		answer, err := b.db.pool.Query(ctx, nasSQL)
		if err != nil {
			return err
		}
		rows, err = pgx.CollectRows(answer, readNAS)
		return err
	})
	keys := b.keys.Get()
	for _, r := range rows {
		if fault := r.open(keys); fault != nil {
			faults = append(faults, fault)
			continue
		}
		list = append(list, r.NAS)
	}
	return list, faults, err
}

func readNAS(row pgx.CollectableRow) (r nasRow, err error) {
	var port int32
	err = row.Scan(&r.id, &r.Name, &r.Source, &r.clear, &r.sealed, &r.key, &r.CertificateNames, &r.Type, &r.MessageAuthenticator,
		&r.UnsignedProxies, &r.Addresses, &r.Domain, &r.DefaultDomain, &port)
	r.DynamicAuthorizationPort = uint16(port)
	return r, err
}

// open fills in the secret.
func (r *nasRow) open(keys *secret.Keys) *NASFault {
	if r.clear != nil {
		r.Secret, r.Clear = aaa.NewSecret(*r.clear), true
		return nil
	}
	octets, err := keys.Open(r.sealed, nasBinding(r.id), r.key)
	if err != nil {
		return &NASFault{r.Name, err}
	}
	r.Secret = aaa.NewSecret(string(octets))
	return nil
}

// nasBinding is what the secret of a NAS is sealed for. No credential has this kind, so that neither opens in the place of
// the other.
func nasBinding(id int64) secret.Binding { return secret.Binding{Account: id, Kind: "nas"} }
