package spread

import "golang.org/x/net/bpf"

// nobody is a number that no socket has: the kernel goes by addresses and ports then, as it does without a program.
const nobody = 0xffffffff

// Where the program reads, from X on, which is 2 when there is a Length field and else 0 (RFC 2661 section 3.1).
const (
	atIDs    = 2 // Tunnel ID and Session ID
	afterIDs = 6 // Offset Size, then PPP: X grows by what has been read
)

// Bits of the first two octets (RFC 2661 section 3.1).
const (
	controls  = 0x8000
	sequenced = 0x0800
)

// ids is where the program keeps both ids, as one number.
const ids = 0

const (
	whole label = "all of a tunnel"
	user  label = "a user packet of a session"
	frame label = "PPP"
	bare  label = "PPP without address and control"
	other label = "it is left to the kernel"
)

// Program chooses one of so many sockets, by their numbers. User packets (IPv4, IPv6) of a session are for one socket, and
// all else of a tunnel is for one socket, so that both keep their order. A session with sequence numbers counts user packets and
// the other frames together, and would drop those that another socket has overtaken: so all of it goes with the tunnel. What names
// no tunnel is left to the kernel.
//
// It reads the UDP payload, and checks as little as it can, because what lies is dropped later. A load from behind the end
// ends it, and the first socket is chosen.
func Program(sockets int) []bpf.Instruction {
	return link(
		bpf.LoadAbsolute{Off: 0, Size: 2},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x000f},
		jump{bpf.JumpNotEqual, 2, other},
		bpf.LoadAbsolute{Off: 0, Size: 2},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x4000},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 13},
		bpf.TAX{},
		bpf.LoadIndirect{Off: atIDs, Size: 4},
		bpf.StoreScratch{Src: bpf.RegA, N: ids},

		bpf.LoadAbsolute{Off: 0, Size: 2},
		jump{bpf.JumpBitsSet, controls | sequenced, whole},
		jump{bpf.JumpBitsNotSet, 0x0200, frame},
		bpf.LoadIndirect{Off: afterIDs, Size: 2}, // Offset Size: itself and as many octets
		bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 2},
		bpf.ALUOpX{Op: bpf.ALUOpAdd},
		bpf.TAX{},

		frame,
		bpf.LoadIndirect{Off: afterIDs, Size: 2},
		jump{bpf.JumpNotEqual, 0xff03, bare},
		bpf.TXA{},
		bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 2},
		bpf.TAX{},

		bare,
		bpf.LoadIndirect{Off: afterIDs, Size: 1},
		jump{bpf.JumpEqual, 0x21, user},
		jump{bpf.JumpEqual, 0x57, user},
		bpf.LoadIndirect{Off: afterIDs, Size: 2},
		jump{bpf.JumpEqual, 0x0021, user},
		jump{bpf.JumpEqual, 0x0057, user},

		whole,
		bpf.LoadScratch{Dst: bpf.RegA, N: ids},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xffff0000},
		bpf.StoreScratch{Src: bpf.RegA, N: ids},

		user,
		bpf.LoadScratch{Dst: bpf.RegA, N: ids},
		jump{bpf.JumpLessThan, 1 << 16, other},
		bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: 0x9E3779B1}, // neighbours end up far apart
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 16},
		bpf.ALUOpConstant{Op: bpf.ALUOpMod, Val: uint32(sockets)},
		bpf.RetA{},

		other,
		bpf.RetConstant{Val: nobody},
	)
}
