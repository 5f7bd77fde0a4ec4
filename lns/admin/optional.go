package admin

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Optional is a setting in a request: left out it stays as it is, null takes it back to what the profile, the domain or the default
// says, and a value sets it.
type Optional[T any] struct {
	Given bool
	Null  bool
	Value T
}

// Set makes a setting that is given.
func Set[T any](value T) Optional[T] { return Optional[T]{Given: true, Value: value} }

// UnmarshalJSON is called for what is not left out.
func (o *Optional[T]) UnmarshalJSON(text []byte) error {
	o.Given = true
	if string(text) == "null" {
		o.Null = true
		return nil
	}
	return json.Unmarshal(text, &o.Value)
}

// MarshalJSON writes the value or null. A setting that is not given has to be left out by omitzero.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	if o.Null || !o.Given {
		return []byte("null"), nil
	}
	return json.Marshal(o.Value)
}

// IsZero is for omitzero.
func (o Optional[T]) IsZero() bool { return !o.Given }

func (o Optional[T]) setting() (any, bool) {
	if o.Null {
		return nil, o.Given
	}
	return o.Value, o.Given
}

// settingsOf lists what is given, by column: the name in JSON, unless the tag column says otherwise.
func settingsOf(change any) map[string]any {
	settings := make(map[string]any)
	v := reflect.ValueOf(change)
	for i := range v.NumField() {
		one, ok := v.Field(i).Interface().(interface{ setting() (any, bool) })
		if !ok {
			continue
		}
		value, given := one.setting()
		if !given {
			continue
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		column, isTime := strings.CutSuffix(name, "_seconds")
		if isTime && value != nil {
			value = fmt.Sprintf("%v seconds", value)
		}
		settings[column] = value
	}
	return settings
}
