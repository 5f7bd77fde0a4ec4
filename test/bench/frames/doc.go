// Package frames makes packets arrive at an interface and counts packets at another one, both inside the kernel, where
// that costs next to nothing. So what a machine between the two needs for a packet is what is measured, and not what a
// sender and a receiver need for their system calls.
//
// A packet arrives as from the driver of a network card that is made for XDP: in a page of its own, with room in front. It then
// passes the programs at the entrance of the interface, and the stack. What is counted is dropped.
//
// It needs CAP_SYS_ADMIN and Linux 6.6. It does not decide how many packets are to be under way.
package frames
