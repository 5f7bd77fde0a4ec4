package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"lnsgate/aaa"
)

// userPage is how many accounts an answer has that is not told how many to have.
const userPage = 100

var userParams = pageParams(
	param{"match", "a part of the name, in small or capital letters alike", textParam},
	param{"domain", "only of this domain", textParam},
	param{"status", "active, disabled, domain blocked, not yet valid or expired", textParam},
	param{"address", "the one with this fixed address", textParam},
	param{"profile", "only of this profile", textParam},
)

// stored is the directory, or why there is none.
func (s *Server) stored() (Directory, error) {
	if s.cfg.Directory == nil {
		return nil, &Error{http.StatusNotImplemented, "nothing can be changed here: this server has no database",
			"change the configuration file and reload; or set database.url"}
	}
	return s.cfg.Directory, nil
}

// users lists those of the file and those of the database, by name.
func (s *Server) users(r *http.Request) (any, error) {
	values := r.URL.Query()
	limit, err := number(r, "limit", userPage, 100_000)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		limit = userPage
	}
	f := AccountFilter{Match: values.Get("match"), Domain: values.Get("domain"), Status: values.Get("status"),
		Profile: values.Get("profile"), After: values.Get("after"), Limit: limit + 1}
	if a, err := addressParam(r, "address"); err != nil {
		return nil, err
	} else if a.IsValid() {
		f.Address = a.String()
	}
	list := userList{Users: s.listed(f)}
	if s.cfg.Directory != nil {
		accounts, err := s.cfg.Directory.Accounts(r.Context(), f)
		switch {
		case err != nil && len(list.Users) == 0:
			return nil, err
		case err != nil:
			list.Warning = "accounts of the database are missing: " + err.Error()
		}
		for _, a := range accounts {
			list.Users = append(list.Users, User{tidyAccount(a), "postgres"})
		}
	}
	slices.SortStableFunc(list.Users, func(a, b User) int { return cmp.Compare(a.Name, b.Name) })
	if len(list.Users) > limit {
		list.Users = list.Users[:limit]
		list.Next = list.Users[limit-1].Name
	}
	return list, nil
}

// listed are the accounts of the file that match.
func (s *Server) listed(f AccountFilter) []User {
	users := []User{}
	if s.cfg.Listed == nil {
		return users
	}
	for _, a := range s.cfg.Listed() {
		domain := ""
		if a.Domain != nil {
			domain = *a.Domain
		}
		if (f.Name == "" || f.Name == a.Name) && a.Name > f.After && containsFold(a.Name, strings.ToLower(f.Match)) &&
			(f.Domain == "" || strings.EqualFold(f.Domain, domain)) && (f.Status == "" || f.Status == a.Status) && f.Profile == "" &&
			(f.Address == "" || len(a.Addresses) > 0 && a.Addresses[0].String() == f.Address) {
			users = append(users, User{tidyAccount(a), "file"})
		}
	}
	return users
}

// tidyAccount leaves no list null.
func tidyAccount(a Account) Account {
	a.Password, a.Pools = nonNil(a.Password), nonNil(a.Pools)
	a.Addresses, a.DNS, a.NBNS, a.Routes = some(a.Addresses), some(a.DNS), some(a.NBNS), some(a.Routes)
	return a
}

// some is never null in JSON.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Server) user(r *http.Request) (any, error) {
	f := AccountFilter{Name: r.PathValue("name"), Limit: 1}
	if listed := s.listed(f); len(listed) > 0 {
		return listed[0], nil
	}
	if s.cfg.Directory != nil {
		found, err := s.cfg.Directory.Accounts(r.Context(), f)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return User{tidyAccount(found[0]), "postgres"}, nil
		}
	}
	return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is no account %q", f.Name), "names are exact; see /v1/users?match="}
}

// read decodes a change and finds the directory.
func (s *Server) read(r *http.Request, into any) (Directory, error) {
	d, err := s.stored()
	if err == nil {
		err = decode(r.Body, into)
	}
	return d, err
}

// newName takes the name out of the settings of something new.
func newName(settings map[string]any) (string, error) {
	name, _ := settings["name"].(string)
	delete(settings, "name")
	if name == "" {
		return "", &Error{http.StatusBadRequest, "it has no name", `send {"name": ...}`}
	}
	return name, nil
}

// nameAfter is what it is called after a change.
func nameAfter(old string, settings map[string]any) string {
	if name, ok := settings["name"].(string); ok {
		return name
	}
	return old
}

