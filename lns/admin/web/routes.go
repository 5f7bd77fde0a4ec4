package web

import (
	"net/http"

	"lnsgate/lns/admin"
)

// routes are all views and everything that a form can do, each with the role that it takes.
func (p *Page) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ui/assets/{file}", p.asset)
	mux.HandleFunc("GET /ui/login", p.loginForm)
	mux.HandleFunc("POST /ui/login", p.login)
	for _, r := range []struct {
		pattern string
		role    admin.Role
		do      handler
	}{
		{"POST /ui/logout", admin.View, p.logout},
		{"GET /ui/{$}", admin.View, p.overview},
		{"GET /ui/events", admin.View, p.events},
		{"GET /ui/sessions", admin.View, p.sessions},
		{"GET /ui/session", admin.View, p.session},
		{"POST /ui/session/kick", admin.Operate, p.kick},
		{"GET /ui/logins", admin.View, p.logins},
		{"GET /ui/login/one", admin.View, p.attempt},
		{"GET /ui/test", admin.Operate, p.trial},
		{"POST /ui/test", admin.Operate, p.tryLogin},
		{"GET /ui/causes", admin.View, p.causes},
		{"GET /ui/pools", admin.View, p.pools},
		{"GET /ui/pool", admin.View, p.pool},
		{"GET /ui/domains", admin.View, p.domains},
		{"GET /ui/users", admin.View, p.users},
		{"GET /ui/user", admin.View, p.user},
		{"POST /ui/users/add", admin.Administer, p.addUser},
		{"POST /ui/user/block", admin.Administer, p.blockUser},
		{"POST /ui/user/password", admin.Administer, p.setPassword},
		{"POST /ui/user/delete", admin.Administer, p.deleteUser},
		{"GET " + importPath, admin.Administer, p.importView},
		{"POST " + importPath, admin.Administer, p.startImport},
		{"GET /ui/changes", admin.View, p.changes},
		{"/ui/", admin.View, lost},
	} {
		mux.HandleFunc(r.pattern, p.only(r.role, r.do))
	}
	return mux
}

func lost(a *ask) error {
	return &admin.Error{Status: http.StatusNotFound, Message: "there is no view at " + a.URL.Path, Hint: "choose one above"}
}
