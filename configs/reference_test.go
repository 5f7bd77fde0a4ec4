package configs

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// compareValues lets cmp look into the types that hide their fields.
var compareValues = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b Secret) bool { return a == b }),
	cmp.Comparer(func(a, b URL) bool { return a == b }),
	cmp.Transformer("empty", func(l []string) []string { return append([]string{}, l...) }),
	cmp.Transformer("empty", func(l []Secret) []Secret { return append([]Secret{}, l...) }),
	cmp.Transformer("empty", func(l []netip.Addr) []netip.Addr { return append([]netip.Addr{}, l...) }),
	cmp.Transformer("empty", func(l []netip.Prefix) []netip.Prefix { return append([]netip.Prefix{}, l...) }),
	cmp.Transformer("empty", func(l []netip.AddrPort) []netip.AddrPort { return append([]netip.AddrPort{}, l...) }),
	cmp.Transformer("empty", func(l []EAPMethod) []EAPMethod { return append([]EAPMethod{}, l...) }),
	cmp.Transformer("empty", func(l []Method) []Method { return append([]Method{}, l...) }),
	cmp.Transformer("empty", func(l []Exclusion) []Exclusion { return append([]Exclusion{}, l...) }),
}

func parseGood(t *testing.T, text []byte, name string) *Config {
	t.Helper()
	cfg, warnings, err := Parse(text, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Errorf("%s: %v", name, w)
	}
	return cfg
}

