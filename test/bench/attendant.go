package main

import "fmt"

// attendant stands in for the test that pgtest and radtest want: it ends what they start when the program ends, and turns
// what would end a test into an error.
type attendant struct {
	cleanups []func()
	failed   bool
	log      func(format string, args ...any)
}

// ended is what Fatalf panics with.
type ended struct{ error }

func (a *attendant) Helper()                           {}
func (a *attendant) Name() string                      { return "bench" }
func (a *attendant) Failed() bool                      { return a.failed }
func (a *attendant) Logf(format string, args ...any)   { a.log(format, args...) }
func (a *attendant) Cleanup(f func())                  { a.cleanups = append(a.cleanups, f) }
func (a *attendant) Skipf(format string, args ...any)  { a.Fatalf(format, args...) }
func (a *attendant) Errorf(format string, args ...any) { a.failed = true; a.log(format, args...) }

func (a *attendant) Fatalf(format string, args ...any) {
	a.failed = true
	panic(ended{fmt.Errorf(format, args...)})
}

// attempt runs f, which may call Fatalf.
func (a *attendant) attempt(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(ended)
			if !ok {
				panic(r)
			}
			err = e.error
		}
	}()
	f()
	return nil
}

// end ends what was started, the last first.
func (a *attendant) end() error {
	return a.attempt(func() {
		for len(a.cleanups) > 0 {
			last := len(a.cleanups) - 1
			f := a.cleanups[last]
			a.cleanups = a.cleanups[:last]
			f()
		}
	})
}
