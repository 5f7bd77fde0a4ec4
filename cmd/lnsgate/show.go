package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"lnsgate/lns/admin"

	"github.com/spf13/cobra"
)

// view is one thing that show can show. ask fetches it, rows writes it as a table.
type view struct {
	name    string
	short   string
	long    string
	example string
	flags   func(*cobra.Command)
	ask     func(context.Context, *admin.Client) (any, error)
	rows    func(*table, any)
}

func newShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show what the running server is doing",
		Long: `show asks the running server over its admin socket. Tables are for people and may change;
-o json is for scripts and keeps its field names (times RFC 3339, durations in seconds, octets as numbers).`,
		Example: `  lnsgate show tunnels
  lnsgate show sessions --domain sales
  lnsgate show session 12/7
  lnsgate show pools -o json | jq '.[] | select(.free < 10) | .name'`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, v := range []view{tunnelView(), sessionView(), poolView(), domainView(), radiusView(), nasView(), counterView()} {
		cmd.AddCommand(v.command())
	}
	cmd.AddCommand(newShowSessionCommand())
	return cmd
}

func (v view) command() *cobra.Command {
	var socket, output string
	cmd := &cobra.Command{
		Use: v.name, Short: v.short, Long: v.long, Example: v.example,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("there is no output format %q: use -o table or -o json", output)
			}
			client := admin.NewClient(socket)
			defer client.Close()
			got, err := v.ask(cmd.Context(), client)
			var partial *admin.PartialError
			if err != nil && !errors.As(err, &partial) {
				return err
			}
			if partial != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "lnsgate: warning:", partial)
			}
			if output == "json" {
				return writeJSON(cmd.OutOrStdout(), got)
			}
			t := newTable(cmd.OutOrStdout())
			v.rows(t, got)
			return t.flush()
		},
	}
	addSocketFlag(cmd, &socket)
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	if v.flags != nil {
		v.flags(cmd)
	}
	return cmd
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// table writes aligned columns. The first error stays and ends it.
type table struct {
	out *tabwriter.Writer
	err error
}

func newTable(w io.Writer) *table {
	return &table{out: tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
}

// row writes one line. Names come from strangers, so what could move the cursor or the columns is made visible, and an
// empty cell is a dash that columns can be counted by.
func (t *table) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = printable(fmt.Sprint(cell))
	}
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.out, strings.Join(texts, "\t"))
	}
}

func (t *table) flush() error {
	if t.err != nil {
		return t.err
	}
	return t.out.Flush()
}

func printable(text string) string {
	if text == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if !printableRune(r) {
			return '?'
		}
		return r
	}, text)
}
