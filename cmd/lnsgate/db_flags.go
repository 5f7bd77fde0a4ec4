package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/postgres"
	"lnsgate/aaa/secret"
	"lnsgate/configs"
	"lnsgate/migrations"

	"github.com/spf13/cobra"
)

// databaseVariable names the database where neither flag does. It is the one that serve reads too.
const databaseVariable = "LNSGATE_DATABASE__URL"

// databaseFlags say which database a command works with, and how it prints.
type databaseFlags struct {
	config, url, output string
}

func addDatabaseFlags(cmd *cobra.Command) *databaseFlags {
	f := &databaseFlags{}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration `FILE` that names the database")
	cmd.Flags().StringVar(&f.url, "database", "", "`URL` of the database; "+databaseVariable+" keeps its password out of the list of processes")
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "table or json")
	return f
}

// settings are what a configuration file, the flag or the environment say about the database. The flag counts most.
func (f *databaseFlags) settings() (configs.Database, error) {
	var d configs.Database
	if f.config != "" {
		c, _, err := configs.Load(f.config)
		if err != nil {
			return d, fmt.Errorf("%s cannot be used:\n%w", f.config, err)
		}
		d = c.Database
		if d.KeyFile != "" && !filepath.IsAbs(d.KeyFile) && !strings.HasPrefix(d.KeyFile, "credential:") {
			d.KeyFile = filepath.Join(filepath.Dir(f.config), d.KeyFile)
		}
	}
	switch {
	case f.output != "table" && f.output != "json":
		return d, fmt.Errorf("there is no output format %q: use -o table or -o json", f.output)
	case f.url != "":
		d.URL = configs.NewURL(f.url)
	case f.config == "":
		d.URL = configs.NewURL(os.Getenv(databaseVariable))
	case !d.Given():
		return d, fmt.Errorf("%s names no database: add database: {url_file: ...}, or give --database URL", f.config)
	}
	if !d.Given() {
		return d, fmt.Errorf("which database? give -c FILE, --database URL, or set %s", databaseVariable)
	}
	return d, nil
}

// connect opens the database, whatever schema it has.
func (f *databaseFlags) connect(ctx context.Context) (*postgres.Admin, configs.Database, error) {
	d, err := f.settings()
	if err != nil {
		return nil, d, err
	}
	cfg, err := postgres.ParseAddress(aaa.NewSecret(d.URL.Reveal()))
	if err != nil {
		return nil, d, err
	}
	admin, err := postgres.OpenAdmin(ctx, cfg)
	return admin, d, err
}

// with runs work on a database that has the schema of this program.
func (f *databaseFlags) with(ctx context.Context, work func(*postgres.Admin) error) (err error) {
	admin, _, err := f.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, admin.Close(context.WithoutCancel(ctx))) }()
	if err := migrations.Check(ctx, admin.Conn()); err != nil {
		return fmt.Errorf("database %s: %w", admin.Where(), err)
	}
	return work(admin)
}

// named makes it an error that nothing has the name that was asked for.
func named(what string, args []string, found int) error {
	if len(args) > 0 && found == 0 {
		return fmt.Errorf("there is no %s of the name %q\n  see: lnsgate %s list", what, args[0], what)
	}
	return nil
}

// print writes what was found: as JSON, or as the table that rows fills.
func (f *databaseFlags) print(cmd *cobra.Command, got any, rows func(*table)) error {
	if f.output == "json" {
		return writeJSON(cmd.OutOrStdout(), got)
	}
	t := newTable(cmd.OutOrStdout())
	rows(t)
	return t.flush()
}

// say writes one sentence on what was done, or the same as JSON.
func (f *databaseFlags) say(cmd *cobra.Command, got any, format string, args ...any) error {
	if f.output == "json" {
		return writeJSON(cmd.OutOrStdout(), got)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...)
	return err
}

