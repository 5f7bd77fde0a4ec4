package arch

// room is one package of the house.
type room struct {
	level int
	pure  bool
	// may lists the rooms of ours that it may import besides everything in below.
	may []string
}

// Groups of rooms, named as DESIGN.md section 3 names them.
var (
	contracts = []string{"lns/l2tp", "lns/ppp", "lns/trace", "lns/datapath", "aaa", "pool"}
	cores     = []string{"lns/control", "lns/negotiate", "lns/authenticate", "lns/session"}
)

// rooms is the table of DESIGN.md section 3: each room, its level, and what it may import. A room imports rooms of lower
// levels only; session alone composes two rooms of its own level.
var rooms = map[string]room{
	"lns/l2tp":  {level: 0, pure: true},
	"lns/ppp":   {level: 0, pure: true},
	"lns/trace": {level: 0, pure: true},

	"lns/neighbour/dhcp6": {level: 0, pure: true},

	"lns/datapath": {level: 0, pure: true},
	"aaa":          {level: 0, pure: true},
	"aaa/fair":     {level: 0, pure: true},
	"pool":         {level: 0, pure: true},

	"lns/control":      {level: 1, pure: true, may: contracts},
	"lns/negotiate":    {level: 1, pure: true, may: contracts},
	"lns/authenticate": {level: 1, pure: true, may: contracts},
	"lns/session":      {level: 1, pure: true, may: join(contracts, "lns/negotiate", "lns/authenticate", "lns/neighbour")},
	"lns/neighbour":    {level: 1, pure: true, may: []string{"lns/neighbour/dhcp6"}},
	"lns/inform":       {level: 1}, // the types of its library are those of net
	"lns/quirk":        {level: 1, pure: true, may: []string{"lns/trace"}},
	"aaa/secret":       {level: 1, pure: true, may: []string{"aaa"}},
	"aaa/eap/packet":   {level: 1, pure: true},
	"aaa/boltfile":     {level: 1},
	"aaa/radius/udp":   {level: 1},
	"aaa/radius/wire":  {level: 1},

	"lns/transport/spread": {level: 1},

	"lns/transport":      {level: 2, may: []string{"lns/datapath", "lns/l2tp", "lns/ppp", "lns/transport/spread"}},
	"lns/datapath/tun":   {level: 2, may: []string{"lns/datapath", "lns/l2tp", "lns/ppp"}},
	"lns/datapath/ebpf":  {level: 2, may: []string{"lns/datapath"}},
	"lns/recorder":       {level: 2, may: []string{"lns/trace", "lns/ppp", "aaa"}},
	"lns/capture":        {level: 2, may: []string{"lns/trace", "lns/datapath", "lns/l2tp", "lns/ppp"}},
	"lns/host":           {level: 2, may: []string{"lns/datapath"}},
	"lns/host/netns":     {level: 2},
	"aaa/local":          {level: 2, may: []string{"aaa", "aaa/secret"}},
	"aaa/fading":         {level: 1},
	"aaa/guard":          {level: 2, may: []string{"aaa", "aaa/fading"}},
	"aaa/postgres":       {level: 2, may: []string{"aaa", "aaa/fading", "aaa/secret", "aaa/foreign"}},
	"aaa/eap":            {level: 2, may: []string{"aaa", "aaa/secret", "aaa/eap/packet"}},
	"aaa/spool":          {level: 2, may: []string{"aaa", "aaa/boltfile"}},
	"aaa/foreign":        {level: 1, may: []string{"aaa", "aaa/fair", "pool"}},
	"aaa/foreign/file":   {level: 2, may: []string{"aaa", "aaa/foreign", "aaa/boltfile", "pool"}},
	"aaa/radius/dialect": {level: 2, may: []string{"aaa", "aaa/radius/wire"}},
	"aaa/radius/client":  {level: 2, may: []string{"aaa", "aaa/radius/udp", "aaa/radius/wire"}},
	"pool/memory":        {level: 2, may: []string{"pool"}},
	"pool/postgres":      {level: 2, may: []string{"pool"}},
	"migrations":         {level: 2},
	"configs":            {level: 2},

	"aaa/radius":         {level: 3, may: []string{"aaa", "aaa/secret", "aaa/radius/wire", "aaa/radius/client", "aaa/radius/dialect", "aaa/spool"}},
	"aaa/radius/order":   {level: 3, may: []string{"aaa", "aaa/foreign", "aaa/radius/wire", "aaa/radius/client", "aaa/radius/dialect"}},
	"aaa/radius/dynauth": {level: 3, may: []string{"aaa", "aaa/radius/udp", "aaa/radius/wire", "aaa/radius/dialect"}},

	"lns": {level: 3, may: join(contracts, join(cores, "lns/quirk", "lns/inform", "lns/neighbour", "lns/transport", "lns/recorder")...)},

	"lns/admin":         {level: 4, may: []string{"lns", "lns/trace", "aaa", "aaa/secret", "pool"}},
	"lns/admin/web":     {level: 5, may: []string{"lns/admin", "lns/trace", "aaa"}},
	"lns/admin/metrics": {level: 4, may: []string{"aaa", "pool"}},
	"aaa/radiusserver":  {level: 4, may: []string{"lns", "lns/trace", "aaa", "aaa/fair", "pool", "aaa/secret", "aaa/radius/udp", "aaa/radius/wire", "aaa/radius/dialect"}},
	"lns/lac": {level: 4, may: join(contracts, join(cores, "lns/neighbour", "lns", "aaa/secret", "lns/transport",
		"lns/datapath/tun")...)},
}

