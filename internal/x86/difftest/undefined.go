package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/x86"
	"github.com/dirql/dirql/internal/x86/hostcpu"
)

// undefined compares what is no instruction: bytes that Decode calls undefined or
// too long have to raise the exception that the interpreter raises.
func (t *tester) undefined(cases int, seed uint64) {
	r := newRNG(seed, 0x5D)
	in := hostcpu.State{Flags: 0x202, MXCSR: 0x1F80}
	for i := range in.R {
		in.R[i] = window + windowSize/2 // whatever it is: it touches the test's memory
	}
	for ; t.Undefined < cases; t.Undefined++ {
		code, vector := undefinedBytes(&r)
		t.Host.Put(0, append(code, stops...))
		t.Host.Run(0, &in, &t.out)
		e := t.out.Exception
		if t.out.Path != raised || e.Vector != vector || e.RIP != hostcpu.Slots {
			t.Mismatches++
			if len(t.Reports) < 20 {
				t.Reports = append(t.Reports, fmt.Sprintf("% X: exception %d expected, here %d at +%d", code, vector, e.Vector, e.RIP-hostcpu.Slots))
			}
		}
	}
}

// stops are INT3: should the host know more instructions, it comes to one of them.
var stops = []byte("\xCC\xCC\xCC\xCC\xCC\xCC\xCC\xCC\xCC\xCC\xCC\xCC\xCC\xCC\xCC")

// undefinedBytes makes random bytes that are no instruction, and what the
// processor raises.
func undefinedBytes(r *rng) ([]byte, uint64) {
	for {
		var code []byte
		for r.chance(2) || r.chance(8) && len(code) < 13 {
			code = append(code, r.pick([]byte{0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x65, 0x2E, 0x40 | r.byte()&15, 0x66}))
		}
		escape := [][]byte{{}, {0x0F}, {0x0F, 0x38}, {0x0F, 0x3A}, {0xC4, r.byte()&0xE0 | byte(2+r.below(2)), r.byte()}}[r.below(5)]
		code = append(code, escape...)
		opcode := r.byte()
		if len(escape) == 1 && slices.Contains(loose, opcode) || len(escape) == 0 && opcode == 0x0F {
			continue
		}
		code = append(code, opcode)
		for range 8 {
			code = append(code, r.byte())
		}
		in, err := x86.Decode(code, hostcpu.Slots)
		switch {
		case errors.Is(err, x86.ErrUndefined) && in.Len <= x86MaxLength-9: // else operands could make it too long
			return code[:in.Len], x86.InvalidOpcode
		case errors.Is(err, x86.ErrTooLong):
			return code[:min(len(code), x86MaxLength)], x86.GeneralProtection
		}
	}
}

// loose are opcodes behind 0F of which AMD's processors take more than the manual
// allows: prefixes of system instructions, LOCK with control registers (it means
// CR8), UD0 and UD1 without operands.
var loose = []byte{0x00, 0x01, 0x20, 0x22, 0xB9, 0xFF}
