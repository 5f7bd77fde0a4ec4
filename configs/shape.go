package configs

import (
	"bytes"
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// shape walks the YAML tree along the types of [Config] before viper sees it. It notes the line of every path, and
// reports what viper would lose in silence: unknown keys, keys written twice or in capitals, text that YAML takes for a
// number, numbers in octal, values of the wrong kind, empty values.
type shape struct {
	lines  map[string]int
	faults []Fault
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	decimal      = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)
)

// readShape parses the text. The lines are known even when there are faults.
func readShape(data []byte) *shape {
	s := &shape{lines: make(map[string]int)}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF) || err == nil && isEmpty(&document):
		s.say("", 0, "the file is empty")
		return s
	case err != nil:
		s.faults = append(s.faults, syntaxFault(err))
		return s
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		s.say("", more.Line, "the file holds more than one YAML document; only one is read")
	}
	s.walk("", document.Content[0], reflect.TypeFor[Config]())
	return s
}

func isEmpty(document *yaml.Node) bool {
	return len(document.Content) == 0 || document.Content[0].ShortTag() == "!!null"
}

// syntaxFault takes the line number out of the text of a YAML error; the library has no type for it.
func syntaxFault(err error) Fault {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if n, _ := fmt.Sscanf(message, "line %d:", &line); n == 1 {
		_, message, _ = strings.Cut(message, ": ")
	}
	return Fault{Line: line, Message: "this is not YAML: " + message}
}

func (s *shape) say(path string, line int, format string, args ...any) {
	s.faults = append(s.faults, Fault{Path: path, Line: line, Message: fmt.Sprintf(format, args...)})
}

func (s *shape) walk(path string, n *yaml.Node, t reflect.Type) {
	s.lines[path] = n.Line
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		s.say(path, n.Line, "anchors and aliases are not supported; write the value out")
	case n.ShortTag() == "!!null":
		s.say(path, n.Line, "there is no value; give one or remove the line")
	case isScalar(t):
		s.scalar(path, n, t)
	case t.Kind() == reflect.Slice:
		s.list(path, n, t)
	default:
		s.mapping(path, n, t)
	}
}

func (s *shape) list(path string, n *yaml.Node, t reflect.Type) {
	if n.Kind != yaml.SequenceNode {
		hint := "write it as a list"
		if n.Kind == yaml.ScalarNode {
			hint += fmt.Sprintf(": [%s]", shown(n, t.Elem()))
		}
		s.say(path, n.Line, "%s", hint)
		return
	}
	for i, item := range n.Content {
		s.walk(fmt.Sprintf("%s[%d]", path, i), item, t.Elem())
	}
}

func (s *shape) mapping(path string, n *yaml.Node, t reflect.Type) {
	if n.Kind != yaml.MappingNode {
		s.say(path, n.Line, "keys are expected here: %s", strings.Join(keysOf(t), ", "))
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field, known := fieldOf(t, key.Value)
		at := join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" || key.Anchor != "":
			s.say(at, key.Line, "a key must be plain text")
		case !known:
			s.say(at, key.Line, "%s", unknownKey(key.Value, keysOf(t), placesOf(key.Value)))
		case seen[key.Value]:
			s.say(at, key.Line, "the key is written twice")
		default:
			s.walk(at, value, field)
		}
		seen[key.Value] = true
	}
}

func (s *shape) scalar(path string, n *yaml.Node, t reflect.Type) {
	tag := n.ShortTag()
	wantsNumber := slices.Contains([]reflect.Kind{reflect.Int, reflect.Int64}, t.Kind()) && t != durationType
	switch {
	case n.Kind != yaml.ScalarNode:
		s.say(path, n.Line, "one value is expected here, not a list or keys")
	case t.Kind() == reflect.Bool:
		if tag != "!!bool" {
			s.say(path, n.Line, "write true or false, not %q", n.Value)
		}
	case wantsNumber && tag == "!!int":
		if !decimal.MatchString(n.Value) {
			s.say(path, n.Line, "write %q as a plain decimal number, without leading zero or sign", n.Value)
		}
	case wantsNumber && !isText(t):
		s.say(path, n.Line, "a number is expected, not %s", shown(n, t))
	case t == durationType && tag == "!!int":
		if n.Value != "0" {
			s.say(path, n.Line, "a duration needs a unit, such as %ss", n.Value)
		}
	case tag != "!!str":
		s.say(path, n.Line, "YAML takes %s for something else than text; put it in quotes", shown(n, t))
	}
}

// shown is the value as it may be shown to a person: the value of a secret is not.
func shown(n *yaml.Node, t reflect.Type) string {
	if t == reflect.TypeFor[Secret]() || t == reflect.TypeFor[URL]() {
		return "the value"
	}
	return n.Value
}

// isScalar reports whether a value of the type is written as one YAML scalar.
func isScalar(t reflect.Type) bool {
	return isText(t) || t.Kind() != reflect.Struct && t.Kind() != reflect.Slice
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func keyOf(f reflect.StructField) string { return f.Tag.Get("mapstructure") }

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		keys = append(keys, keyOf(t.Field(i)))
	}
	return keys
}

func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for i := range t.NumField() {
		if keyOf(t.Field(i)) == key {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

// placesOf names where a key is known, from the top of the file.
func placesOf(key string) []string {
	var places []string
	var look func(path string, t reflect.Type)
	look = func(path string, t reflect.Type) {
		for t.Kind() == reflect.Slice && !isScalar(t) {
			path, t = path+"[]", t.Elem()
		}
		if isScalar(t) {
			return
		}
		for i := range t.NumField() {
			name := keyOf(t.Field(i))
			if place := cmp.Or(path, "the top of the file"); name == key && !slices.Contains(places, place) {
				places = append(places, place)
			}
			look(join(path, name), t.Field(i).Type)
		}
	}
	look("", reflect.TypeFor[Config]())
	return places
}

// mostPlaces is how many are worth telling: a key such as name is nearly everywhere.
const mostPlaces = 4

// unknownKey says so and offers the key that was probably meant, and where else there is one of this name.
func unknownKey(key string, known, places []string) string {
	folded := strings.ToLower(key)
	text := "unknown key"
	if n := len(places); n > 0 && n <= mostPlaces {
		text = "unknown key here, it is one of " + strings.Join(places, ", ")
	}
	switch best := nearest(folded, len(key)/2, known); best {
	case "":
		return text + "; known here are " + strings.Join(known, ", ")
	case folded:
		return fmt.Sprintf("%s; keys are written in small letters: %s", text, best)
	default:
		return fmt.Sprintf("%s; did you mean %s?", text, best)
	}
}

// nearest returns the known name that is the fewest edits away from name, or nothing when all are further than most.
func nearest(name string, most int, known []string) string {
	best, distance := "", most+1
	for _, k := range known {
		if d := edits(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits counts the octets to insert, remove or change to make b out of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
