package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"lnsgate/configs"

	"github.com/spf13/cobra"
)

func newServeCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve -c FILE",
		Short: "Run the L2TP network server",
		Long: `serve reads the configuration file, makes the interfaces of its virtual templates and lets people dial in, until it is
interrupted. It then says goodbye to every peer and leaves nothing behind on this host.

SIGHUP, or lnsgate reload, reads users, domains and pools again without touching sessions that the change does not concern;
a file with a fault changes nothing. It needs CAP_NET_ADMIN and /dev/net/tun.`,
		Example: `  lnsgate check -c /etc/lnsgate/lnsgate.yaml     look for faults first
  lnsgate serve -c /etc/lnsgate/lnsgate.yaml
  lnsgate show sessions                          from another terminal`,
		Args: fileByFlag,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), file) },
	}
	addConfigFlag(cmd, &file)
	return cmd
}

// serve runs until the context ends, or until something it cannot do without has failed.
func serve(ctx context.Context, file string) error {
	if file == "" {
		return errors.New("name the configuration file: lnsgate serve -c FILE (to try without one: lnsgate demo)")
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // first, or one that comes during the start kills us
	defer signal.Stop(hangups)
	config, warnings, err := loadConfig(file)
	if err != nil {
		return fmt.Errorf("%s cannot be used:\n%w", file, err)
	}
	log := newLogger(config.Log)
	for _, w := range warnings {
		log.Warn("configuration", "file", file, "warning", w.String())
	}
	defer allowGarbage()()
	n, err := newNode(config, file, log)
	if err != nil {
		return err
	}
	return n.run(ctx, hangups)
}

func newLogger(c configs.Log) *slog.Logger {
	levels := map[configs.LogLevel]slog.Level{
		configs.Debug: slog.LevelDebug, configs.Info: slog.LevelInfo, configs.Warn: slog.LevelWarn, configs.Error: slog.LevelError,
	}
	options := &slog.HandlerOptions{Level: levels[c.Level]}
	if c.Format == configs.JSON {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}
