package configs

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// prefix begins the names of the environment variables that override a value.
const prefix = "LNSGATE_"

// override is one value that the environment sets.
type override struct {
	key   string // viper's
	value any
}

// foreign begin the names that are not meant for us: those of the tests of lnsgate, and those that Kubernetes sets in every pod
// beside a service of our name.
var foreign = []string{"LNSGATE_TEST_", "LNSGATE_FUZZ", "LNSGATE_SERVICE_", "LNSGATE_PORT"}

// beside are the keys of files that hold what another key gives by itself.
var beside = []string{"database::url_file", "database::listen_url_file", "database::key_file"}

// readEnvironment looks for every single value that is not inside a list. There, an index would say nothing stable. A
// variable of ours that sets nothing is a fault: its author believes that it does. The environment is written NAME=value.
func readEnvironment(environment []string) (found []override, faults []Fault) {
	ours := make(map[string]string)
	for _, entry := range environment {
		name, text, _ := strings.Cut(entry, "=")
		isForeign := slices.ContainsFunc(foreign, func(p string) bool { return strings.HasPrefix(name, p) })
		if strings.HasPrefix(name, prefix) && !isForeign {
			ours[name] = text
		}
	}
	var known []string
	visitScalars(reflect.TypeFor[Config](), nil, func(path []string, t reflect.Type) {
		name := prefix + strings.ToUpper(strings.Join(path, "__"))
		known = append(known, name)
		text, set := ours[name]
		if !set {
			return
		}
		delete(ours, name)
		value, err := readText(text, t)
		if err != nil {
			faults = append(faults, Fault{Path: strings.Join(path, "."), Message: fmt.Sprintf("%s: %v", name, err)})
			return
		}
		found = append(found, override{key: strings.Join(path, delimiter), value: value})
		if file := strings.Join(path, delimiter) + "_file"; slices.Contains(beside, file) {
			found = append(found, override{key: file, value: ""}) // what is given by itself counts, not the file of the same thing
		}
	})
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		faults = append(faults, Fault{Path: name, Message: unknownVariable(name, known)})
	}
	return found, faults
}

// unknownVariable says so and offers the name that was probably meant.
func unknownVariable(name string, known []string) string {
	key := strings.ToLower(strings.TrimPrefix(name, prefix))
	if t, found := fieldOf(reflect.TypeFor[Config](), key); found && t.Kind() == reflect.Slice {
		return fmt.Sprintf("the environment cannot set a list; write %s into the file", key)
	}
	if best := nearest(name, len(key)/2, known); best != "" {
		return fmt.Sprintf("no setting has this name; did you mean %s?", best)
	}
	return "no setting has this name; log.level is set by LNSGATE_LOG__LEVEL, with two underscores, and so are the others"
}

func visitScalars(t reflect.Type, path []string, visit func([]string, reflect.Type)) {
	for i := range t.NumField() {
		field := t.Field(i)
		at := append(path[:len(path):len(path)], keyOf(field))
		switch {
		case isScalar(field.Type):
			visit(at, field.Type)
		case field.Type.Kind() == reflect.Struct:
			visitScalars(field.Type, at, visit)
		}
	}
}

// readText makes of the text what the decoder takes for a value of the type. Texts are left to its hooks.
func readText(text string, t reflect.Type) (any, error) {
	switch {
	case t.Kind() == reflect.Bool && (text == "true" || text == "false"):
		return text == "true", nil
	case t.Kind() == reflect.Bool:
		return nil, fmt.Errorf("write true or false, not %q", text)
	case t.Kind() == reflect.Int && !isText(t):
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("a number is expected, not %q", text)
		}
		return n, nil
	}
	return text, nil
}
