package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"lnsgate/aaa"
)

// world is a node whose process dies again and again, and what must be true of it.
type world struct {
	t      *rapid.T
	cfg    Config
	sink   *memory
	spool  *Spool
	life   int
	names  int
	live   map[string]uint32     // session of this life -> its last sequence
	memory []aaa.Record          // taken since the last flush
	disk   map[string]aaa.Record // the last record of each session that is on disk
}

func (w *world) open() {
	s, err := Open(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	open := 0
	for _, r := range w.disk {
		if r.Kind != aaa.RecordStop {
			open++
		}
	}
	if s.Stats().Orphans != open {
		w.t.Fatalf("life %d: %d sessions closed, %d were open", w.life, s.Stats().Orphans, open)
	}
	for name, r := range w.disk {
		if r.Kind != aaa.RecordStop {
			r.Kind, r.Sequence, r.Terminate = aaa.RecordStop, r.Sequence+1, aaa.TerminateNASReboot
			w.disk[name] = r
		}
	}
	s.store.db.NoSync = true // a copy of the file shows what was written, synced or not
	w.spool, w.live, w.memory = s, make(map[string]uint32), nil
	w.life++
}

func (w *world) account(t *rapid.T) {
	name, kind := "", aaa.RecordStart
	if len(w.live) > 0 && rapid.Bool().Draw(t, "of an open session") {
		names := make([]string, 0, len(w.live))
		for n := range w.names {
			if name := fmt.Sprint("s", n); w.live[name] > 0 {
				names = append(names, name)
			}
		}
		name = rapid.SampledFrom(names).Draw(t, "session")
		kind = rapid.SampledFrom([]aaa.RecordKind{aaa.RecordInterim, aaa.RecordInterim, aaa.RecordStop}).Draw(t, "kind")
	} else {
		name = fmt.Sprint("s", w.names)
		w.names++
	}
	w.live[name]++
	r := record(kind, name, w.live[name])
	if kind == aaa.RecordStop {
		delete(w.live, name)
	}
	w.spool.Account(r)
	w.memory = append(w.memory, r)
}

func (w *world) flush(*rapid.T) {
	if err := w.spool.flush(); err != nil {
		w.t.Fatal(err)
	}
	for _, r := range w.memory {
		w.disk[r.Session] = r
	}
	w.memory = nil
	items, err := w.spool.store.head(1 << 20)
	if err != nil {
		w.t.Fatal(err)
	}
	interims := make(map[string]bool)
	for _, i := range items {
		if i.record.Kind == aaa.RecordInterim {
			if interims[i.record.Session] {
				w.t.Fatalf("two interims of %s wait", i.record.Session)
			}
			interims[i.record.Session] = true
		}
	}
}

// deliver hands a batch over, which the sink stores, or refuses, or stores while its answer gets lost.
func (w *world) deliver(t *rapid.T) {
	answer := rapid.SampledFrom([]string{"stored", "stored", "refused", "answer lost"}).Draw(t, "answer")
	w.sink.fault = func(records []aaa.Record) error {
		last := make(map[string]uint32)
		for _, r := range records {
			if r.Sequence <= last[r.Session] {
				w.t.Fatalf("%s after %d in one batch", word(r), last[r.Session])
			}
			last[r.Session] = r.Sequence
		}
		switch answer {
		case "refused":
			return errors.New("away")
		case "answer lost":
			w.sink.store(records)
			return errors.New("connection lost")
		}
		return nil
	}
	items, err := w.spool.store.head(rapid.IntRange(1, 8).Draw(t, "batch"))
	if err == nil && len(items) > 0 {
		err = w.spool.hand(context.Background(), items)
	}
	if (err != nil) != (answer != "stored" && len(items) > 0) {
		w.t.Fatalf("%s: %v", answer, err)
	}
}

// crash goes on with a copy of the file, as a process does that finds what kill -9 has left.
func (w *world) crash(t *rapid.T) {
	w.restart(w.read())
}

// crashWhileWriting goes on with a file into which some pages of the last group have made it, but not the page that makes
// them count: none of it has happened.
func (w *world) crashWhileWriting(t *rapid.T) {
	before := w.read()
	if err := w.spool.flush(); err != nil {
		w.t.Fatal(err)
	}
	after, page := w.read(), os.Getpagesize()
	image := append(bytes.Clone(before), make([]byte, max(0, len(after)-len(before)))...)
	for at := 2 * page; at < len(after); at += page {
		if !bytes.Equal(image[at:at+page], after[at:at+page]) && rapid.Bool().Draw(t, "page written") {
			copy(image[at:at+page], after[at:at+page])
		}
	}
	w.restart(image)
}

func (w *world) read() []byte {
	content, err := os.ReadFile(w.cfg.Path)
	if err != nil {
		w.t.Fatal(err)
	}
	return content
}

func (w *world) restart(content []byte) {
	w.spool.store.close()
	w.cfg.Path = filepath.Join(filepath.Dir(w.cfg.Path), fmt.Sprint("life", w.life))
	if err := os.WriteFile(w.cfg.Path, content, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// TestNothingIsLostOrInvented crashes at any point. In the end the sink knows the last record of each session that
// reached the disk, or the Stop that a later life made of it, and no other.
func TestNothingIsLostOrInvented(t *testing.T) {
	root := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		folder := filepath.Join(root, fmt.Sprint(run))
		defer os.RemoveAll(folder)
		w := &world{t: t, sink: newMemory(), disk: make(map[string]aaa.Record)}
		w.cfg = Config{Path: filepath.Join(folder, "f"), Sink: w.sink}
		w.open()
		defer func() { w.spool.store.close() }()
		t.Repeat(map[string]func(*rapid.T){
			"account": w.account, "flush": w.flush, "deliver": w.deliver, "crash": w.crash, "crash while writing": w.crashWhileWriting,
		})
		w.crash(t)
		w.sink.fault = nil
		for {
			items, err := w.spool.store.head(7)
			if err != nil {
				t.Fatal(err)
			}
			if len(items) == 0 {
				break
			}
			if err := w.spool.hand(context.Background(), items); err != nil {
				t.Fatal(err)
			}
		}
		if len(w.sink.newest) != len(w.disk) {
			t.Fatalf("the sink knows %d sessions, %d reached the disk", len(w.sink.newest), len(w.disk))
		}
		for name, want := range w.disk {
			got := w.sink.newest[name]
			if got.Terminate == aaa.TerminateNASReboot {
				want.At, want.Reason = got.At, got.Reason
			}
			if !same(got, want) {
				t.Fatalf("%s:\n got %+v\nwant %+v", name, got, want)
			}
		}
		if f := w.spool.Stats(); f.Open != 0 || f.Waiting != 0 {
			t.Fatalf("%+v", f)
		}
	})
}
