package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/postgres"
	"lnsgate/migrations"

	"github.com/spf13/cobra"
)

// group is a command that only has others below it.
func group(use, short, long, example string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(below...)
	return cmd
}

func newDBCommand() *cobra.Command {
	return group("db", "Make the database ready, and look after it",
		`db works on the PostgreSQL database that holds users, domains, pools and records. Name it with -c FILE,
--database URL or `+databaseVariable+`. Everything in it can be read and changed with plain SQL as well.`,
		`  lnsgate db migrate -c /etc/lnsgate/lnsgate.yaml
  lnsgate db status -c /etc/lnsgate/lnsgate.yaml`,
		newMigrateCommand(), newDBStatusCommand(), newSealCommand(), newRotateKeyCommand())
}

func newMigrateCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the database up to the schema of this program",
		Long: `migrate makes the tables in an empty database, and changes those of an older version. Sessions stay up. It may run on
many nodes at once: one works, the others wait. It never goes back: a database that is newer than this program is refused.`,
		Example: `  createdb lnsgate && lnsgate db migrate --database postgres://localhost/lnsgate`,
		Args:    onlyFlags,
		RunE:    func(cmd *cobra.Command, _ []string) error { return migrate(cmd, f) },
	}
	f = addDatabaseFlags(cmd)
	return cmd
}

func migrate(cmd *cobra.Command, f *databaseFlags) error {
	ctx := cmd.Context()
	admin, d, err := f.connect(ctx) // says better than a migration why there is no connection
	if err != nil {
		return err
	}
	where := admin.Where()
	if err := admin.Close(ctx); err != nil {
		return err
	}
	cfg, err := postgres.ParseAddress(aaa.NewSecret(d.URL.Reveal()))
	if err != nil {
		return err
	}
	applied, err := migrations.Migrate(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("database %s: %w", where, err)
	}
	if f.output == "json" {
		return writeJSON(cmd.OutOrStdout(), append([]migrations.Migration{}, applied...))
	}
	for _, m := range applied {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), "applied", m.Name); err != nil {
			return err
		}
	}
	return f.say(cmd, nil, "%s: the schema is up to date", where)
}

// dbStatus is what db status tells.
type dbStatus struct {
	Database  string                   `json:"database"`
	Version   int64                    `json:"version"` // 0: empty
	Latest    int64                    `json:"latest"`  // that this program knows
	Pending   []string                 `json:"pending"`
	Passwords []postgres.StoredForms   `json:"passwords"`
	NASes     []postgres.StoredSecrets `json:"nas_secrets"`
	Nodes     []postgres.AdminNode     `json:"nodes"`
}

func newDBStatusCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "status", Short: "Show the version of the schema, how passwords are stored, and the nodes",
		Long: `status changes nothing. The exit code is 1 when the schema is not the one of this program. Passwords, and secrets of NASes,
that are stored "clear" for longer than a moment mean that no node runs, or that the nodes have no key file.`,
		Example: `  lnsgate db status -c /etc/lnsgate/lnsgate.yaml`,
		Args:    onlyFlags,
		RunE:    func(cmd *cobra.Command, _ []string) error { return showDBStatus(cmd, f) },
	}
	f = addDatabaseFlags(cmd)
	return cmd
}

func showDBStatus(cmd *cobra.Command, f *databaseFlags) (err error) {
	ctx := cmd.Context()
	admin, _, err := f.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, admin.Close(context.WithoutCancel(ctx))) }()
	schema, err := migrations.Read(ctx, admin.Conn())
	if err != nil {
		return err
	}
	s := dbStatus{Database: admin.Where(), Version: schema.Current, Latest: schema.Latest, Pending: []string{}}
	for _, m := range schema.Pending() {
		s.Pending = append(s.Pending, m.Name)
	}
	unfit := schema.Err()
	if unfit == nil {
		if s.Passwords, err = admin.StoredForms(ctx); err == nil {
			s.NASes, err = admin.StoredSecrets(ctx)
		}
		if err == nil {
			s.Nodes, err = admin.Nodes(ctx)
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(f.print(cmd, s, s.rows), unfit)
}

func (s dbStatus) rows(t *table) {
	t.row("Database", s.Database)
	t.row("Schema", fmt.Sprintf("version %d of %d, %d pending", s.Version, s.Latest, len(s.Pending)))
	for _, p := range s.Passwords {
		kind := p.Kind
		if p.Key != "" {
			kind += ", key " + p.Key
		}
		t.row("Passwords", fmt.Sprintf("%d %s", p.Accounts, kind))
	}
	for _, p := range s.NASes {
		kind := "clear"
		if p.Key != "" {
			kind = "sealed, key " + p.Key
		}
		t.row("NAS secrets", fmt.Sprintf("%d %s", p.NASes, kind))
	}
	for _, n := range s.Nodes {
		t.row("Node", fmt.Sprintf("%s, %d sessions, start %d at %s, last heard %s", n.Name, n.Sessions, n.Epoch, moment(n.StartedAt), moment(n.HeartbeatAt)))
	}
}

func newSealCommand() *cobra.Command {
	var f *databaseFlags
	var keyFile string
	cmd := &cobra.Command{
		Use: "seal", Short: "Seal clear passwords now, instead of waiting for a node",
		Long: `seal takes the clear passwords out of the table accounts, as a running node does within a second. What the methods of
the domain need is stored instead: the password sealed with the key outside the database, or a one-way hash where only
pap is allowed. The secrets of NASes are sealed as well.`,
		Example: `  lnsgate db seal -c /etc/lnsgate/lnsgate.yaml`,
		Args:    onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := f.settings()
			if err != nil {
				return err
			}
			keys, err := keysOf(keyFile, d)
			if err != nil {
				return err
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				left, err := admin.Seal(cmd.Context(), keys)
				if err == nil && left > 0 {
					err = fmt.Errorf("passwords and NAS secrets stay readable in the database, %d of them: there is no key\n  make one: lnsgate db rotate-key --prepare --key-file FILE", left)
				}
				if err != nil {
					return err
				}
				return f.say(cmd, map[string]int{"left": left}, "no clear password is left in the database, and no clear secret of a NAS")
			})
		},
	}
	f = addDatabaseFlags(cmd)
	addKeyFileFlag(cmd, &keyFile)
	return cmd
}

func addKeyFileFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "key-file", "", "`FILE` with the keys; without it that of the configuration (database.key_file)")
}

func newRotateKeyCommand() *cobra.Command {
	var f *databaseFlags
	var keyFile, id string
	var prepare bool
	cmd := &cobra.Command{
		Use: "rotate-key", Short: "Seal all passwords and NAS secrets with a new key, while logins go on",
		Long: `rotate-key seals with the first key of the key file what is sealed with another one. It may be interrupted and run
again. The steps of a change, with any number of nodes:

  1. lnsgate db rotate-key --prepare      adds a new key as the last line; it opens, and seals nothing yet.
                                          In a file that is not there yet it is the first, and step 1 is all
  2. copy the file to all nodes, and lnsgate reload on each
  3. move the new line to the top on all nodes, and lnsgate reload on each: from now on it seals
  4. lnsgate db rotate-key                seals the rest
  5. delete the old line on all nodes`,
		Example: `  lnsgate db rotate-key --prepare --key-file /etc/lnsgate/keys
  lnsgate db rotate-key -c /etc/lnsgate/lnsgate.yaml`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if prepare {
				return prepareKey(cmd, f, keyFile, id)
			}
			return rotateKey(cmd, f, keyFile)
		},
	}
	f = addDatabaseFlags(cmd)
	addKeyFileFlag(cmd, &keyFile)
	cmd.Flags().BoolVar(&prepare, "prepare", false, "add a new key to the key file, and change nothing in the database")
	cmd.Flags().StringVar(&id, "id", "", "with --prepare: the name of the key (default: the time)")
	return cmd
}

// prepareKey needs no database.
func prepareKey(cmd *cobra.Command, f *databaseFlags, file, id string) error {
	if file == "" && f.config != "" {
		d, err := f.settings()
		if err != nil {
			return err
		}
		file = d.KeyFile
	}
	if file == "" {
		return errors.New("name the key file: --key-file FILE, or -c FILE with database.key_file in it")
	}
	if id == "" {
		id = time.Now().UTC().Format("20060102-150405")
	}
	if err := postgres.AddKey(file, id, false); err != nil {
		return err
	}
	keys, err := postgres.ReadKeys(file)
	if err != nil {
		return err
	}
	next := "copy it to all nodes and reload them, then move its line to the top"
	if keys.Current() == id {
		next = "name it as database.key_file on all nodes; keep a copy of it, apart from those of the database"
	}
	return f.say(cmd, map[string]any{"key_file": file, "key": id, "seals": keys.Current() == id}, "%s: key %s added; %s", file, id, next)
}

func rotateKey(cmd *cobra.Command, f *databaseFlags, keyFile string) error {
	d, err := f.settings()
	if err != nil {
		return err
	}
	keys, err := keysOf(keyFile, d)
	if err != nil {
		return err
	}
	if keys == nil {
		return errors.New("there is no key: name the key file with --key-file, or as database.key_file")
	}
	return f.with(cmd.Context(), func(admin *postgres.Admin) error {
		r, err := admin.RotateKey(cmd.Context(), keys)
		if err != nil {
			return err
		}
		if r.Failed > 0 {
			return fmt.Errorf("%s sealed with key %s, %d could not be opened, the first: %w\n  put the old key back into the file, or set these passwords and secrets again",
				sealedAnew(r), r.Key, r.Failed, r.Err)
		}
		return f.say(cmd, map[string]any{"key": r.Key, "resealed": r.Resealed, "nas_secrets": r.NASes},
			"%s sealed with key %s; no other key is in use any more", sealedAnew(r), r.Key)
	})
}

// sealedAnew counts what a rotation has done.
func sealedAnew(r postgres.Rotation) string {
	text := count(r.Resealed, "password")
	if r.NASes > 0 {
		text += " and " + count(r.NASes, "NAS secret")
	}
	return text
}
