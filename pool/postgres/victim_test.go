package postgres

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// victim makes this test binary a node of its own that is killed. Its value is the address of the database.
const victim = "LNSGATE_POOL_VICTIM"

const victimLife, victimGrace = 2 * time.Second, time.Second

// beVictim allocates and releases and tells of each before and after, without a buffer.
func beVictim() {
	db, err := pgxpool.New(context.Background(), os.Getenv(victim))
	if err != nil {
		panic(err)
	}
	a, err := New(Config{Pool: db, Node: "victim", BlockLife: victimLife, LeaseLife: victimLife, Grace: victimGrace, Tick: 50 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	go a.Run(context.Background())
	if err := a.Ready(context.Background()); err != nil {
		panic(err)
	}
	var all sync.WaitGroup
	for w := range 64 {
		all.Go(func() {
			for i := 0; ; i++ {
				l, err := a.Allocate(context.Background(), pool.Request{Pools: []string{"p"}, Account: fmt.Sprint(w % 50), Holder: fmt.Sprint("victim/", w, "/", i)})
				if err != nil {
					continue
				}
				fmt.Fprintf(os.Stdout, "+ %v %s %d\n", l.Address, l.Holder, time.Now().UnixNano())
				fmt.Fprintf(os.Stdout, "- %v %s %d\n", l.Address, l.Holder, time.Now().UnixNano())
				a.Release(context.Background(), l)
			}
		})
	}
	all.Wait()
}

// read turns what a victim told into its history. What it held when it died nobody may have before until.
func (h *history) read(lines []string, until time.Time) {
	for _, line := range lines {
		var sign, text, holder string
		var at int64
		if n, _ := fmt.Sscan(line, &sign, &text, &holder, &at); n < 4 {
			continue
		}
		a := netip.MustParseAddr(text)
		if sign == "+" {
			h.holding[a] = &holding{address: a, holder: holder, from: time.Unix(0, at)}
		} else if open := h.holding[a]; open != nil {
			open.to = time.Unix(0, at)
			h.done = append(h.done, *open)
			delete(h.holding, a)
		}
	}
	h.died(until)
}

func TestANodeIsKilled(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := dial(t, dsn)
	define(t, db, makePool(t, "p", 5*time.Millisecond, "10.64.0.0/23"))
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), victim+"="+dsn), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h1, h2 := newHistory(), newHistory()
	n := open(t, Config{Pool: db, Node: "n2", BlockLife: victimLife, LeaseLife: victimLife, Grace: victimGrace, Tick: 50 * time.Millisecond})
	s := &storm{pools: []string{"p"}, limit: 15_000}
	var all sync.WaitGroup
	s.workers(t, 64, n, h2, &all)
	lines := bufio.NewScanner(out)
	var told []string
	for lines.Scan() {
		if told = append(told, lines.Text()); len(told) == 3000 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	killed := time.Now()
	cmd.Wait() //nolint:errcheck // it was killed
	all.Wait()
	t.Logf("the victim told of %d events, the other node made %d cycles", len(told), s.cycles.Load())
	// It renewed its blocks at the latest a third of their life before, and a tick.
	h1.read(told, killed.Add(victimLife/2+victimGrace))

	have := make(map[netip.Addr]bool)
	eventually(t, "all addresses are back", func() bool {
		for {
			l, err := n.Allocate(context.Background(), pool.Request{Pools: []string{"p"}, Holder: fmt.Sprint("last ", len(have))})
			if err != nil {
				return len(have) == 510
			}
			have[l.Address] = true
			h2.got(l)
		}
	})
	if owner := one[int](t, db, "SELECT count(*) FROM pool_blocks WHERE node = 'victim'") + one[int](t, db, "SELECT count(*) FROM leases WHERE node = 'victim' AND state = 'bound'"); owner != 0 {
		t.Errorf("%d rows are still the victim's", owner)
	}
	judge(t, db, h1, h2)
}

// A process that is started again does not wait for the expiry of what it held before.
func TestARestartedNodeClearsUpAfterItself(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	define(t, db, makePool(t, "p", 0, "10.0.0.0/24"))
	first := open(t, Config{Pool: db}, sized(256))
	first.get(from("p", "x"))
	first.written()
	first.die()
	second := open(t, Config{Pool: db}, sized(256))
	if e := second.Epoch(); e != 2 {
		t.Errorf("epoch %d", e)
	}
	usage, err := second.Usage(t.Context())
	if err != nil || usage[0].Leased != 0 {
		t.Errorf("%+v, %v", usage, err)
	}
	for i := range 254 {
		second.get(pool.Request{Pools: []string{"p"}, Holder: fmt.Sprint(i)})
	}
}

func TestTwoProcessesOfOneName(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	define(t, db, makePool(t, "p", 0, "10.0.0.0/24"))
	lost := make(chan []pool.Lease, 1)
	first := open(t, Config{Pool: db, Tick: 10 * time.Millisecond, Lost: func(l []pool.Lease) { lost <- l }})
	l := first.get(from("p", "x"))
	open(t, Config{Pool: db})
	if got := <-lost; len(got) != 1 || got[0] != l {
		t.Errorf("lost %+v", got)
	}
	if err := <-first.ended; err != ErrSuperseded {
		t.Errorf("Run ends with %v", err)
	}
	if _, err := first.Allocate(t.Context(), from("p", "y")); err != ErrSuperseded {
		t.Error(err)
	}
	if !strings.Contains(ErrSuperseded.Error(), "name") {
		t.Error(ErrSuperseded)
	}
}
