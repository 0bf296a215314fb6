// Package x86 is an exact interpreter of x86-64 kernel code.
//
// Read cpu.go first: the processor's state, and the protocol between [CPU.Run]
// and who embeds it. Then access.go (memory accesses, and how an instruction is
// stopped and restarted), block.go (pre-decoded code), flags.go (lazy flags).
// decode.go and the zz_ files come from the table of instructions,
// internal/x86/isa/table.txt; INSTRUCTIONS.md is that table for people. difftest
// compares all of it with the host's processor, decodecheck the decoder with
// other disassemblers.
//
// Rules that hold inside:
//   - Nothing of an instruction is done before its last access has succeeded:
//     registers and flags are written at the end. What was done before a stop is
//     remembered by access (CPU.log), not by state in between.
//   - Run never calls out and never panics on guest code. What it does not know
//     is a stop.
//   - Bytes of pages are kept for one Run only: everything else in the machine
//     may change memory in between.
//   - Nothing is guessed: an instruction that exists but is not executed is
//     StopUnsupported, what the manual does not define is #UD.
//   - No host floating point: softfloat.go computes with integers, so that every host
//     gives the same bits.
package x86

//go:generate go run ./gen
