package aaa

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with a Config.
type Fault struct {
	Path    string // of the object, as in the configuration file: domains[2].authentication[0]
	Problem string // in words
}

// Error gives the path and the problem.
func (f *Fault) Error() string { return f.Path + ": " + f.Problem }

// NewGateway makes a gateway, or reports every fault of the configuration at once: the error joins one *Fault for each.
func NewGateway(cfg Config) (*Gateway, error) {
	b := builder{
		Gateway: Gateway{domains: map[string]*Domain{}, chains: map[string][]Backend{}},
		named:   map[string]Backend{}, paths: map[string]string{},
	}
	for i, backend := range cfg.Backends {
		b.addBackend(fmt.Sprintf("backends[%d]", i), backend)
	}
	for i := range cfg.Domains {
		b.addDomain(fmt.Sprintf("domains[%d]", i), cfg.Domains[i])
	}
	b.setDefault(cfg.DefaultDomain)
	if err := errors.Join(b.faults...); err != nil {
		return nil, err
	}
	g := b.Gateway
	g.possible = cfg.Possible
	return &g, nil
}

// builder is a gateway in the making, with the faults found so far.
type builder struct {
	Gateway
	named  map[string]Backend
	paths  map[string]string // folded domain name or alias -> where it was given first
	faults []error
}

func (b *builder) fault(path, format string, args ...any) {
	b.faults = append(b.faults, &Fault{path, fmt.Sprintf(format, args...)})
}

func (b *builder) addBackend(path string, backend Backend) {
	switch {
	case backend == nil:
		b.fault(path, "there is no back end")
	case backend.Name() == "":
		b.fault(path, "the back end has no name")
	case b.named[backend.Name()] != nil:
		b.fault(path, "a back end named %q exists already", backend.Name())
	default:
		b.named[backend.Name()] = backend
	}
}

func (b *builder) addDomain(path string, d Domain) {
	d.Aliases, d.Chain = slices.Clone(d.Aliases), slices.Clone(d.Chain)
	d.Pools, d.Methods = slices.Clone(d.Pools), slices.Clone(d.Methods)
	d.Accounting = slices.Clone(d.Accounting)

	b.claim(path+".name", d.Name, &d)
	for i, alias := range d.Aliases {
		b.claim(fmt.Sprintf("%s.aliases[%d]", path, i), alias, &d)
	}
	b.chains[d.Name] = b.chain(path+".authentication", d.Chain)
	for i, m := range d.Methods {
		if m == MethodNone || int(m) >= len(methodNames) {
			b.fault(fmt.Sprintf("%s.methods[%d]", path, i), "%s is not a method a domain can accept", m)
		}
	}
	if d.MTU < 0 {
		b.fault(path+".mtu", "it is negative")
	}
	if d.SessionTimeout < 0 {
		b.fault(path+".session_timeout", "it is negative")
	}
	if d.IdleTimeout < 0 {
		b.fault(path+".idle_timeout", "it is negative")
	}
}

// claim takes a name for a domain.
func (b *builder) claim(path, name string, d *Domain) {
	folded := FoldDomain(name)
	if reason := faultInDomainName(name); reason != "" {
		b.fault(path, "%s", reason)
		return
	}
	if where, taken := b.paths[folded]; taken {
		b.fault(path, "%q is taken by %s (upper and lower case are the same)", name, where)
		return
	}
	b.domains[folded], b.paths[folded] = d, path
}

// faultInDomainName says why nobody could ever type a name as a domain, or nothing.
func faultInDomainName(name string) string {
	reason := faultInName(name)
	if reason == "" {
		reason = faultInDomain(name)
	}
	if reason == "" && strings.ContainsAny(name, `@\`) {
		reason = `it has an @ or a \, which separate user and domain`
	}
	if reason == "" {
		return ""
	}
	return fmt.Sprintf("domain name %q: %s", name, reason)
}

func (b *builder) chain(path string, names []string) []Backend {
	if len(names) == 0 {
		b.fault(path, "it is empty; name at least one back end, such as local")
	}
	var chain []Backend
	for i, name := range names {
		here := fmt.Sprintf("%s[%d]", path, i)
		switch backend := b.named[name]; {
		case backend == nil:
			b.fault(here, "no back end named %q", name)
		case slices.Contains(names[:i], name):
			b.fault(here, "back end %q is in the chain twice", name)
		default:
			chain = append(chain, backend)
		}
	}
	return chain
}

func (b *builder) setDefault(name string) {
	if name == "" {
		return
	}
	if b.domains[FoldDomain(name)] == nil {
		b.fault("default_domain", "no domain named %q%s", name, b.similar(name))
	}
	b.fallback = name
}
