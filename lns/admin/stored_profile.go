package admin

import (
	"fmt"
	"net/http"
)

// profiles are all of them; without a database there are none.
func (s *Server) profiles(r *http.Request) (any, error) {
	list := profileList{[]Profile{}}
	if s.cfg.Directory == nil {
		return list, nil
	}
	found, err := s.cfg.Directory.Profiles(r.Context(), "")
	for _, p := range found {
		list.Profiles = append(list.Profiles, p.tidy())
	}
	return list, err
}

func (s *Server) profile(r *http.Request) (any, error) {
	name := r.PathValue("name")
	if s.cfg.Directory != nil {
		found, err := s.cfg.Directory.Profiles(r.Context(), name)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return found[0].tidy(), nil
		}
	}
	return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is no profile %q", name), "see /v1/profiles"}
}

// tidy leaves no list null.
func (p Profile) tidy() Profile {
	p.Pools, p.DNS, p.NBNS, p.Routes, p.IPv6DNS = nonNil(p.Pools), some(p.DNS), some(p.NBNS), some(p.Routes), some(p.IPv6DNS)
	return p
}
