package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"time"

	"lnsgate/lns/admin"

	"github.com/spf13/cobra"
)

// captureOrder is what capture is asked for.
type captureOrder struct {
	socket, user, domain, peer, data, file string
	failed, secrets                        bool
	count                                  int
}

func newCaptureCommand() *cobra.Command {
	var o captureOrder
	cmd := &cobra.Command{
		Use:   "capture --user NAME|--domain NAME|--peer ADDRESS|--failed -w FILE|-",
		Short: "Write what one subscriber and the server say to each other, for Wireshark",
		Long: `capture writes the control messages and PPP frames of those that fit as a pcapng file, with true addresses and times. It may be
started before the call exists: what is said is held until it is known whose it is, and written then, from the first message on. The last
packet of each login has the verdict in its comment. Several conditions must all fit. Ctrl-C ends it in good order.

Passwords, challenges, responses and hidden AVPs are zeros of the same length, unless --secrets asks for them. Packets of users are left
out, unless --data asks for their headers or --data=whole for all. Every capture is logged, with who asked for it.`,
		Example: `  lnsgate capture --user anna@sales -w anna.pcapng          then let anna dial in
  lnsgate capture --failed -w failed.pcapng                 every login that fails from now on
  lnsgate capture --peer 203.0.113.9 -w - | wireshark -k -i -
  lnsgate capture --domain sales --data --count 10000 -w sales.pcapng`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	addSocketFlag(cmd, &o.socket)
	f.StringVar(&o.user, "user", "", "the name as typed, or the account")
	f.StringVar(&o.domain, "domain", "", "the domain of the login")
	f.StringVar(&o.peer, "peer", "", "the address or network that it comes from")
	f.BoolVar(&o.failed, "failed", false, "only logins that fail")
	f.StringVarP(&o.file, "write", "w", "", "the file to write; - for standard output")
	f.IntVar(&o.count, "count", 0, "end after so many packets")
	f.BoolVar(&o.secrets, "secrets", false, "show passwords and responses as they are; takes the role administer")
	f.StringVar(&o.data, "data", "none", "packets of users: none, headers or whole (which takes the role administer)")
	f.Lookup("data").NoOptDefVal = "headers"
	return cmd
}

func (o *captureOrder) query() url.Values {
	query := url.Values{"data": {o.data}}
	for name, value := range map[string]string{"user": o.user, "domain": o.domain, "peer": o.peer} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, on := range map[string]bool{"failed": o.failed, "secrets": o.secrets} {
		if on {
			query.Set(name, "true")
		}
	}
	if o.count != 0 {
		query.Set("count", strconv.Itoa(o.count))
	}
	return query
}

func (o *captureOrder) run(cmd *cobra.Command) error {
	if o.file == "" {
		return errors.New("where to? name a file: -w FILE, or -w - for standard output")
	}
	if _, err := captureRequest(o.query()); err != nil {
		return fmt.Errorf("%w\n  see: %s --help", err, cmd.CommandPath())
	}
	client := admin.NewClient(o.socket)
	defer client.Close()
	stop := cmd.Context()
	asking, cancel := context.WithCancel(context.WithoutCancel(stop))
	defer cancel()
	from, id, err := client.Capture(asking, o.query())
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := o.open(cmd)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "lnsgate: capturing; Ctrl-C ends it")
	defer context.AfterFunc(stop, func() { endCapture(client, id, cancel) })()
	n, err := io.Copy(to, from)
	if asking.Err() != nil {
		err = errors.New("the server did not end the capture in time; the file has no end, which Wireshark forgives")
	}
	if err = errors.Join(err, to.Close()); err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "lnsgate: the capture has ended, %d octets\n", n)
	}
	return err
}

// captureFarewell is how long the server may take for the end of a capture.
const captureFarewell = 5 * time.Second

// endCapture asks the server to end the capture in good order, and gives up the connection when it does not.
func endCapture(client *admin.Client, id string, giveUp context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), captureFarewell)
	defer cancel()
	if client.StopCapture(ctx, id) != nil {
		giveUp()
		return
	}
	time.AfterFunc(captureFarewell, giveUp)
}

// open makes the file, which nobody else may read.
func (o *captureOrder) open(cmd *cobra.Command) (io.WriteCloser, error) {
	if o.file == "-" {
		return standardOutput{cmd.OutOrStdout()}, nil
	}
	file, err := os.OpenFile(o.file, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := keepPrivate(file); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// keepPrivate empties a file that was there before, and takes from others the right to read it. A pipe or a device stays as it is.
func keepPrivate(file *os.File) error {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := file.Chmod(0o600); err != nil {
			return fmt.Errorf("others may read %s, and that cannot be changed: %w\n  name another file", file.Name(), err)
		}
	}
	return file.Truncate(0)
}

// standardOutput is not ours to close.
type standardOutput struct{ io.Writer }

func (standardOutput) Close() error { return nil }
