package tun

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// By itself a device with several queues remembers of thousands of flows which queue they belong to, and looks that up,
// under a lock, for every packet that is written: a sixth of the cost of a packet with 10,000 sessions. A BPF program of a
// few steps that chooses a queue by the destination address takes the place of that memory, and keeps all packets to one
// subscriber on one queue.

// instruction is one step of a BPF program (struct bpf_insn; RFC 9669 section 3).
//
//	 0       1       2               4                               8
//	+-------+-------+---------------+-------------------------------+
//	| code  |src dst| offset        | immediate value               |
//	+-------+-------+---------------+-------------------------------+
//
// All numbers are in the order of the host.
type instruction [8]byte

func step(code, registers byte, offset int16, value uint32) (i instruction) {
	i[0], i[1] = code, registers
	binary.NativeEndian.PutUint16(i[2:], uint16(offset))
	binary.NativeEndian.PutUint32(i[4:], value)
	return i
}

// Codes of the steps below, and the registers: the result is in 0, 1 holds the packet at first and 6 for the steps that
// read it.
const (
	loadByte     = unix.BPF_LD | unix.BPF_ABS | unix.BPF_B
	loadWord     = unix.BPF_LD | unix.BPF_ABS | unix.BPF_W
	shiftRight   = unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K
	multiply     = unix.BPF_ALU | unix.BPF_MUL | unix.BPF_K
	copyRegister = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_X
	skipIfEqual  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	skip         = unix.BPF_JMP | unix.BPF_JA
	leave        = unix.BPF_JMP | unix.BPF_EXIT
)

// steering gives a number for a packet, of which the kernel takes the remainder by the number of queues: a hash of the IPv4
// destination address, or of the prefix that an IPv6 destination is in. A packet that is too short for either is on queue 0,
// because the program ends there.
var steering = []instruction{
	step(copyRegister, 1<<4|6, 0, 0),
	step(loadByte, 0, 0, 0),
	step(shiftRight, 0, 0, 4),
	step(skipIfEqual, 0, 2, 6),
	step(loadWord, 0, 0, atDestination),
	step(skip, 0, 1, 0),
	step(loadWord, 0, 0, atDestination6+4),
	step(multiply, 0, 0, 0x9E3779B1),
	step(shiftRight, 0, 0, 16),
	step(leave, 0, 0, 0),
}

// steer gives the program to the device that a descriptor is a queue of. A host that takes no BPF programs from us goes on
// with its own memory of flows: the error says why.
func steer(device int) error {
	program, err := loadSteering()
	if err != nil {
		return err
	}
	defer unix.Close(program) // the device holds it
	return unix.IoctlSetPointerInt(device, unix.TUNSETSTEERINGEBPF, program)
}

var licence = []byte("Apache-2.0\x00")

// loadSteering hands the program to the kernel: BPF_PROG_LOAD of bpf(2).
func loadSteering() (fd int, err error) {
	attributes := struct {
		kind, count    uint32
		steps, licence uint64 // addresses of what never moves
		_              [96]byte
	}{
		kind: unix.BPF_PROG_TYPE_SOCKET_FILTER, count: uint32(len(steering)),
		steps:   uint64(uintptr(unsafe.Pointer(unsafe.SliceData(steering)))),
		licence: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(licence)))),
	}
	n, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
