package arch

import (
	"slices"
	"strings"
)

const (
	ruleImports = "imports point down, DESIGN.md section 3"
	ruleConfigs = "configs is imported by cmd alone"
	ruleSuites  = "test code is imported by tests alone"
	ruleLibrary = "an outside library stays in its rooms"
	ruleRooms   = "every room stands in the table of test/arch/rooms.go"
)

// checkImports holds every file against the table. Test files may import any room, since they put rooms together; what
// they may not touch is configs.
func checkImports(files []*File) []Fault {
	var faults []Fault
	unknown := map[string]bool{}
	for _, f := range files {
		here := f.Room()
		if !known(here) && !unknown[here] {
			unknown[here] = true
			faults = append(faults, f.fault(ruleRooms, 0, "package %s is in no room of the table", here))
		}
		for _, i := range f.imports() {
			target, ours := strings.CutPrefix(i.Path, module+"/")
			if !ours {
				continue
			}
			if rule := forbidden(f, here, target); rule != "" {
				faults = append(faults, f.fault(rule, i.At, "%s must not import %s", here, target))
			}
		}
	}
	return faults
}

// forbidden returns the rule that the import breaks, or nothing.
func forbidden(f *File, here, target string) string {
	switch {
	case here == program:
		return ""
	case within(target, "cmd"):
		return ruleImports
	case target == "configs":
		if within(here, testRooms) || here == "configs" && f.Test() {
			return ""
		}
		return ruleConfigs
	case f.Test() || within(here, testRooms):
		return ""
	case suites[target] != nil || within(target, testRooms):
		return ruleSuites
	case slices.Contains(rooms[here].may, target), slices.Contains(suites[here], target):
		return ""
	}
	return ruleImports
}

func known(here string) bool {
	_, listed := rooms[here]
	return listed || suites[here] != nil || here == program || within(here, testRooms)
}

// checkLibraries keeps viper, netlink, pgx and their like where they belong, in tests too.
func checkLibraries(files []*File) []Fault {
	var faults []Fault
	for _, f := range files {
		for _, i := range f.imports() {
			for _, l := range libraries {
				if within(i.Path, l.path) && !slices.Contains(l.rooms, f.Room()) {
					faults = append(faults, f.fault(ruleLibrary, i.At, "%s must not import %s, only %s may",
						f.Room(), i.Path, strings.Join(l.rooms, ", ")))
				}
			}
		}
	}
	return faults
}
