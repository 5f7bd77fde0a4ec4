package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"lnsgate/aaa/postgres"

	"github.com/spf13/cobra"
)

var nasSettings = []setting{
	{"source", "source", textSetting, "where it sends from: one address, or a network; of several that fit the smallest counts"},
	{"type", "type", textSetting, "in whose words it is answered: standard, mikrotik, cisco, huawei, wispr or accel (default standard)"},
	{"domain", "domain", textSetting, "all its users belong to this domain, whatever they type"},
	{"default-domain", "default_domain", textSetting, "the domain of names that are typed without one"},
	{"addresses", "addresses", textSetting, "given: from the pools of lnsgate; named: from its own pool, whose name it is told; none (default given)"},
	{"port", "dynamic_authorization_port", numberSetting, "where it takes requests to end or change a session; 0: it is never told (default 3799)"},
	{"message-authenticator", "message_authenticator", textSetting, "require signed requests, take unsigned ones (off), or auto: require them once it has signed (default auto)"},
	{"unsigned-proxies", "unsigned_proxies", switchSetting, "take unsigned requests that come through a proxy"},
	{"certificate-name", "certificate_names", listSetting, "over TLS: a name that must be in its certificate"},
	{"description", "description", textSetting, "for people"},
	{"disabled", "disabled", switchSetting, "it gets no answer"},
	{"rename", "name", textSetting, "another name"},
}

func newNASCommand() *cobra.Command {
	return group("nas", "Manage the NASes in the database: who may ask by RADIUS",
		`nas works on the NASes in the database: routers, access points and other equipment that ask lnsgate by RADIUS who may
come in. A change counts on every node within a second. Those of a configuration file (radius_server.clients) are not in
the database.`,
		`  lnsgate nas add router1 --source 192.0.2.7 --type mikrotik --generate-secret -c lnsgate.yaml
  lnsgate nas add branches --source 192.0.2.0/24 --secret-stdin --domain branches.example -c lnsgate.yaml < secret
  lnsgate nas set router1 --disabled -c lnsgate.yaml
  lnsgate nas list -c lnsgate.yaml`,
		newNASAddCommand(), newNASSetCommand(), newNASListCommand(), newNASDeleteCommand())
}

// nasFlags are what add and set have alike.
type nasFlags struct {
	*databaseFlags
	settings *settingFlags
	secret   *nasSecretFlags
}

func addNASFlags(cmd *cobra.Command, change bool) *nasFlags {
	return &nasFlags{addDatabaseFlags(cmd), addSettings(cmd, change, nasSettings...), addNASSecretFlags(cmd)}
}

// read says what the flags set. made is the secret that was generated, if one was.
func (f *nasFlags) read(cmd *cobra.Command) (s postgres.AdminSettings, made string, err error) {
	if s, err = f.settings.read(); err != nil {
		return nil, "", err
	}
	if source, set := s["source"]; set {
		if s["source"], err = parseSource(source); err != nil {
			return nil, "", err
		}
	}
	given, made, err := f.secret.read(cmd)
	if err == nil && given != "" {
		s["secret"] = given
	}
	return s, made, err
}

// parseSource takes one address or a network.
func parseSource(value any) (string, error) {
	text, ok := value.(string)
	if !ok {
		return "", errors.New("--reset source: a NAS has a source; give it another with --source")
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return text, nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("--source: %q is not an address or a network such as 192.0.2.7 or 192.0.2.0/24", text)
	case p != p.Masked():
		return "", fmt.Errorf("--source: %s is not a network: it is %s, or one address: %s", text, p.Masked(), p.Addr())
	}
	return text, nil
}

func newNASAddCommand() *cobra.Command {
	var f *nasFlags
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a NAS",
		Long: `add lets a NAS, or all NASes of a network, ask lnsgate by RADIUS. The same secret is entered on the NAS. A secret that
--generate-secret made is shown once; nobody can read it out of the database later.`,
		Example: `  lnsgate nas add router1 --source 192.0.2.7 --type mikrotik --generate-secret -c lnsgate.yaml
  lnsgate nas add wifi --source 2001:db8:1::/48 --secret-file wifi.secret --type wispr --addresses none -c lnsgate.yaml`,
		Args: exactly(1, "name one NAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, made, err := f.read(cmd)
			switch {
			case err != nil:
				return err
			case s["source"] == nil:
				return errors.New("where does it send from? give --source ADDRESS, or a network such as --source 192.0.2.0/24")
			case s["secret"] == nil:
				return errors.New("a NAS needs a secret: give --secret-stdin, --secret-file FILE or --generate-secret")
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.AddNAS(cmd.Context(), args[0], s); err != nil {
					return err
				}
				return f.tell(cmd, admin, args[0], "added; it is answered within a second", s, made)
			})
		},
	}
	f = addNASFlags(cmd, false)
	return cmd
}

