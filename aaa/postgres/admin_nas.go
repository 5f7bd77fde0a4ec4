package postgres

import (
	"context"
	"fmt"
	"maps"
	"net/netip"

	"github.com/jackc/pgx/v5"
)

// AdminNAS is a NAS that may ask by RADIUS, without its secret.
type AdminNAS struct {
	Name                     string       `db:"name" json:"name"`
	Source                   netip.Prefix `db:"source" json:"source"`
	Key                      *string      `db:"key_id" json:"key"` // that its secret is sealed with; nil: it can be read in the database
	CertificateNames         []string     `db:"certificate_names" json:"certificate_names"`
	Type                     string       `db:"type" json:"type"`
	MessageAuthenticator     string       `db:"message_authenticator" json:"message_authenticator"`
	UnsignedProxies          bool         `db:"unsigned_proxies" json:"unsigned_proxies"`
	Addresses                string       `db:"addresses" json:"addresses"`
	Domain                   *string      `db:"domain" json:"domain"`
	DefaultDomain            *string      `db:"default_domain" json:"default_domain"`
	DynamicAuthorizationPort int          `db:"dynamic_authorization_port" json:"dynamic_authorization_port"`
	Description              *string      `db:"description" json:"description"`
	Disabled                 bool         `db:"disabled" json:"disabled"`
	Sessions                 int64        `db:"sessions" json:"sessions"` // that it, or those behind it, carry now
}

const sqlAdminNASes = `
SELECT n.name, n.source, n.key_id, n.certificate_names, n.type, n.message_authenticator, n.unsigned_proxies, n.addresses, n.domain,
	n.default_domain, n.dynamic_authorization_port, n.description, n.disabled, coalesce(s.sessions, 0) AS sessions
FROM nas n LEFT JOIN (SELECT nas_client, count(*) AS sessions FROM sessions WHERE nas IS NOT NULL GROUP BY 1) s ON s.nas_client = n.name
WHERE $1 = '' OR n.name = $1 ORDER BY n.name`

// NASes lists the NAS of this name, or all of them when it is empty.
func (a *Admin) NASes(ctx context.Context, name string) ([]AdminNAS, error) {
	return adminRows[AdminNAS](ctx, a, "list NASes", sqlAdminNASes, name)
}

// AddNAS makes a NAS. It needs the settings source and secret.
func (a *Admin) AddNAS(ctx context.Context, name string, s AdminSettings) error {
	row := maps.Clone(s)
	row["name"] = name
	return a.change(ctx, fmt.Sprintf("add the NAS %q", name), func(tx pgx.Tx) error {
		_, err := adminInsert(ctx, tx, "nas", "", row)
		return err
	})
}

// SetNAS changes a NAS. The nodes go by it within a second.
func (a *Admin) SetNAS(ctx context.Context, name string, s AdminSettings) error {
	return a.change(ctx, fmt.Sprintf("change the NAS %q", name), func(tx pgx.Tx) error {
		there, err := adminUpdate(ctx, tx, "nas", name, s)
		if err == nil && !there {
			err = missing("there is no NAS of this name", "see: lnsgate nas list")
		}
		return err
	})
}

// DeleteNAS deletes a NAS. It gets no answer any more.
func (a *Admin) DeleteNAS(ctx context.Context, name string) error {
	return a.change(ctx, fmt.Sprintf("delete the NAS %q", name), func(tx pgx.Tx) error {
		there, err := adminDelete(ctx, tx, "nas", name)
		if err == nil && !there {
			err = missing("there is no NAS of this name", "see: lnsgate nas list")
		}
		return err
	})
}

// StoredSecrets counts how the secrets of NASes are stored, by the key that sealed them.
type StoredSecrets struct {
	Key   string `db:"key" json:"key"` // empty: they can be read in the database
	NASes int64  `db:"nases" json:"nases"`
}

const sqlStoredSecrets = `SELECT coalesce(key_id, '') AS key, count(*) AS nases FROM nas GROUP BY 1 ORDER BY 1`

// StoredSecrets counts how the secrets of NASes are stored.
func (a *Admin) StoredSecrets(ctx context.Context) ([]StoredSecrets, error) {
	return adminRows[StoredSecrets](ctx, a, "count the secrets of NASes", sqlStoredSecrets)
}
