package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"lnsgate/lns/host/netns"
	"lnsgate/test/radtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// legend says how to read the table.
const legend = `
Each run has a fresh server. A ratio is the median of the ratios run by run, because what disturbs a run disturbs its
reference too. 1 KB is 1024 octets.
`

// sqlLegend goes with the measurements of the group sql.
const sqlLegend = `
All of it runs against one PostgreSQL on the same cores, which syncs every commit to the disk. FreeRADIUS is Debian's,
with its own queries, schema and thread pool; it is asked over UDP by PAP, 256 requests at once from 4 ports, each for
another user and NAS-Port. Our side of an authorisation runs in this process, 256 at once: the decision of the gateway,
the lease and the row of logins, without RADIUS or L2TP around it. A rate of leases is that at which they are in the table.
`

// size is how much is measured in one run.
type size struct {
	logins    int           // set-ups as fast as they go
	paced     int           // set-ups at a fixed rate
	rate      float64       // that rate, per second
	sessions  int           // idle sessions
	idle      time.Duration // how long they idle
	transfer  time.Duration // one TCP transfer
	datagrams time.Duration // one stream of small packets
	accounts  int           // in the database of the comparisons
	radius    int           // authorisations of one run of FreeRADIUS
	people    int           // accounts in the small database; all of them log in in one load
	groups    int           // as many times that are in the great database
	asking    time.Duration // how long one RADIUS client asks
	settle    time.Duration // before it is measured: longer than a server remembers requests
	limited   time.Duration // one TCP transfer through a session with a limit
	many      int           // sessions while an operator looks
	crowd     int           // sessions whose packets are measured
	hostile   int           // datagrams per second of a flood
	rounds    int           // loads on each of the small and the great database in one run
}

// bench is one call of this program.
type bench struct {
	size     size
	runs     int
	program  string    // the binary under test
	alone    bool      // paths are measured without l2tpns
	datapath string    // of the virtual templates; empty: what the program chooses
	folder   string    // for files of the runs
	profile  string    // folder for profiles of the server; empty: none
	progress io.Writer // for the person who waits
	figures  collection
	legends  []string // of what was measured

	attendant attendant
	sql       *sqlServer               // nil before it is needed
	radius    map[bool]*radtest.Server // with and without SKIP LOCKED, once they are needed
	plain     *radtest.Server          // with accounts in SQL and no pools, once it is needed
	turns     int                      // runs of what changes its order from run to run
	seen      int                      // groups of the great database that have logged in
}

// measurement is one run of one group of figures, in a world of its own.
type measurement struct {
	name    string
	group   string // measurements that are asked for together by this name
	measure func(context.Context, *bench, *world) error
}

var measurements = []measurement{
	{"logins", "", measureLogins},
	{"memory", "", measureMemory},
	{"throughput", "", measureThroughput},
	{"packets", "", measurePackets},
	{"paths", "", measurePaths},
	{"kernel", "", measureKernel},
	{"authorisations", "sql", measureAuthorisations},
	{"leases", "sql", measureLeases},
	{"sqllogins", "sql", measureSQLLogins},
	{"million", "sql", measureMillion},
	{"radius", "", measureRADIUS},
	{"radiuslogins", "", measureRADIUSLogins},
	{"rates", "", measureRates},
	{"answering", "sql", measureAnswering},
	{"hostile", "", measureHostile},
	{"stops", "", measureStops},
	{"starts", "", measureStarts},
	{"l2tpns", "", measureBeside},
	{"softether", "", measureSoftEther},
	{"trace", "", measureTrace},
	{"many", "", measureMany},
	{"scale", "", measureScale},
	{"storm", "", measureStorm},
}

// run is the whole program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	b := &bench{progress: stderr}
	b.attendant.log = func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
	defer func() { err = errors.Join(err, b.attendant.end()) }()
	flags := b.flags(stderr)
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	if b.runs < 1 {
		return fmt.Errorf("--runs %d: at least 1 is needed", b.runs)
	}
	if b.size.accounts < 2*b.size.radius || b.size.accounts > sharedPoolSize {
		return fmt.Errorf("--accounts %d: at least twice --radius are needed, at most %d fit the pool", b.size.accounts, sharedPoolSize)
	}
	if missing := netns.Missing(); missing != "" {
		return fmt.Errorf("network namespaces need %s: run it as root", missing)
	}
	if b.folder, err = os.MkdirTemp("", "bench"); err != nil { // a short path, because unix sockets have short names
		return err
	}
	defer os.RemoveAll(b.folder)
	fmt.Fprintf(stdout, "%s; %d runs, medians; client, server and headquarters share these cores\n\n", machine(), b.runs)
	if err := b.build(ctx); err != nil {
		return err
	}
	for _, m := range chosen {
		for n := range b.runs {
			fmt.Fprintf(b.progress, "%s, run %d of %d\n", m.name, n+1, b.runs)
			if err := b.once(ctx, m); err != nil {
				return fmt.Errorf("%s, run %d: %w", m.name, n+1, err)
			}
		}
	}
	text := table(b.figures.all()) + legend + strings.Join(b.legends, "")
	if b.sql != nil {
		text += sqlLegend
	}
	_, err = io.WriteString(stdout, text)
	return err
}

