package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"lnsgate/lns/admin"
)

// importPath is the only form that may be large.
const importPath = "/ui/import"

// Bounds of imports.
const (
	maxImport  = 16 << 20 // octets of a file, which holds passwords and is kept in memory alone
	importTime = time.Hour
	uploadTime = 2 * time.Minute
)

// imports is the import that runs, or ran last: one at a time. It is safe for concurrent use.
type imports struct {
	mu   sync.Mutex
	last importState
	stop context.CancelFunc
	over bool // none may begin any more
	work sync.WaitGroup
}

// importState is how far an import is.
type importState struct {
	File      string
	By        string
	Began     time.Time
	Ended     time.Time
	Done, All int
	Result    ImportResult
	Fault     string
}

// Running says that it is not over.
func (s importState) Running() bool { return !s.Began.IsZero() && s.Ended.IsZero() }

// Some says that there was one.
func (s importState) Some() bool { return !s.Began.IsZero() }

func (i *imports) state() importState {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.last
}

// begin takes the place of the one import that may run. The error is an *admin.Error.
func (i *imports) begin(s importState, stop context.CancelFunc) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.over {
		return &admin.Error{Status: http.StatusServiceUnavailable, Message: "the server is stopping: nothing was imported", Hint: "try again in a moment"}
	}
	if i.last.Running() {
		return &admin.Error{Status: http.StatusConflict, Message: "another import is under way", Hint: "wait until it is over"}
	}
	i.last, i.stop = s, stop
	i.work.Add(1)
	return nil
}

func (i *imports) progress(done, all int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last.Done, i.last.All = done, all
}

func (i *imports) end(result ImportResult, err error, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	defer i.work.Done()
	i.last.Result, i.last.Ended = result, now
	if err != nil {
		i.last.Fault = err.Error()
	}
}

// close ends the import that runs, and returns once it is over. None begins after it.
func (i *imports) close() {
	i.mu.Lock()
	i.over = true
	if i.stop != nil {
		i.stop()
	}
	i.mu.Unlock()
	i.work.Wait()
}

// importPage is the form, and how far the last import is.
type importPage struct {
	frame
	State importState
	Can   bool
}

func (p *Page) importView(a *ask) error {
	return a.show("import", importPage{a.frame("users", "Import users"), p.imports.state(), p.cfg.Import != nil})
}

func (p *Page) startImport(a *ask) error {
	if p.cfg.Import == nil {
		return &admin.Error{Status: http.StatusNotImplemented, Message: "nothing can be imported: this server has no database"}
	}
	file, head, err := a.FormFile("file")
	if err != nil {
		return &admin.Error{Status: http.StatusBadRequest, Message: "there is no file in the form", Hint: "choose a CSV file"}
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(admin.WithActor(context.WithoutCancel(a.Context()), a.actor), importTime)
	if err := p.imports.begin(importState{File: head.Filename, By: a.actor.Name, Began: p.cfg.Now()}, stop); err != nil {
		stop()
		return err
	}
	update := a.PostForm.Get("update") == "yes"
	go func() {
		defer stop()
		result, err := p.cfg.Import(ctx, bytes.NewReader(text), update, p.imports.progress)
		fault := err
		if fault == nil && len(result.Faults) > 0 {
			fault = errors.New(result.Faults[0])
		}
		p.server.Audit(ctx, "import users", head.Filename, result.stored(), fault) // what was stored before a fault is stored
		p.imports.end(result, err, p.cfg.Now())
	}()
	return a.back("/ui/import", "The import of %s has begun.", head.Filename)
}
