package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// AdminLogin is one attempt to log in, and what came of it.
type AdminLogin struct {
	At       time.Time   `db:"at" json:"at"`
	Name     string      `db:"name" json:"name"` // as typed
	Account  *string     `db:"account" json:"account"`
	Verdict  string      `db:"verdict" json:"verdict"` // granted, or why not
	Detail   *string     `db:"detail" json:"detail"`
	Method   *string     `db:"method" json:"method"`
	Peer     *netip.Addr `db:"peer" json:"peer"`
	PeerName *string     `db:"peer_name" json:"peer_name"`
	Address  *netip.Addr `db:"address" json:"address"`
	Node     string      `db:"node" json:"node"`
}

const sqlLogins = `SELECT at, name, account, verdict, detail, method, peer, peer_name, address, node FROM logins
WHERE $1 = '' OR name = $1 ORDER BY at DESC LIMIT $2`

// Logins tells the last attempts by this name as it was typed, or by all names when it is empty, the newest first.
func (a *Admin) Logins(ctx context.Context, name string, most int) ([]AdminLogin, error) {
	return adminRows[AdminLogin](ctx, a, fmt.Sprintf("list logins of %q", name), sqlLogins, name, most)
}