func newNASSetCommand() *cobra.Command {
	var f *nasFlags
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change a NAS",
		Long: `set changes what the flags name and leaves the rest. A new secret counts within a second, and the old one does not any
more: enter it on the NAS at the same time.`,
		Example: `  lnsgate nas set router1 --secret-stdin -c lnsgate.yaml < secret
  lnsgate nas set router1 --type cisco --reset domain,port -c lnsgate.yaml`,
		Args: exactly(1, "name one NAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, made, err := f.read(cmd)
			if err != nil {
				return err
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.SetNAS(cmd.Context(), args[0], s); err != nil {
					return err
				}
				name, what := args[0], "changed"
				if renamed, ok := s["name"].(string); ok {
					name = renamed
				}
				if s["secret"] != nil {
					what = "changed; enter the new secret on the NAS now: the old one counts no more"
				}
				return f.tell(cmd, admin, name, what, s, made)
			})
		},
	}
	f = addNASFlags(cmd, true)
	return cmd
}

// nasMade is a NAS, and its secret if it was just made.
type nasMade struct {
	postgres.AdminNAS
	Secret string `json:"secret,omitempty"`
}

// tell says what was done, and what is dangerous about it.
func (f *nasFlags) tell(cmd *cobra.Command, admin *postgres.Admin, name, what string, s postgres.AdminSettings, made string) error {
	list, err := admin.NASes(cmd.Context(), name)
	if err != nil || len(list) == 0 {
		return err
	}
	for _, warning := range dangers(s) {
		fmt.Fprintln(cmd.ErrOrStderr(), "lnsgate: warning:", warning)
	}
	if made != "" {
		what += "\n  its secret, which is not shown again: " + made
	}
	return f.say(cmd, nasMade{list[0], made}, "%s: %s", printable(name), what)
}

func newNASListCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "list [NAME]", Short: "List the NASes, without their secrets",
		Long: `list shows one line per NAS, or the one that is named. Under Secret stands the key that seals it; "clear" for longer than
a moment means that no node runs, or that the nodes have no key file. Those of a configuration file are not in the database.`,
		Example: `  lnsgate nas list -c lnsgate.yaml`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				list, err := admin.NASes(cmd.Context(), strings.Join(args, ""))
				if err == nil && len(args) > 0 && len(list) == 0 {
					err = fmt.Errorf("there is no NAS of the name %q\n  see: lnsgate nas list", args[0])
				}
				if err != nil {
					return err
				}
				return f.print(cmd, some(list), func(t *table) {
					t.row("NAS", "Source", "Type", "Sessions", "Disabled", "Secret", "Signed", "Addresses", "Domain", "DefaultDomain", "Port", "Description")
					for _, n := range list {
						t.row(n.Name, sourceCell(n.Source), n.Type, n.Sessions, mark(n.Disabled), sealCell(n.Key), n.MessageAuthenticator, n.Addresses,
							shown(n.Domain), shown(n.DefaultDomain), portCell(n.DynamicAuthorizationPort), shown(n.Description))
					}
				})
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}

func sourceCell(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func sealCell(key *string) string {
	if key == nil {
		return "clear"
	}
	return "key " + *key
}

// portCell is empty for a NAS that is never told anything.
func portCell(port int) string {
	if port == 0 {
		return ""
	}
	return strconv.Itoa(port)
}

func newNASDeleteCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a NAS: it gets no answer any more",
		Long: `delete takes a NAS out of the database. Within a second no node answers it, not even the records of its open sessions. To
lock it out and keep it: lnsgate nas set NAME --disabled.`,
		Example: `  lnsgate nas delete router1 -c lnsgate.yaml`,
		Args:    exactly(1, "name one NAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.DeleteNAS(cmd.Context(), args[0]); err != nil {
					return err
				}
				return f.say(cmd, map[string]string{"deleted": args[0]}, "%s: deleted", printable(args[0]))
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}