// words lists what a change sets, without secrets.
func words(settings map[string]any, more ...string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		switch value := settings[name]; {
		case name == "secret":
			parts = append(parts, name+" (set)")
		case value == nil:
			parts = append(parts, name+" taken back")
		default:
			parts = append(parts, fmt.Sprintf("%s=%v", name, value))
		}
	}
	return strings.Join(append(parts, more...), ", ")
}

func (u *UserRequest) change() (c AccountChange, settings map[string]any, detail string) {
	settings = settingsOf(*u)
	delete(settings, "address")
	var more []string
	if u.Address.Given {
		address := u.Address.Value
		c.Address, more = &address, append(more, "address="+address)
	}
	if u.Password != "" {
		password := aaa.NewSecret(u.Password)
		c.Password, more = &password, append(more, "password (set)")
	}
	c.Settings = settings
	return c, settings, words(settings, more...)
}

func (s *Server) addUser(r *http.Request) (any, error) {
	var u UserRequest
	d, err := s.read(r, &u)
	if err != nil {
		return nil, err
	}
	c, settings, _ := u.change()
	name, err := newName(settings)
	if err != nil {
		return nil, err
	}
	_, _, detail := u.change()
	noteChange(r, name, detail)
	note, err := d.AddAccount(r.Context(), name, c)
	return Done{name, note}, err
}

func (s *Server) setUser(r *http.Request) (any, error) {
	var u UserRequest
	d, err := s.read(r, &u)
	if err != nil {
		return nil, err
	}
	name := r.PathValue("name")
	c, settings, detail := u.change()
	noteChange(r, name, detail)
	note, err := d.SetAccount(r.Context(), name, c)
	return Done{nameAfter(name, settings), note}, err
}

func (s *Server) setPassword(r *http.Request) (any, error) {
	var p PasswordRequest
	d, err := s.read(r, &p)
	if err != nil {
		return nil, err
	}
	if p.Password == "" {
		return nil, &Error{http.StatusBadRequest, "the password is empty", `send {"password": ...}`}
	}
	name, password := r.PathValue("name"), aaa.NewSecret(p.Password)
	noteChange(r, name, "password (set)")
	note, err := d.SetAccount(r.Context(), name, AccountChange{Settings: map[string]any{}, Password: &password})
	return Done{name, note}, err
}

// added stores something new that settings alone make up, in the way given.
func added[Q any](s *Server, one func(Directory, context.Context, string, map[string]any) error) answer {
	return func(r *http.Request) (any, error) {
		var q Q
		d, err := s.read(r, &q)
		if err != nil {
			return nil, err
		}
		settings := settingsOf(q)
		name, err := newName(settings)
		if err != nil {
			return nil, err
		}
		noteChange(r, name, words(settings))
		return Done{Name: name}, one(d, r.Context(), name, settings)
	}
}

// changed changes settings of what the path names, in the way given.
func changed[Q any](s *Server, one func(Directory, context.Context, string, map[string]any) error) answer {
	return func(r *http.Request) (any, error) {
		var q Q
		d, err := s.read(r, &q)
		if err != nil {
			return nil, err
		}
		name, settings := r.PathValue("name"), settingsOf(q)
		noteChange(r, name, words(settings))
		return Done{Name: nameAfter(name, settings)}, one(d, r.Context(), name, settings)
	}
}

// deleted deletes what the path names, in the way given.
func (s *Server) deleted(one func(Directory, context.Context, string) error) answer {
	return func(r *http.Request) (any, error) {
		d, err := s.stored()
		if err != nil {
			return nil, err
		}
		name := r.PathValue("name")
		return Done{Name: name}, one(d, r.Context(), name)
	}
}

func (s *Server) nodes(r *http.Request) (any, error) {
	if s.cfg.Directory == nil {
		return nodeList{[]Node{}}, nil
	}
	nodes, err := s.cfg.Directory.Nodes(r.Context())
	return nodeList{some(nodes)}, err
}

func (s *Server) forgetNode(r *http.Request) (any, error) {
	var f ForgetRequest
	d, err := s.read(r, &f)
	if err != nil {
		return nil, err
	}
	return d.ForgetNode(r.Context(), r.PathValue("name"), f.Force)
}

func (s *Server) whoHad(r *http.Request) (any, error) {
	address, err1 := addressParam(r, "address")
	at, err2 := momentParamOf(r, "at")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if !address.IsValid() {
		return nil, &Error{http.StatusBadRequest, "which address?", "give address=10.1.2.3"}
	}
	if s.cfg.Directory == nil {
		return nil, &Error{http.StatusNotImplemented, "this server has no database, and so no records of who had an address", "set database.url"}
	}
	if at.IsZero() {
		at = s.cfg.Now()
	}
	holders, err := s.cfg.Directory.WhoHad(r.Context(), address, at)
	return holderList{some(holders)}, err
}
