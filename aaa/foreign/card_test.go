package foreign

import (
	"math"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// TestCardSaysWhatTheEntrySaid fills entries at random, every field of them, also those that somebody adds.
func TestCardSaysWhatTheEntrySaid(t *testing.T) {
	begun := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		var e entry
		fill(t, reflect.ValueOf(&e).Elem(), begun)
		var c card
		c.write(&e, begun, nil)
		got := c.entry(begun)
		if !same(reflect.ValueOf(&got).Elem(), reflect.ValueOf(&e).Elem()) {
			t.Fatalf("%+v\nis read as\n%+v", e, got)
		}
	})
}

// TestACardIsWrittenWhileOthersLook at what entries have in common. It is for the race detector.
func TestACardIsWrittenWhileOthersLook(t *testing.T) {
	begun := time.Now()
	e := entry{terms: &aaa.Terms{Interim: time.Minute, RateUp: 1, Filter: "f"}, sinks: []string{"a"}, class: [][]byte{{1}}, cui: []byte{2}}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			own := e
			new(card).write(&own, begun, nil)
		})
	}
	all.Wait()
}

// fill sets a value, and those in it that are not exported, too.
func fill(t *rapid.T, v reflect.Value, begun time.Time) {
	v = within(v)
	switch own := v.Addr().Interface().(type) {
	case *time.Time:
		since := rapid.Int64Range(-1e18, 1e18).Draw(t, "since")
		*own = rapid.SampledFrom([]time.Time{{}, begun.Add(time.Duration(since))}).Draw(t, "time")
		return
	case *netip.Addr:
		*own = rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1%7")}).Draw(t, "address")
		return
	case *netip.AddrPort:
		*own = rapid.SampledFrom([]netip.AddrPort{{}, netip.MustParseAddrPort("[2001:db8::1]:65535")}).Draw(t, "peer")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), begun)
		}
		if l, is := v.Addr().Interface().(*pool.Lease); is && !l.Address.IsValid() { // it is none
			*l = pool.Lease{}
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), begun)
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "there") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), begun)
		}
	case reflect.Slice:
		if n := rapid.IntRange(-1, 3).Draw(t, "length"); n >= 0 && (n > 0 || v.Type().Elem().Kind() == reflect.Uint8) {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(t, v.Index(i), begun)
			}
		}
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "flag"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "number"))
	default:
		v.SetUint(rapid.Uint64Range(0, math.MaxUint64>>(64-8*v.Type().Size())).Draw(t, "number"))
	}
}

// same is reflect.DeepEqual, but for times, which are the same when they are the same moment.
func same(a, b reflect.Value) bool {
	a, b = within(a), within(b)
	switch own := a.Interface().(type) {
	case time.Time:
		return own.Equal(b.Interface().(time.Time))
	case netip.Addr, netip.AddrPort:
		return a.Interface() == b.Interface()
	}
	if a.Kind() == reflect.Array {
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	}
	if a.Kind() != reflect.Struct {
		return reflect.DeepEqual(a.Interface(), b.Interface())
	}
	for i := range a.NumField() {
		if !same(a.Field(i), b.Field(i)) {
			return false
		}
	}
	return true
}

// within is the same variable, as if it were exported.
func within(v reflect.Value) reflect.Value {
	return reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem()
}
