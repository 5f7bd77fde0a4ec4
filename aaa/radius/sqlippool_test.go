package radius

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"lnsgate/test/pgtest"
	"lnsgate/test/radtest"
)

// TestSqlippoolGivesNoAddressTwice has 500 users log in over a few tunnels. FreeRADIUS keys its leases by NAS-Port: two live
// sessions with the same would share an address.
func TestSqlippoolGivesNoAddressTwice(t *testing.T) {
	const users = 500
	var list strings.Builder
	for i := range users {
		fmt.Fprintf(&list, "user%d@sales.example Cleartext-Password := \"secret\", Pool-Name := \"main\"\n", i)
	}
	server := radtest.Start(t, radtest.Options{
		Users: list.String(), Database: pgtest.New(t).Config().ConnString(), SkipLocked: true,
		Pools: []radtest.Pool{{Name: "main", First: netip.MustParseAddr("10.9.0.1"), Size: users}},
	})
	b := newBackend(t, dial(t, server.Auth(), server.Secret()), nil)
	var mu sync.Mutex
	given := make(map[netip.Addr]string)
	work := errgroup.Group{}
	work.SetLimit(16)
	ctx := within(t)
	for i := range users {
		name := fmt.Sprintf("user%d@sales.example", i)
		q := query(t, name, pap("secret"))
		q.Request.Session = fmt.Sprintf("session-%d", i)
		q.Request.LocalTunnel, q.Request.LocalSession = uint16(1+i%5), uint16(1+i/5)
		work.Go(func() error {
			g, err := b.Authenticate(ctx, q)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if other, taken := given[g.Address]; taken || !g.Address.IsValid() {
				t.Errorf("%s got %v, which %q has", name, g.Address, other)
			}
			given[g.Address] = name
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(given) != users {
		t.Errorf("%d addresses", len(given))
	}
}
