package admin

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// schemaChecker judges values by the part of JSON Schema that descriptions use. A keyword that it does not know is a fault, so that
// nothing is described that nobody checks.
type schemaChecker struct {
	named map[string]any
	seen  map[string]bool // "Schema.property" that a value has had
}

func (c *schemaChecker) check(path string, schema, value any) (faults []string) {
	say := func(format string, args ...any) { faults = append(faults, path+": "+fmt.Sprintf(format, args...)) }
	s, ok := schema.(map[string]any)
	if !ok {
		say("no schema: %v", schema)
		return faults
	}
	for keyword, arg := range s {
		switch keyword {
		case "$ref":
			name := strings.TrimPrefix(arg.(string), "#/components/schemas/")
			faults = append(faults, c.object(path, name, c.named[name], value)...)
		case "allOf":
			for _, one := range arg.([]any) {
				faults = append(faults, c.check(path, one, value)...)
			}
		case "anyOf":
			fits := func(one any) bool { return len(c.check(path, one, value)) == 0 }
			if !slices.ContainsFunc(arg.([]any), fits) {
				say("%v fits none of %v", value, arg)
			}
		case "enum":
			if !slices.Contains(arg.([]any), value) {
				say("%v is none of %v", value, arg)
			}
		case "type":
			if kind := kindOf(value); kind != arg && !(arg == "number" && kind == "integer") {
				say("%v is %s, want %v", value, kind, arg)
			}
		case "format":
			if err := hasFormat(arg.(string), value); err != nil {
				say("%v", err)
			}
		case "minimum":
			if n, ok := value.(json.Number); ok && strings.HasPrefix(n.String(), "-") {
				say("%v is below 0", n)
			}
		case "items":
			list, _ := value.([]any)
			for i, one := range list {
				faults = append(faults, c.check(fmt.Sprintf("%s[%d]", path, i), arg, one)...)
			}
		case "properties", "required", "additionalProperties":
			faults = append(faults, c.object(path, "", s, value)...)
		case "description":
		default:
			say("the checker does not know %q", keyword)
		}
	}
	return faults
}

// object checks the fields of an object.
func (c *schemaChecker) object(path, name string, schema, value any) (faults []string) {
	s, _ := schema.(map[string]any)
	fields, ok := value.(map[string]any)
	if !ok || s == nil {
		return []string{fmt.Sprintf("%s: %v is no object, or there is no schema %q", path, value, name)}
	}
	required, _ := s["required"].([]any)
	for _, key := range required {
		if _, there := fields[key.(string)]; !there {
			faults = append(faults, fmt.Sprintf("%s: %v is missing", path, key))
		}
	}
	properties, _ := s["properties"].(map[string]any)
	for key, one := range fields {
		switch rest, isSchema := s["additionalProperties"].(map[string]any); {
		case properties[key] != nil:
			c.seen[name+"."+key] = true
			faults = append(faults, c.check(path+"."+key, properties[key], one)...)
		case isSchema:
			faults = append(faults, c.check(path+"."+key, rest, one)...)
		default:
			faults = append(faults, fmt.Sprintf("%s: %q is not described", path, key))
		}
	}
	return faults
}

func kindOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "number"
		}
		return "integer"
	}
	return "object"
}

func hasFormat(format string, value any) (err error) {
	text, _ := value.(string)
	switch format {
	case "date-time":
		_, err = time.Parse(time.RFC3339Nano, text)
	case "ip":
		_, err = netip.ParseAddr(text)
	case "cidr":
		_, err = netip.ParsePrefix(text)
	case "ip-port":
		_, err = netip.ParseAddrPort(text)
	case "int64":
	default:
		err = fmt.Errorf("the checker does not know the format %q", format)
	}
	return err
}
