package main

import (
	"context"
	"slices"

	"lnsgate/aaa/postgres"
	"lnsgate/configs"
)

// nases finds NASes of the database that this node could not answer, or should not like this.
func (l *look) nases(ctx context.Context) error {
	keys, err := sealingKeys(l.config)
	if err != nil {
		return nil // the check of the file tells it
	}
	list, faults, err := postgres.New(l.pool, postgres.Config{Timeout: lookTimeout, Keys: postgres.NewKeyring(keys)}).NASes(ctx)
	if err != nil {
		return err
	}
	clear := 0
	for _, n := range list {
		if n.Clear {
			clear++
		}
	}
	if keys == nil && clear > 0 {
		l.warn("%s can be read in the database: there is no key to seal with; make one with lnsgate db rotate-key --prepare --key-file FILE, and name it as key_file",
			count(clear, "NAS secret"))
	}
	if !l.config.RADIUSService.Given() {
		return nil // it answers none of them
	}
	for _, f := range faults {
		l.warn("%v", f)
	}
	for _, n := range list {
		l.nas(n)
	}
	return nil
}

func (l *look) nas(n postgres.NAS) {
	if slices.ContainsFunc(l.config.RADIUSService.Clients, func(c configs.RADIUSClient) bool { return c.Name == n.Name || c.Source == n.Source }) {
		l.warn("radius_server.clients has a NAS of this name or source too, and the file counts: NAS %q, source %v", n.Name, n.Source)
		return
	}
	for _, danger := range dangers(postgres.AdminSettings{
		"secret": n.Secret.Reveal(), "source": n.Source.String(), "message_authenticator": n.MessageAuthenticator, "unsigned_proxies": n.UnsignedProxies,
	}) {
		l.warn("NAS %q: %s", n.Name, danger)
	}
}
