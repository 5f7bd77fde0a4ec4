package postgres

import (
	"context"
	"errors"
	"testing"
)

func TestAdminTellsWhatNodesHold(t *testing.T) {
	a, pool := openAdmin(t)
	run(t, pool, `INSERT INTO nodes(name, epoch, heartbeat_at, lease_life, address, version) VALUES
			('lns3', 7, now() - interval '1 hour', '4 h', '192.0.2.3', 'v9'), ('lns4', 2, now(), NULL, NULL, NULL);
		INSERT INTO sessions(id, node, epoch, name, account) VALUES ('s', 'lns3', 7, 'a', 'a'), ('t', 'lns3', 6, 'a', 'a');
		INSERT INTO sessions(id, node, name, account, nas) VALUES ('w', 'lns3', 'a', 'a', 'branch');
		INSERT INTO leases(address, holder, node, epoch, state, expires_at) VALUES ('10.1.0.1', 's', 'lns3', 7, 'bound', NULL), ('10.1.0.2', 'x', 'lns3', 7, 'quarantine', now());
		INSERT INTO pool_blocks(routing_context, first_address, last_address, pool, node, epoch, expires_at) VALUES ('default', '10.1.0.0', '10.1.0.7', 'p', 'lns3', 7, now())`)
	list, err := a.NodeHoldings(context.Background(), "")
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	dead, alive := list[0], list[1]
	if dead.Sessions != 2 || dead.Leases != 1 || dead.Blocks != 1 || dead.DeadSince == nil || !dead.DeadSince.Equal(dead.HeartbeatAt) ||
		dead.Silent < 3600 || dead.Silent > 4000 || *dead.LeaseLife != 4*3600 || dead.Address.String() != "192.0.2.3" || *dead.Version != "v9" {
		t.Errorf("%+v", dead)
	}
	if alive.DeadSince != nil || alive.Silent > 60 || alive.LeaseLife != nil || alive.Sessions+alive.Leases+alive.Blocks != 0 {
		t.Errorf("%+v", alive)
	}
	if list, err = a.NodeHoldings(context.Background(), "lns4"); err != nil || len(list) != 1 || list[0].Name != "lns4" {
		t.Errorf("%+v %v", list, err)
	}
}

func TestAdminForgetsANode(t *testing.T) {
	a, pool := openAdmin(t)
	ctx := context.Background()
	run(t, pool, `INSERT INTO nodes(name, epoch, heartbeat_at) VALUES ('lns3', 7, now() - interval '1 hour'), ('lns4', 2, now());
		INSERT INTO leases(address, holder, node, epoch) VALUES ('10.1.0.1', 's', 'lns3', 7)`)
	var fault *AdminError
	if _, err := a.ForgetNode(ctx, "lns4", false); !errors.As(err, &fault) || fault.Text != "node lns4 was heard 0 seconds ago: it is not dead" || fault.Advice == "" {
		t.Errorf("one that is well: %v", err)
	}
	if _, err := a.ForgetNode(ctx, "lns9", true); !errors.As(err, &fault) || fault.Text != "there is no node lns9" {
		t.Errorf("one that is not there: %v", err)
	}
	if got, err := a.ForgetNode(ctx, "lns3", false); err != nil || got != (Forgotten{Leases: 1}) {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := a.ForgetNode(ctx, "lns4", true); err != nil {
		t.Error(err)
	}
	if list, err := a.NodeHoldings(ctx, ""); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
}