// keys are those of the key file, or of the configuration. nil: there are none.
func keysOf(file string, d configs.Database) (*secret.Keys, error) {
	switch {
	case file != "":
		return postgres.ReadKeys(file)
	case d.Key.IsZero():
		return nil, nil
	}
	keys, err := secret.ParseKeys([]byte(d.Key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("database.key: %w", err)
	}
	return keys, nil
}

// settingKind says how the value of a setting is written.
type settingKind uint8

const (
	textSetting settingKind = iota
	listSetting
	addressesSetting
	networksSetting
	durationSetting
	rateSetting
	numberSetting
	switchSetting
	momentSetting
)

// setting is a column that a flag sets.
type setting struct {
	flag, column string
	kind         settingKind
	help         string
}

// sharedSettings are those that accounts and domains have alike.
var sharedSettings = []setting{
	{"description", "description", textSetting, "for people"},
	{"dns", "dns", addressesSetting, "at most two DNS servers told to subscribers"},
	{"nbns", "nbns", addressesSetting, "at most two NetBIOS name servers told to subscribers"},
	{"session-timeout", "session_timeout", durationSetting, "end a session after this time, such as 8h; 0: never"},
	{"idle-timeout", "idle_timeout", durationSetting, "end a session without user traffic after this time"},
	{"mtu", "mtu", numberSetting, "the largest packet sent to a subscriber, in octets"},
	{"rate-up", "rate_up", rateSetting, "the most a subscriber may send, such as 512k or 10M (bits per second)"},
	{"rate-down", "rate_down", rateSetting, "the most a subscriber is sent"},
	{"max-sessions", "max_sessions", numberSetting, "the most sessions on all nodes together"},
	{"filter", "filter", textSetting, "the filter of its sessions"},
	{"rename", "name", textSetting, "another name"},
}

// routeSetting is one of accounts and their profiles.
var routeSetting = setting{"route", "routes", networksSetting, "the networks behind the subscriber, such as 192.168.50.0/24"}

// ipv6Settings are those of accounts and their profiles.
var ipv6Settings = []setting{
	{"ipv6-pool", "ipv6_pool", textSetting, "the pool of /64 prefixes for the link, instead of those of the domain"},
	{"delegated-pool", "delegated_pool", textSetting, "the pool of prefixes for the networks behind the subscriber, instead of those of the domain"},
	{"ipv6-dns", "ipv6_dns", addressesSetting, "at most three DNS servers told over IPv6"},
}

// settingFlags are the flags of one command, and --reset for what is to be as if it had never been set.
type settingFlags struct {
	cmd   *cobra.Command
	list  []setting
	reset []string
}

func addSettings(cmd *cobra.Command, change bool, list ...setting) *settingFlags {
	f := &settingFlags{cmd: cmd, list: list}
	for _, s := range list {
		switch {
		case s.column == "name" && !change:
		case s.kind == listSetting || s.kind == addressesSetting || s.kind == networksSetting:
			cmd.Flags().StringSlice(s.flag, nil, s.help)
		case s.kind == switchSetting:
			cmd.Flags().Bool(s.flag, false, s.help)
		default:
			cmd.Flags().String(s.flag, "", s.help)
		}
	}
	if change {
		cmd.Flags().StringSliceVar(&f.reset, "reset", nil, "settings to take back, such as dns,mtu: the profile, the domain or the default counts again")
	}
	return f
}

// read says what the flags set.
func (f *settingFlags) read() (postgres.AdminSettings, error) {
	s := postgres.AdminSettings{}
	var faults []error
	for _, one := range f.list {
		flag := f.cmd.Flags().Lookup(one.flag)
		if flag == nil || !flag.Changed {
			continue
		}
		value, err := one.value(f.cmd)
		if err != nil {
			faults = append(faults, fmt.Errorf("--%s: %w", one.flag, err))
		}
		s[one.column] = value
	}
	for _, name := range f.reset {
		column := ""
		for _, one := range f.list {
			if one.column != "name" && (one.flag == name || one.column == name) {
				column = one.column
			}
		}
		if _, set := s[column]; column == "" || set {
			faults = append(faults, fmt.Errorf("--reset %s: there is no such setting, or it is set at the same time", name))
		}
		s[column] = nil
	}
	return s, errors.Join(faults...)
}

func (s setting) value(cmd *cobra.Command) (any, error) {
	switch s.kind {
	case listSetting:
		list, err := cmd.Flags().GetStringSlice(s.flag)
		return append([]string{}, list...), err
	case addressesSetting:
		list, err := cmd.Flags().GetStringSlice(s.flag)
		for _, text := range list {
			err = errors.Join(err, checkAddress(text))
		}
		return append([]string{}, list...), err
	case networksSetting:
		list, err := cmd.Flags().GetStringSlice(s.flag)
		for _, text := range list {
			err = errors.Join(err, checkNetwork(text))
		}
		return append([]string{}, list...), err
	case switchSetting:
		return cmd.Flags().GetBool(s.flag)
	}
	text, err := cmd.Flags().GetString(s.flag)
	if err != nil {
		return nil, err
	}
	switch s.kind {
	case durationSetting:
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return nil, fmt.Errorf("%q is not a length of time such as 30s, 5m or 8h", text)
		}
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s", nil
	case rateSetting:
		return parseRate(text)
	case numberSetting:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", text)
		}
		return n, nil
	case momentSetting:
		at, err := parseMoment(text)
		return at.Format(time.RFC3339Nano), err
	}
	return text, nil
}

