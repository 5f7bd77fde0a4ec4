package web

import (
	"net/http"
	"net/url"
	"strings"

	"lnsgate/lns/admin"
)

// usersView is a page of the accounts that match.
type usersView struct {
	frame
	Match, Domain, Status string
	Users                 []admin.User
	First, Next           string
	Stored                bool // accounts can be added
	CanImport             bool
}

func (p *Page) users(a *ask) error {
	q := a.URL.Query()
	v := usersView{frame: a.frame("users", "Users"), Match: strings.TrimSpace(q.Get("match")), Domain: strings.TrimSpace(q.Get("domain")), Status: q.Get("status"),
		Stored: p.cfg.Stored, CanImport: p.cfg.Import != nil}
	kept := url.Values{}
	for name, value := range map[string]string{"match": v.Match, "domain": v.Domain, "status": v.Status} {
		if value != "" {
			kept.Set(name, value)
		}
	}
	given := url.Values{"limit": {pageRows}}
	for name, values := range kept {
		given[name] = values
	}
	if after := q.Get("after"); after != "" {
		given.Set("after", after)
		v.First = "?" + kept.Encode()
	}
	var list struct {
		Users   []admin.User
		Next    string
		Warning string
	}
	if err := a.get("/v1/users", given, &list); err != nil {
		return err
	}
	v.Users, v.frame.Warning = list.Users, list.Warning
	if list.Next != "" {
		kept.Set("after", list.Next)
		v.Next = "?" + kept.Encode()
	}
	return a.show("users", v)
}

// userView is one account.
type userView struct {
	frame
	User     admin.User
	Sessions []admin.Session
	Attempts []admin.Attempt
}

// Changeable says that the account is in the database, and that the operator may change it.
func (v userView) Changeable() bool { return v.User.Store == "postgres" && v.Administers() }

func (p *Page) user(a *ask) error {
	name := a.URL.Query().Get("name")
	v := userView{frame: a.frame("users", "User "+name)}
	if err := a.get(path("users", name), nil, &v.User); err != nil {
		return err
	}
	var sessions struct{ Sessions []admin.Session }
	if err := a.get("/v1/sessions", url.Values{"user": {name}, "limit": {"20"}}, &sessions); err != nil {
		v.frame.Warning = err.Error()
	}
	attempts, err := a.attempts(url.Values{"user": {name}, "limit": {"10"}})
	v.frame.Warning = warningOf(err, v.frame.Warning)
	v.Sessions, v.Attempts = sessions.Sessions, attempts.Attempts
	return a.show("user", v)
}

// toUser is the view of an account.
func toUser(name string) string { return "/ui/user?name=" + url.QueryEscape(name) }

func (p *Page) addUser(a *ask) error {
	form := a.PostForm
	name := form.Get("name")
	u := admin.UserRequest{Name: admin.Set(name), Password: form.Get("password")}
	if address := strings.TrimSpace(form.Get("address")); address != "" {
		u.Address = admin.Set(address)
	}
	if text := strings.TrimSpace(form.Get("description")); text != "" {
		u.Description = admin.Set(text)
	}
	if form.Get("password") == "" {
		return &admin.Error{Status: http.StatusBadRequest, Message: "an account needs a password: nothing was added"}
	}
	var done admin.Done
	if err := a.send(http.MethodPost, "/v1/users", u, &done); err != nil {
		return err
	}
	return a.back(toUser(done.Name), "The account %s was added. %s", done.Name, sentence(done.Note))
}

func (p *Page) blockUser(a *ask) error {
	name, block := a.PostForm.Get("name"), a.PostForm.Get("block") == "yes"
	var done admin.Done
	if err := a.send(http.MethodPatch, path("users", name), admin.UserRequest{Disabled: admin.Set(block)}, &done); err != nil {
		return err
	}
	if block {
		return a.back(toUser(name), "%s is blocked: nobody can log in by that name.", name)
	}
	return a.back(toUser(name), "%s may log in again.", name)
}

func (p *Page) setPassword(a *ask) error {
	name, password := a.PostForm.Get("name"), a.PostForm.Get("password")
	if password == "" || password != a.PostForm.Get("again") {
		return &admin.Error{Status: http.StatusBadRequest, Message: "the two passwords are not the same, or empty: nothing was changed", Hint: "go back and type it again"}
	}
	var done admin.Done
	if err := a.send(http.MethodPost, path("users", name)+"/password", admin.PasswordRequest{Password: password}, &done); err != nil {
		return err
	}
	return a.back(toUser(name), "The password of %s was changed. %s", name, sentence(done.Note))
}

func (p *Page) deleteUser(a *ask) error {
	name := a.PostForm.Get("name")
	if a.PostForm.Get("sure") != "yes" {
		return &admin.Error{Status: http.StatusBadRequest, Message: "the box was not ticked: " + name + " was not deleted"}
	}
	if err := a.send(http.MethodDelete, path("users", name), nil, nil); err != nil {
		return err
	}
	return a.back("/ui/users", "The account %s was deleted.", name)
}