func TestReferenceHoldsTheDefaults(t *testing.T) {
	want := Default()
	want.Node = hostNode()
	want.SpoolDir = "/var/lib/lnsgate"
	want.Admin = Admin{
		Listen:    []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8443")},
		Operators: []Operator{{Name: "monitor", Role: View, TokenSHA256: "5b0f9d8a3c7e41f62d94b8077ae1c35f60d2e98b4c13a7f5e0867bd92f4c1a3e"}},
	}
	want.Headquarters = []Headquarters{{Name: "office", Network: netip.MustParsePrefix("192.168.1.0/24")}}
	server, radius := defaultRADIUSServer(), defaultRADIUS()
	server.Address, server.Secret = "192.0.2.10", NewSecret("f2c1a7e09b3d4c58a6e1d0b7f4392c5e")
	radius.Name, radius.Servers = "radius", []RADIUSServer{server}
	want.RADIUS = []RADIUS{radius}
	want.DynamicAuthorization = DynamicAuthorization{
		Listen:  []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:3799")},
		Clients: []AuthorizationClient{{Source: netip.MustParsePrefix("192.0.2.10/32"), Secret: server.Secret}},
	}
	nas := defaultRADIUSClient()
	nas.Name, nas.Source, nas.Secret = "router1", netip.MustParsePrefix("192.0.2.7/32"), NewSecret("5d8c0b7e6f1a49d3b2c4e7f8a1063d95")
	want.RADIUSService = defaultRADIUSService()
	want.RADIUSService.Clients = []RADIUSClient{nas}
	template := defaultVirtualTemplate()
	template.Name, template.Address = "vt1", netip.MustParsePrefix("10.10.0.1/32")
	want.VirtualTemplates = []VirtualTemplate{template}
	group := defaultL2TPGroup()
	group.Name, group.VirtualTemplate = "default", "vt1"
	want.L2TPGroups = []L2TPGroup{group}
	domain := defaultDomain()
	domain.Name, domain.Pools = "default", []string{"pool1"}
	want.Domains = []Domain{domain}
	filter := defaultFilter()
	filter.Name = "office"
	filter.Rules = []FilterRule{{
		Action: AllowPackets, To: netip.MustParsePrefix("192.168.1.0/24"), Protocol: ProtocolTCP,
		Ports: []Ports{443, PortRange(8000, 8100)}, Types: []int{},
	}}
	want.Filters = []Filter{filter}
	pool := defaultPool()
	pool.Name = "pool1"
	pool.Ranges = []Range{{First: netip.MustParseAddr("10.10.1.10"), Last: netip.MustParseAddr("10.10.1.250")}}
	want.Pools = []Pool{pool}
	want.Users = []User{{Name: "l2tpuser", Password: NewSecret("Admin@123")}}
	if diff := cmp.Diff(want, parseGood(t, Reference(), "reference.yaml"), compareValues); diff != "" {
		t.Errorf("reference.yaml differs from the defaults (-default +file):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	d := Default()
	for _, c := range []struct{ name, got, want any }{
		{"listen", fmt.Sprint(d.Listen), "[0.0.0.0:1701 [::]:1701]"},
		{"limits", d.Limits, Limits{65000, 60000, 65000, 4096, 1024, 256, 50, 256, 16384, 30 * time.Second, time.Minute}},
		{"database", d.Database, Database{PoolConnections: 16, StatementTimeout: 5 * time.Second, BlockSize: 256, LeaseLife: 4 * time.Hour}},
		{"udp", d.UDP, UDP{0, SpreadPeers, Auto, Auto, 8 << 20, 32 << 20, 1701}},
		{"methods", fmt.Sprint(defaultVirtualTemplate().PPPAuthentication), "[chap mschapv2 pap]"},
		{"quarantine", defaultPool().Quarantine, time.Minute},
	} {
		if c.got != c.want {
			t.Errorf("%v: %v, want %v", c.name, c.got, c.want)
		}
	}
}

// Every key that the types know stands in reference.yaml.
func TestReferenceNamesEveryKey(t *testing.T) {
	var document yaml.Node
	if err := yaml.Unmarshal(Reference(), &document); err != nil {
		t.Fatal(err)
	}
	missing := missingKeys("", document.Content[0], reflect.TypeFor[Config]())
	if len(missing) > 0 {
		t.Errorf("reference.yaml does not name %v", missing)
	}
	extra := reflect.StructOf(append(reflect.VisibleFields(reflect.TypeFor[Log]()),
		reflect.StructField{Name: "Colour", Type: reflect.TypeFor[bool](), Tag: `mapstructure:"colour"`}))
	if got := missingKeys("", document.Content[0], extra); len(got) != 3 {
		t.Errorf("the test cannot fail: %v", got)
	}
}

func missingKeys(path string, n *yaml.Node, t reflect.Type) (missing []string) {
	if t.Kind() == reflect.Slice {
		if isScalar(t.Elem()) {
			return nil
		}
		return missingKeys(path+"[0]", n.Content[0], t.Elem())
	}
	for i := range t.NumField() {
		at := join(path, keyOf(t.Field(i)))
		value := valueOf(n, keyOf(t.Field(i)))
		switch {
		case value == nil:
			missing = append(missing, at)
		case !isScalar(t.Field(i).Type):
			missing = append(missing, missingKeys(at, value, t.Field(i).Type)...)
		}
	}
	return missing
}

func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func TestMinimalIsTheTableOfTheSeed(t *testing.T) {
	cfg := parseGood(t, Minimal(), "minimal.yaml")
	template, group, user := cfg.VirtualTemplates[0], cfg.L2TPGroups[0], cfg.Users[0]
	for _, c := range []struct{ name, got, want any }{
		{"listen", fmt.Sprint(cfg.Listen), "[0.0.0.0:1701 [::]:1701]"},
		{"template", template.Name, "vt1"},
		{"address", template.Address.String(), "10.10.0.1/32"},
		{"methods", fmt.Sprint(template.PPPAuthentication), "[chap]"},
		{"mru", template.MRU, 1460},
		{"group", group.VirtualTemplate, "vt1"},
		{"tunnel name", group.TunnelName, "LNS"},
		{"tunnel authentication", group.TunnelAuthentication, false},
		{"pool", fmt.Sprint(cfg.Pools[0].Ranges), "[10.10.1.10-10.10.1.250]"},
		{"user", user.Name, "l2tpuser"},
		{"password", user.Password.Reveal(), "Admin@123"},
	} {
		if c.got != c.want {
			t.Errorf("%v: %v, want %v", c.name, c.got, c.want)
		}
	}
}
