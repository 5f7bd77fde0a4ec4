package recorder

import (
	"encoding/json"

	"lnsgate/aaa"
)

var _ aaa.Tale = (*Story)(nil)

// Complete adds to an attempt that is to be written down what only its story knows.
func (s *Story) Complete(a *aaa.Attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Rule, a.Took, a.Tale = s.facts.Rule, a.At.Sub(s.facts.Began), s
	if a.Backend == "" {
		a.Backend = s.facts.Backend
	}
	if a.Domain == "" {
		a.Domain = s.facts.Domain
	}
}

// Fingerprint implements aaa.Tale.
func (s *Story) Fingerprint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tape.fingerprint(&s.facts, s.signs)
}

// Steps implements aaa.Tale.
func (s *Story) Steps() []byte {
	a := s.Attempt()
	b, err := json.Marshal(a.Steps)
	if err != nil { // no type of a step can fail
		return nil
	}
	return b
}