// checkAddress takes one address, not a network.
func checkAddress(text string) error {
	if _, err := netip.ParseAddr(text); err != nil {
		return fmt.Errorf("%q is not an address", text)
	}
	return nil
}

// checkNetwork takes one network, without bits behind its prefix.
func checkNetwork(text string) error {
	switch p, err := netip.ParsePrefix(text); {
	case err != nil:
		return fmt.Errorf("%q is not a network such as 192.168.50.0/24", text)
	case p != p.Masked():
		return fmt.Errorf("%q has bits behind the prefix; the network is %v", text, p.Masked())
	}
	return nil
}

// parseRate reads bits per second, with k, M or G for powers of 1000.
func parseRate(text string) (int64, error) {
	factor := int64(1)
	for unit, times := range map[string]int64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if digits, found := strings.CutSuffix(text, unit); found {
			text, factor = digits, times
		}
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is not a rate such as 512k, 10M or 1G", text)
	}
	return n * factor, nil
}

var momentForms = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"}

// parseMoment reads a time in the zone of this machine, unless it says another.
func parseMoment(text string) (time.Time, error) {
	for _, form := range momentForms {
		if at, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2026-11-17, \"2026-11-17 20:43\" or 2026-11-17T20:43:00+08:00", text)
}

// passwordFlags hand over a password without showing it to everybody on this machine.
type passwordFlags struct {
	stdin bool
	file  string
}

func addPasswordFlags(cmd *cobra.Command) *passwordFlags {
	f := &passwordFlags{}
	cmd.Flags().BoolVar(&f.stdin, "password-stdin", false, "read the password from standard input, its first line")
	cmd.Flags().StringVar(&f.file, "password-file", "", "read the password from this `FILE`, its first line")
	cmd.MarkFlagsMutuallyExclusive("password-stdin", "password-file")
	return f
}

// read returns nil if no password is given.
func (f *passwordFlags) read(cmd *cobra.Command) (*aaa.Secret, error) {
	file := f.file
	if f.stdin {
		file = "-"
	}
	if file == "" {
		return nil, nil
	}
	password, err := readSecret("password", "", file, cmd.InOrStdin())
	if err == nil && password.IsZero() {
		err = errors.New("the password is empty")
	}
	return &password, err
}
