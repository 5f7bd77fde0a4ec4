package spread

import "golang.org/x/net/bpf"

// label is a place between the steps of a program, and jump goes there when its condition holds.
type (
	label string
	jump  struct {
		cond bpf.JumpTest
		val  uint32
		to   label
	}
)

// link has the jumps of a program go forward to their labels. Its steps are instructions, jumps and labels.
func link(steps ...any) (program []bpf.Instruction) {
	places := make(map[label]int)
	at := 0
	for _, s := range steps {
		if l, ok := s.(label); ok {
			places[l] = at
		} else {
			at++
		}
	}
	for _, s := range steps {
		switch s := s.(type) {
		case bpf.Instruction:
			program = append(program, s)
		case jump:
			skip := places[s.to] - len(program) - 1
			program = append(program, bpf.JumpIf{Cond: s.cond, Val: s.val, SkipTrue: uint8(skip)})
		}
	}
	return program
}
