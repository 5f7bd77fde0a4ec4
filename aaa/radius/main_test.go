package radius

import (
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"
	"lnsgate/test/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// dial makes a group of one real server, which ends with the test and must leave no goroutine behind.
func dial(t *testing.T, address netip.AddrPort, secret string) *client.Group {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t, goleak.IgnoreCurrent()) })
	group, err := client.New(client.Config{Name: "hq", Servers: []client.Server{
		{Name: "free", Address: address.String(), Secret: aaa.NewSecret(secret)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(group.Close)
	return group
}
