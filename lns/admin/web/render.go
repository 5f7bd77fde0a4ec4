package web

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"lnsgate/lns/admin"
)

//go:embed templates assets
var files embed.FS

// frame is what every view has around it.
type frame struct {
	Title   string
	Here    string // which part of the page it is, for the navigation
	Node    string
	Version string
	Actor   admin.Actor
	CSRF    string
	Notice  string // what was done a moment ago
	Warning string // why something is missing
}

// Operates says that the operator may end sessions.
func (f frame) Operates() bool { return f.Actor.Role >= admin.Operate }

// Administers says that the operator may change accounts.
func (f frame) Administers() bool { return f.Actor.Role >= admin.Administer }

// In says that somebody is logged in.
func (f frame) In() bool { return f.Actor.Role > admin.Nobody }

// frame makes that of a view.
func (a *ask) frame(here, title string) frame {
	return frame{Title: title, Here: here, Node: a.page.cfg.Node, Version: a.page.cfg.Version, Actor: a.actor, CSRF: a.visit.csrf,
		Notice: a.page.visits.said(a.visit)}
}

// views are the templates, each with the layout around it.
var views = parseViews()

func parseViews() map[string]*template.Template {
	layout := template.Must(template.New("layout.html").Funcs(words).ParseFS(files, "templates/layout.html", "templates/parts.html"))
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	all := make(map[string]*template.Template)
	for _, name := range names {
		short := strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".html")
		if short != "layout" && short != "parts" {
			all[short] = template.Must(template.Must(layout.Clone()).ParseFS(files, name))
		}
	}
	return all
}

// render writes a view whole, or says that it cannot.
func (p *Page) render(w http.ResponseWriter, status int, view string, data any) {
	var page bytes.Buffer
	if err := views[view].Execute(&page, data); err != nil {
		p.cfg.Log.Error("a view of the page cannot be made: this is a fault of lnsgate", "view", view, "cause", err)
		http.Error(w, "this view cannot be made; the log of lnsgate says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // who is gone is gone
}

func (a *ask) show(view string, data any) error {
	a.page.render(a.w, http.StatusOK, view, data)
	return nil
}

// faultView says what is wrong.
type faultView struct {
	frame
	Status        int
	Message, Hint string
}

func (a *ask) fail(err error) {
	v := faultView{frame: a.frame("", "That did not work"), Status: http.StatusInternalServerError, Message: err.Error()}
	var failure *admin.Error
	if errors.As(err, &failure) {
		v.Status, v.Message, v.Hint = failure.Status, failure.Message, failure.Hint
	}
	if v.Status == http.StatusNotFound {
		v.Title = "Not found"
	}
	a.page.render(a.w, cmp.Or(v.Status, http.StatusInternalServerError), "fault", v)
}

// asset serves a file of the page.
func (p *Page) asset(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "private, max-age=300")
	http.ServeFileFS(w, r, files, "assets/"+r.PathValue("file"))
}