// suites are the conformance suites and the fakes beside a contract, and what they may import. They are for tests,
// whoever owns those.
var suites = map[string][]string{
	"lns/datapath/datapathtest": {"lns/datapath"},
	"aaa/aaatest":               {"aaa", "aaa/secret"},
	"aaa/foreign/foreigntest":   {"aaa", "aaa/foreign", "pool"},
	"pool/pooltest":             {"pool"},
}

// The folders beside the table: the program may import everything, test everything but the program.
const (
	program   = "cmd/lnsgate"
	testRooms = "test"
)

// libraries lists the outside packages that only some rooms may use. Tests inside those rooms may too.
var libraries = []struct {
	path  string
	rooms []string
}{
	{"github.com/spf13/viper", []string{"configs"}},
	{"github.com/go-viper/mapstructure", []string{"configs"}},
	{"github.com/spf13/cobra", []string{program}},
	{"github.com/vishvananda/netlink", []string{"lns/host", "lns/host/netns", "lns/datapath/tun", "lns/datapath/ebpf"}},
	{"github.com/cilium/ebpf", []string{"lns/datapath/ebpf", "test/bench/frames"}},
	{"github.com/tailscale/wireguard-go", []string{"lns/datapath/tun"}},
	{"github.com/jackc/pgx", []string{"aaa/postgres", "pool/postgres", "migrations", "test/pgtest", "test/e2e", "test/bench", "test/radtest"}},
	{"github.com/go-crypt/x", []string{"aaa/secret"}},
	{"github.com/insomniacslk/dhcp", []string{"lns/neighbour/dhcp6", "lns/inform"}},
	{"go.etcd.io/bbolt", []string{"aaa/boltfile", "aaa/spool", "aaa/foreign/file"}},
	{"github.com/prometheus/client_golang", []string{"lns/admin/metrics"}},
	{"github.com/pressly/goose", []string{"migrations"}},
	{"layeh.com/radius", []string{"aaa/radius", "aaa/radius/wire", "aaa/radius/client", "aaa/radius/dialect", "aaa/radius/dynauth",
		"aaa/radius/order", "aaa/radiusserver", "aaa/secret", "test/bench"}},
}

// join makes a new list of all names.
func join(list []string, more ...string) []string {
	return append(append([]string(nil), list...), more...)
}