// explain adds to what stands below the table.
func (b *bench) explain(legend string) {
	if !slices.Contains(b.legends, legend) {
		b.legends = append(b.legends, legend)
	}
}

func (b *bench) flags(stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintf(stderr, "bench [flags] all | sql | %s ...\n", strings.Join(names(), " | "))
		f.PrintDefaults()
	}
	f.IntVar(&b.runs, "runs", 5, "runs of each measurement")
	f.IntVar(&b.size.logins, "logins", 20000, "logins of one run at full speed")
	f.IntVar(&b.size.paced, "paced", 5000, "logins of one run at a fixed rate")
	f.Float64Var(&b.size.rate, "rate", 1000, "that rate, per second")
	f.IntVar(&b.size.sessions, "sessions", 10000, "idle sessions, at most 60000")
	f.DurationVar(&b.size.idle, "idle", 10*time.Second, "how long they idle before their memory is read")
	f.DurationVar(&b.size.transfer, "transfer", 5*time.Second, "length of one TCP transfer")
	f.DurationVar(&b.size.datagrams, "datagrams", 3*time.Second, "length of one stream of small packets")
	f.IntVar(&b.size.accounts, "accounts", 50000, "accounts in PostgreSQL, each of which logs in once in a run")
	f.IntVar(&b.size.radius, "radius", 5000, "authorisations of one run of FreeRADIUS")
	f.IntVar(&b.size.people, "people", 1000, "accounts in a small database, each of which logs in once in a load at half of --rate")
	f.IntVar(&b.size.groups, "times", 1000, "how many times as many are in the great database")
	f.IntVar(&b.size.rounds, "rounds", 5, "such loads on the small and the great database in one run")
	f.DurationVar(&b.size.asking, "asking", 10*time.Second, "how long each RADIUS client asks: twice as long as FreeRADIUS remembers requests, or more")
	f.DurationVar(&b.size.settle, "settle", 6*time.Second, "before it is measured: longer than FreeRADIUS remembers requests, 5 s")
	f.DurationVar(&b.size.limited, "limited", 10*time.Second, "length of one TCP transfer through a session with a limit")
	f.IntVar(&b.size.crowd, "crowd", 10_000, "sessions whose packets are measured")
	f.IntVar(&b.size.hostile, "hostile", 200_000, "datagrams per second of a flood")
	f.IntVar(&b.size.many, "many", 100_000, "sessions that are open while an operator looks at them")
	f.StringVar(&b.program, "program", "", "the lnsgate to measure (default: build it)")
	f.BoolVar(&b.alone, "alone", false, "measure the paths of lnsgate only, without l2tpns beside it")
	f.StringVar(&b.datapath, "datapath", "", "data path of the virtual template: tun or ebpf (default: what the program chooses)")
	f.StringVar(&b.profile, "profile", "", "write profiles of the server (perf record) to this folder; slows it a little")
	return f
}

func names() []string {
	var all []string
	for _, m := range measurements {
		all = append(all, m.name)
	}
	return all
}

// choose finds the measurements that were asked for.
func choose(asked []string) ([]measurement, error) {
	if len(asked) == 0 {
		return nil, fmt.Errorf("say what to measure: all, sql, or some of %s", strings.Join(names(), ", "))
	}
	var chosen []measurement
	for _, name := range asked {
		before := len(chosen)
		for _, m := range measurements {
			if name == m.name || name == m.group || name == "all" {
				chosen = append(chosen, m)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("%q cannot be measured: all, sql, or some of %s (flags come first)", name, strings.Join(names(), ", "))
		}
	}
	return chosen, nil
}

func (b *bench) build(ctx context.Context) error {
	if b.program != "" {
		return nil
	}
	b.program = filepath.Join(b.folder, "lnsgate")
	command := exec.CommandContext(ctx, "go", "build", "-o", b.program, "lnsgate/cmd/lnsgate")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, output)
	}
	return nil
}

// once is one run of one measurement.
func (b *bench) once(ctx context.Context, m measurement) (err error) {
	w, err := newWorld(b.folder, b.program, b.datapath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	return m.measure(ctx, b, w)
}
