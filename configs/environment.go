package configs

import (
	"fmt"
	"reflect"
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

// readEnvironment looks for every single value that is not inside a list. There, an index would say nothing stable.
func readEnvironment(lookup func(string) (string, bool)) (found []override, faults []Fault) {
	visitScalars(reflect.TypeFor[Config](), nil, func(path []string, t reflect.Type) {
		name := prefix + strings.ToUpper(strings.Join(path, "__"))
		text, set := lookup(name)
		if !set {
			return
		}
		value, err := readText(text, t)
		if err != nil {
			faults = append(faults, Fault{Path: strings.Join(path, "."), Message: fmt.Sprintf("%s: %v", name, err)})
			return
		}
		found = append(found, override{key: strings.Join(path, delimiter), value: value})
	})
	return found, faults
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
