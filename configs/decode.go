package configs

import (
	"bytes"
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// delimiter separates the parts of a viper key. It cannot occur in a key of ours, as a dot could in a name.
const delimiter = "::"

// decode lets a private viper instance read the text and fills the configuration. It reports every value that cannot
// be read, with its path.
func decode(data []byte, overrides []override) (*Config, []Fault) {
	v := viper.NewWithOptions(viper.KeyDelimiter(delimiter))
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(data)); err != nil {
		return nil, []Fault{{Message: err.Error()}}
	}
	for _, o := range overrides {
		v.Set(o.key, o.value)
	}
	cfg := Default()
	var metadata mapstructure.Metadata
	err := v.Unmarshal(cfg, func(c *mapstructure.DecoderConfig) {
		c.WeaklyTypedInput = false
		c.Metadata = &metadata
		c.DecodeHook = mapstructure.DecodeHookFuncValue(readValue)
		c.MatchName = func(key, field string) bool { return key == field }
	})
	var faults []Fault
	collect(err, &faults)
	for _, key := range metadata.Unused { // the shape has reported it already, unless it came another way
		faults = append(faults, Fault{Path: key, Message: "unknown key"})
	}
	return cfg, faults
}

// collect takes the joined errors of the decoder apart.
func collect(err error, faults *[]Fault) {
	switch e := err.(type) {
	case nil:
	case *mapstructure.DecodeError:
		*faults = append(*faults, Fault{Path: e.Name(), Message: e.Unwrap().Error()})
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			collect(one, faults)
		}
	case interface{ Unwrap() error }:
		collect(e.Unwrap(), faults)
	default:
		*faults = append(*faults, Fault{Message: err.Error()})
	}
}

// readValue is the decoder's hook: it turns text into our types, and starts structs and lists from their defaults.
func readValue(from, to reflect.Value) (any, error) {
	if to.Kind() == reflect.Slice {
		to.SetZero() // what the file lists replaces the default, item by item
		return from.Interface(), nil
	}
	if to.CanAddr() && from.Kind() == reflect.Map {
		prefill(to.Addr().Interface())
		return from.Interface(), nil
	}
	text, isString := from.Interface().(string)
	if !isString {
		return from.Interface(), nil
	}
	switch to.Interface().(type) {
	case time.Duration:
		return readDuration(text)
	case netip.Addr:
		if text == "" {
			return netip.Addr{}, nil
		}
		return parseAddress(text)
	case netip.Prefix:
		if text == "" {
			return netip.Prefix{}, nil
		}
		return parsePrefix(text)
	case netip.AddrPort:
		return readAddrPort(text)
	}
	value := reflect.New(to.Type())
	if reader, ok := value.Interface().(encoding.TextUnmarshaler); ok {
		err := reader.UnmarshalText([]byte(text))
		return value.Elem().Interface(), err
	}
	return text, nil
}

func readDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration such as 30s, 5m or 1h30m", text)
	}
	if d < 0 {
		return 0, fmt.Errorf("the duration %q is less than nothing", text)
	}
	return d, nil
}

func readAddrPort(text string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address with a port such as 0.0.0.0:1701 or [::]:1701", text)
	}
	return a, nil
}
