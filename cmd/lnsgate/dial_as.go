package main

import (
	"fmt"
	"strings"

	"lnsgate/lns/lac"
)

// disguise takes on the kind of client that --as names. What other flags say goes before what the kind has.
func (p *dialPlan) disguise() error {
	o := p.options
	p.mru = o.mru
	if o.as == "" {
		return nil
	}
	if p.profile = lac.FindProfile(o.as); p.profile == nil {
		return fmt.Errorf("--as %s: use one of %s", o.as, strings.Join(profileNames(), ", "))
	}
	if !o.changed("auth") {
		p.methods = p.profile.Methods
	}
	if !o.changed("mru") {
		p.mru = p.profile.MRU
	}
	return nil
}

// changed says whether a flag was given.
func (o *dialOptions) changed(flag string) bool { return o.given != nil && o.given(flag) }

func profileNames() (names []string) {
	for _, p := range lac.Profiles {
		names = append(names, p.Name)
	}
	return names
}

// profileHelp lists the kinds, a line each.
func profileHelp() string {
	var b strings.Builder
	for _, p := range lac.Profiles {
		fmt.Fprintf(&b, "  %-15s %s\n", p.Name, p.About)
	}
	return b.String()
}
