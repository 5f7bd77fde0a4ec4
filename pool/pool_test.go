package pool

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestPoolValidateReportsEveryFault(t *testing.T) {
	r := func(s string) Range { return mustRange(t, s) }
	for _, c := range []struct {
		pool Pool
		want []string
	}{
		{Pool{Name: "a", Ranges: []Range{r("10.0.0.1")}}, nil},
		{Pool{}, []string{"it has no name", "it has no range"}},
		{Pool{Name: "a", Ranges: []Range{{}, r("10.0.0.1"), r("10.0.0.0/30")}},
			[]string{"range 1 is not a range", "10.0.0.1 is of another", "10.0.0.3 is of another", "10.0.0.3 overlaps range 10.0.0.1"}},
		{Pool{Name: "a", Ranges: []Range{r("10.0.0.0/30")}, Exclude: []Range{r("10.0.0.0/24")}}, []string{"leave no address"}},
	} {
		err := c.pool.Validate()
		if (err == nil) != (c.want == nil) {
			t.Errorf("%+v: %v", c.pool, err)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v; want %q in it", c.pool, err, want)
			}
		}
	}
}

func TestErrorsSpeakToTheAdministrator(t *testing.T) {
	a := netip.MustParseAddr("10.0.0.1")
	for _, c := range []struct {
		err  error
		want string
	}{
		{&ExhaustedError{Pools: []Usage{{Pool: "a", Size: 4, Leased: 1, Quarantined: 2, Static: 1}, {Pool: "b"}}},
			"no free address (pool a: 1 of 4 leased, 2 in quarantine, 1 static; pool b: 0 of 0 leased, 0 in quarantine, 0 static)"},
		{&ExhaustedError{Pools: []Usage{{Pool: "a", Size: 4, Leased: 4}}, Idle: Idle{Holder: "bob (session 12/7)", For: 3 * time.Hour}},
			"no free address (pool a: 4 of 4 leased, 0 in quarantine, 0 static); idle the longest is bob (session 12/7), 3h0m0s"},
		{&UnknownPoolError{Name: "c"}, `there is no pool named "c"`},
		{&InUseError{Address: a, Holder: "3/7"}, "address 10.0.0.1 is in use by 3/7"},
		{&ReservedError{Address: a, Account: "bob"}, `address 10.0.0.1 is reserved for account "bob"`},
	} {
		if c.err.Error() != c.want {
			t.Errorf("%T says %q, want %q", c.err, c.err, c.want)
		}
	}
}

func TestUsageFree(t *testing.T) {
	for _, c := range []struct {
		usage Usage
		want  uint64
	}{
		{Usage{Size: 10, Leased: 3, Quarantined: 2, Static: 1}, 4},
		{Usage{Size: 3, Leased: 3}, 0},
		{Usage{Size: 3, Leased: 9}, 0},
	} {
		if got := c.usage.Free(); got != c.want {
			t.Errorf("%+v: %d free, want %d", c.usage, got, c.want)
		}
	}
}
