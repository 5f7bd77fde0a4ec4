package admin

import (
	"encoding"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// schemas makes JSON Schemas of Go types by what encoding/json does with them.
type schemas struct {
	named map[string]any    // by name of the type
	notes map[string]string // of fields, by "Type.Field", from the source
}

type object = map[string]any

// plainTypes are those that JSON has as text of a known form.
var plainTypes = map[reflect.Type]object{
	reflect.TypeFor[time.Time]():      {"type": "string", "format": "date-time"},
	reflect.TypeFor[netip.Addr]():     {"type": "string", "format": "ip"},
	reflect.TypeFor[netip.Prefix]():   {"type": "string", "format": "cidr"},
	reflect.TypeFor[netip.AddrPort](): {"type": "string", "format": "ip-port"},
	reflect.TypeFor[time.Duration]():  {"type": "integer", "format": "int64"},
}

// of is the schema of a type. Structs with a name are made once and referred to.
func (g *schemas) of(t reflect.Type) any {
	if plain, ok := plainTypes[t]; ok {
		return plain
	}
	if t.Kind() == reflect.Uint8 && t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return object{"type": "string", "enum": wordsOf(t)}
	}
	switch t.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64, reflect.Float32:
		return object{"type": "number"}
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Int16, reflect.Int8:
		return object{"type": "integer"}
	case reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16, reflect.Uint8:
		return object{"type": "integer", "minimum": 0}
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": g.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": g.of(t.Elem())}
	case reflect.Pointer:
		return orNull(g.of(t.Elem()))
	case reflect.Struct:
		return g.structure(t)
	}
	return object{} // anything
}

func orNull(schema any) any {
	return object{"anyOf": []any{schema, object{"type": "null"}}}
}

// structure is that of a struct, or of the value of an Optional.
func (g *schemas) structure(t reflect.Type) any {
	if value, ok := t.FieldByName("Value"); ok && strings.HasPrefix(t.Name(), "Optional[") {
		return orNull(g.of(value.Type))
	}
	if t.Name() == "" {
		return g.fields(t)
	}
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if strings.HasPrefix(t.PkgPath(), "lnsgate/lns/trace") {
		name = "Trace" + name
	}
	if _, known := g.named[name]; !known {
		g.named[name] = nil // it may contain itself
		g.named[name] = g.fields(t)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

func (g *schemas) fields(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range jsonFields(t) {
		schema := g.of(f.Type)
		if note := g.notes[f.owner+"."+f.Name]; note != "" {
			schema = object{"allOf": []any{schema}, "description": note}
		}
		properties[f.key] = schema
		if !f.optional {
			required = append(required, f.key)
		}
	}
	slices.Sort(required)
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

type jsonField struct {
	reflect.StructField
	owner, key string
	optional   bool
}

// jsonFields are those that encoding/json writes, those of embedded structs among them.
func jsonFields(t reflect.Type) (list []jsonField) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if f.Anonymous && tag == "" {
			list = append(list, jsonFields(f.Type)...)
			continue
		}
		key, options, _ := strings.Cut(tag, ",")
		if !f.IsExported() || key == "-" || key == "" {
			continue
		}
		list = append(list, jsonField{f, t.Name(), key, strings.Contains(options, "omit")})
	}
	return list
}

// wordsOf lists the words of an enumeration: those that can be read back to the same value.
func wordsOf(t reflect.Type) []string {
	var words []string
	for i := range 256 {
		v := reflect.New(t)
		v.Elem().SetUint(uint64(i))
		text, err := v.Elem().Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			continue
		}
		back := reflect.New(t)
		read, ok := back.Interface().(encoding.TextUnmarshaler)
		if ok && read.UnmarshalText(text) == nil && back.Elem().Uint() == uint64(i) {
			words = append(words, string(text))
		}
	}
	return words
}
