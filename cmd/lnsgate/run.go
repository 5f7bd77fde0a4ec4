package main

import (
	"context"
	"errors"
	"os"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/lns/transport"

	"golang.org/x/sync/errgroup"
)

// farewell is how long peers may take to acknowledge our goodbye.
const farewell = 5 * time.Second

// run serves until the context ends. The readers go on until the peers have acknowledged the goodbye.
func (n *node) run(ctx context.Context, hangups <-chan os.Signal) (err error) {
	defer func() { err = errors.Join(err, n.close()) }()
	operator, err := n.newAdmin()
	if err != nil {
		return err
	}
	if n.db != nil {
		n.db.start()
		n.db.settle(ctx)
	}
	domains, _ := n.gateway.domains()
	n.books.settle(ctx, domains)
	n.answering.start()
	addresses, templates, socket := n.transport.Addrs(), templateNames(n.config), n.config.AdminSocket // a reload may come any moment
	reading, stopReading := context.WithCancel(context.Background())
	defer stopReading()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return n.transport.Run(reading, func(int) transport.Receiver { return n.captures.Receiver(n.engine.Receiver()) })
	})
	group.Go(func() error { return operator.Serve(ctx, n.operator) })
	n.operators.serve(ctx, operator, group)
	if n.page != nil {
		group.Go(func() error { return n.page.Run(ctx) })
	}
	group.Go(func() error { return n.watch(ctx, hangups) })
	group.Go(func() error { return n.guard(ctx) })
	if n.db != nil {
		group.Go(func() error { return n.followDatabase(ctx) })
		group.Go(func() error { return n.dropLost(ctx) })
	}
	group.Go(func() error {
		<-ctx.Done()
		n.tell(notifyStopping)
		n.sayGoodbye()
		stopReading()
		return n.captures.Close() // with the verdict of that
	})
	n.log.Info("serving", "listen", addresses, "virtual_templates", templates, "admin_socket", socket)
	n.tell(notifyReady)
	// The sockets are closed first, so that nothing is on its way to a peer any more when the devices go.
	return errors.Join(group.Wait(), n.transport.Close())
}

// guard ends the server when a virtual template's device is gone: the logins that it went on accepting would carry
// nothing. Peers are told goodbye and dial again; the service manager starts a new server with new devices.
func (n *node) guard(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-n.path.Failed():
		return err
	}
}

func (n *node) sayGoodbye() {
	n.log.Info("stopping", "sessions", n.engine.SessionCount())
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	n.engine.Close(ctx)
}

// watch reloads at every hangup signal.
func (n *node) watch(ctx context.Context, hangups <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangups:
			n.tell(notifyReloading)
			var inForce *admin.InForceError // reload has logged it
			if _, err := n.reload(ctx); err != nil && !errors.As(err, &inForce) {
				n.log.Error("the configuration is not changed", "file", n.file, "cause", err)
			}
			n.tell(notifyReady)
		}
	}
}

func (n *node) tell(state string) {
	if err := notify(state); err != nil {
		n.log.Warn("service manager", "cause", err)
	}
}
