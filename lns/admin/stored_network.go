package admin

import (
	"fmt"
	"net/http"
	"slices"

	"lnsgate/aaa"
)

// addressPage is how many addresses of a pool an answer has that is not told how many to have.
const (
	addressPage = 1024
	addressMost = 65536
)

func (s *Server) addDomain(r *http.Request) (any, error) {
	var q DomainRequest
	d, err := s.read(r, &q)
	if err != nil {
		return nil, err
	}
	settings := settingsOf(q)
	name, err := newName(settings)
	if err != nil {
		return nil, err
	}
	noteChange(r, name, q.words(settings))
	return Done{Name: name}, d.AddDomain(r.Context(), name, DomainChange{settings, q.Pools, q.Aliases})
}

func (s *Server) setDomain(r *http.Request) (any, error) {
	var q DomainRequest
	d, err := s.read(r, &q)
	if err != nil {
		return nil, err
	}
	name, settings := r.PathValue("name"), settingsOf(q)
	noteChange(r, name, q.words(settings))
	return Done{Name: nameAfter(name, settings)}, d.SetDomain(r.Context(), name, DomainChange{settings, q.Pools, q.Aliases})
}

func (q *DomainRequest) words(settings map[string]any) string {
	var more []string
	if q.Pools != nil {
		more = append(more, fmt.Sprintf("pools=%v", *q.Pools))
	}
	if q.Aliases != nil {
		more = append(more, fmt.Sprintf("aliases=%v", *q.Aliases))
	}
	return words(settings, more...)
}

func (q *PoolRequest) change() PoolChange {
	return PoolChange{settingsOf(*q), q.Ranges, q.Exclude, q.DropRanges, q.DropExclude}
}

func (c *PoolChange) words() string {
	var more []string
	for _, part := range []struct {
		name string
		list []string
	}{{"ranges", c.Ranges}, {"exclude", c.Exclude}, {"drop_ranges", c.DropRanges}, {"drop_exclude", c.DropExclude}} {
		if len(part.list) > 0 {
			more = append(more, fmt.Sprintf("%s=%v", part.name, part.list))
		}
	}
	return words(c.Settings, more...)
}

func (s *Server) addPool(r *http.Request) (any, error) {
	var q PoolRequest
	d, err := s.read(r, &q)
	if err != nil {
		return nil, err
	}
	c := q.change()
	name, err := newName(c.Settings)
	if err != nil {
		return nil, err
	}
	noteChange(r, name, c.words())
	return Done{Name: name}, d.AddPool(r.Context(), name, c)
}

func (s *Server) setPool(r *http.Request) (any, error) {
	var q PoolRequest
	d, err := s.read(r, &q)
	if err != nil {
		return nil, err
	}
	name, c := r.PathValue("name"), q.change()
	noteChange(r, name, c.words())
	return Done{Name: nameAfter(name, c.Settings)}, d.SetPool(r.Context(), name, c)
}

func (s *Server) drainPool(r *http.Request) (any, error) {
	var q DrainRequest
	d, err := s.read(r, &q)
	if err != nil {
		return nil, err
	}
	name := r.PathValue("name")
	noteChange(r, name, fmt.Sprintf("range=%s undo=%t", q.Range, q.Undo))
	return Done{Name: name}, d.DrainPool(r.Context(), name, q.Range, !q.Undo)
}

// domain tells both sides of one domain.
func (s *Server) domain(r *http.Request) (any, error) {
	name := r.PathValue("name")
	running, err := s.domains(r)
	if err != nil {
		return nil, err
	}
	var detail domainDetail
	list := running.(domainList).Domains
	if i := slices.IndexFunc(list, func(d Domain) bool { return aaa.FoldDomain(d.Name) == aaa.FoldDomain(name) }); i >= 0 {
		detail.Running = &list[i]
	}
	if s.cfg.Directory != nil {
		stored, err := s.cfg.Directory.Domains(r.Context(), name)
		if err != nil {
			return nil, err
		}
		if len(stored) > 0 {
			d := &stored[0]
			d.Aliases, d.Authentication, d.Methods, d.Pools = nonNil(d.Aliases), nonNil(d.Authentication), nonNil(d.Methods), nonNil(d.Pools)
			d.DNS, d.NBNS = some(d.DNS), some(d.NBNS)
			detail.Stored = d
		}
	}
	if detail.Running == nil && detail.Stored == nil {
		return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is no domain %q", name), "see /v1/domains"}
	}
	return detail, nil
}

// pool tells both sides of one pool.
func (s *Server) pool(r *http.Request) (any, error) {
	name := r.PathValue("name")
	usage, err := s.pools(r)
	if err != nil {
		return nil, err
	}
	detail := poolDetail{Ranges: []string{}}
	list := usage.(poolList).Pools
	if i := slices.IndexFunc(list, func(p Pool) bool { return p.Name == name }); i >= 0 {
		detail.Usage = &list[i]
	}
	if s.cfg.Directory != nil {
		stored, err := s.cfg.Directory.Pools(r.Context(), name)
		if err != nil {
			return nil, err
		}
		if len(stored) > 0 {
			p := &stored[0]
			p.Ranges, p.Draining, p.Exclude, p.Domains = nonNil(p.Ranges), nonNil(p.Draining), nonNil(p.Exclude), nonNil(p.Domains)
			detail.Stored = p
		}
	}
	if detail.Usage == nil && detail.Stored == nil {
		return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is no pool %q", name), "see /v1/pools"}
	}
	if s.cfg.Addresses != nil && detail.Usage != nil {
		if detail.Ranges, err = s.cfg.Addresses.Ranges(r.Context(), name); err != nil {
			return nil, err
		}
	}
	detail.Ranges = nonNil(detail.Ranges)
	return detail, nil
}

// addresses pages through a pool.
func (s *Server) addresses(r *http.Request) (any, error) {
	if s.cfg.Addresses == nil {
		return nil, &Error{http.StatusNotImplemented, "this server does not tell single addresses", ""}
	}
	limit, err := number(r, "limit", addressPage, addressMost)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		limit = addressPage
	}
	after, err := addressParam(r, "after")
	if err != nil {
		return nil, err
	}
	states, err := s.cfg.Addresses.Addresses(r.Context(), r.PathValue("name"), after, limit+1)
	if err != nil {
		return nil, err
	}
	list := addressList{Addresses: some(states)}
	if len(states) > limit {
		list.Addresses, list.Next = states[:limit], states[limit-1].Address.String()
	}
	return list, nil
}

// nas tells both sides of one NAS.
func (s *Server) nas(r *http.Request) (any, error) {
	name := r.PathValue("name")
	var detail nasDetail
	if s.cfg.NASes != nil {
		list := s.cfg.NASes()
		if i := slices.IndexFunc(list, func(n NAS) bool { return n.Name == name }); i >= 0 {
			detail.Running = &list[i]
		}
	}
	if s.cfg.Directory != nil {
		stored, err := s.cfg.Directory.NASes(r.Context(), name)
		if err != nil {
			return nil, err
		}
		if len(stored) > 0 {
			stored[0].CertificateNames = nonNil(stored[0].CertificateNames)
			detail.Stored = &stored[0]
		}
	}
	if detail.Running == nil && detail.Stored == nil {
		return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is no NAS %q", name), "see /v1/nases"}
	}
	return detail, nil
}
