package bind

import (
	"cmp"
	"slices"

	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/x86"
)

// Bounds of what Constants returns.
const (
	maxCodes  = 64
	maxValues = 12
)

// Constants returns numbers from the code of a driver that say what it expects:
// the I/O control codes that it seems to compare with, sorted, and the numbers
// that it most often compares or tests with what it has just loaded, as it does
// with the values of registers. It looks at the instructions; some of what it
// finds is something else.
func Constants(f *pe.File) (codes []uint32, values []uint64) {
	s := constants{codes: map[uint32]bool{}, values: map[uint64]int{}}
	for _, fn := range f.Functions() {
		s.function(f.Bytes(fn.Begin, fn.End), f.ImageBase+uint64(fn.Begin))
	}
	for c := range s.codes {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	for v := range s.values {
		values = append(values, v)
	}
	slices.SortFunc(values, func(a, b uint64) int { return cmp.Or(cmp.Compare(s.values[b], s.values[a]), cmp.Compare(a, b)) })
	return codes[:min(len(codes), maxCodes)], values[:min(len(values), maxValues)]
}

type constants struct {
	codes  map[uint32]bool
	values map[uint64]int // how often

	// Of the function: what registers hold, as far as it is known.
	constant [none]uint32 // a number that was moved there; 0: none
	code     [none]uint32 // a control code less than the number was taken from it: switches subtract; 0: none
	loaded   [none]int    // instructions for which what was loaded there is still there
}

// loadedFor is how many instructions after a load a comparison is taken to be
// about it.
const loadedFor = 6

func (s *constants) function(code []byte, addr uint64) {
	s.constant, s.code, s.loaded = [none]uint32{}, [none]uint32{}, [none]int{}
	for len(code) > 0 {
		in, err := x86.Decode(code, addr)
		if err != nil {
			return
		}
		for i := range s.loaded {
			s.loaded[i] = max(s.loaded[i]-1, 0)
		}
		s.instruction(&in)
		code, addr = code[in.Len:], addr+uint64(in.Len)
	}
}

func (s *constants) instruction(in *x86.Inst) {
	r, imm := in.Reg[0]&15, uint32(in.Imm)
	switch in.Name {
	case "CMP", "SUB", "XOR":
		s.compare(in, r, imm)
	case "TEST", "AND":
		if !in.Mem && s.loaded[r] > 0 {
			s.value(in)
		}
	case "BT":
		if !in.Mem && s.loaded[r] > 0 && in.Imm < 64 {
			s.values[1<<in.Imm]++
		}
	case "LEA":
		s.constant[r], s.code[r], s.loaded[r] = 0, 0, 0
		if in.Base < none {
			s.take(-uint32(in.Disp))
			s.code[r] = codeOrNone(-uint32(in.Disp))
		}
	case "MOV", "MOVZX", "IN":
		s.constant[r], s.code[r], s.loaded[r] = 0, 0, 0
		if in.Mem || in.Name == "IN" {
			s.loaded[r] = loadedFor
		} else if in.Name == "MOV" {
			s.constant[r] = imm
		}
	}
}

// compare is for what switch statements and comparisons are made of.
func (s *constants) compare(in *x86.Inst, r uint8, imm uint32) {
	if in.Imm == 0 {
		for _, n := range in.Reg[:2] {
			s.take(s.constant[n&15])
		}
		return
	}
	if s.take(imm); in.Mem {
		return
	}
	if s.loaded[r] > 0 && in.Name != "SUB" {
		s.value(in)
	}
	switch base := s.code[r]; {
	case base != 0 && imm < 1<<12:
		s.take(base + imm)
		if in.Name == "SUB" {
			s.code[r] = base + imm
		}
	case in.Name == "SUB":
		s.code[r] = codeOrNone(imm)
	}
}

func (s *constants) value(in *x86.Inst) {
	v := in.Imm
	if in.Size < 8 { // immediates are sign extended
		v &= 1<<(8*in.Size) - 1
	}
	if v != 0 && v>>24 != 0xC0 && codeOrNone(uint32(v)) == 0 { // no NTSTATUS, no control code
		s.values[v]++
	}
}

func (s *constants) take(v uint32) {
	if codeOrNone(v) != 0 {
		s.codes[v] = true
	}
}

// codeOrNone returns v if it can be an I/O control code (CTL_CODE of the WDK:
// device type in bits 16 to 31, access 14, function 2, method 0), and 0 if not.
// Types are those of wdm.h, or one of a vendor's own; the range of error codes
// is none.
func codeOrNone(v uint32) uint32 {
	typ, function := v>>16, v>>2&0xFFF
	switch {
	case typ >= 1 && typ <= 0x60 && (function >= 0x800 || typ != 0x22 && function != 0):
		return v
	case typ > 0x8000 && typ < 0xC000 && function >= 0x800:
		return v
	}
	return 0
}
