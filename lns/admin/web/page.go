package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
)

// Config is what a [Page] needs.
type Config struct {
	Operators *admin.Operators                         // who may log in
	Watch     func(context.Context) <-chan trace.Event // what happens from now on; nil: logins are not counted
	Stored    bool                                     // accounts are in a database, where they can be changed
	Import    Import                                   // accounts from a file; nil: not offered
	Node      string                                   // the name of this server, for the title
	Version   string                                   // of the program
	Now       func() time.Time                         // nil: time.Now
	Log       *slog.Logger                             // nil: none
}

// Import adds the accounts of a CSV file, or changes those that are there when update is set. It tells now and then how many rows of
// how many are done. Who asks stands in the context.
type Import func(ctx context.Context, file io.Reader, update bool, progress func(done, all int)) (ImportResult, error)

// ImportResult is what came of an import. With faults nothing was changed; beside an error it tells what was stored before.
type ImportResult struct {
	Added, Changed int
	Faults         []string // each with its line
}

// stored is what was stored, in words.
func (r ImportResult) stored() string { return num(r.Added) + " added, " + num(r.Changed) + " changed" }

// Page answers browsers. Make it with New, hang its Mounts and Who into an admin.Server, tell it that server with Serve, and let Run
// run beside it. It owns who is logged in, the history of the last day, and imports that run.
type Page struct {
	cfg      Config
	server   *admin.Server
	visits   visits
	history  *history
	imports  imports
	refusals refusals
	mux      *http.ServeMux
	forgery  *http.CrossOriginProtection
}

// New makes a page.
func New(cfg Config) *Page {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Page{cfg: cfg, history: newHistory(), forgery: http.NewCrossOriginProtection()}
	p.visits.init()
	p.mux = p.routes()
	return p
}

// Ask tells the server whose interface the page shows. It is called once, before the first request.
func (p *Page) Ask(server *admin.Server) { p.server = server }

// Mounts are what the page answers. Everybody may open it, to log in.
func (p *Page) Mounts() []admin.Mount {
	return []admin.Mount{
		{Pattern: "/ui/", Role: admin.Nobody, Handler: p, About: "The page for browsers, which has its own log-in.", Media: "text/html"},
		{Pattern: "GET /{$}", Role: admin.Nobody, Handler: http.RedirectHandler("/ui/", http.StatusSeeOther)},
	}
}

// Who tells whose log-in a request carries.
func (p *Page) Who(r *http.Request) (admin.Actor, bool) {
	_, actor, ok := p.visitOf(r)
	return actor, ok
}

// policy lets the browser load and send to this server alone, run no script and apply no style that stands inline, and show the page
// in no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Content-Security-Policy":      policy,
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
		"Cache-Control":                "no-store",
	} {
		w.Header().Set(name, value)
	}
	if r.TLS != nil {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
	p.mux.ServeHTTP(w, r)
}

// Run counts sessions and logins until ctx ends.
func (p *Page) Run(ctx context.Context) error {
	var feed <-chan trace.Event
	if p.cfg.Watch != nil {
		feed = p.cfg.Watch(ctx)
	}
	p.sample(ctx)
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		select {
		case e, more := <-feed:
			if !more {
				feed = nil
				continue
			}
			p.history.count(&e, p.cfg.Now())
		case <-minute.C:
			p.sample(ctx)
		case <-ctx.Done():
			p.imports.close()
			return nil
		}
	}
}

// sample writes down how many sessions are open.
func (p *Page) sample(ctx context.Context) {
	self := &ask{Request: (&http.Request{RemoteAddr: "page"}).WithContext(ctx), page: p, actor: admin.Actor{Name: "the page's history", Role: admin.View, From: "page"}}
	if open, err := self.openSessions(); err == nil {
		p.history.sample(open, p.cfg.Now())
	} else if ctx.Err() == nil {
		p.cfg.Log.Warn("the page's history misses a minute: the sessions cannot be counted", "cause", err)
	}
}
