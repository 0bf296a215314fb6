package bind

import (
	"slices"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/x86"
)

// FrameworkCalls returns the names of the framework functions whose table
// entries the code of a KMDF driver reads, in the order of the table. It looks
// at the instructions of all functions in the exception directory; what a
// driver computes at run time it cannot see.
func FrameworkCalls(f *pe.File) []string {
	b := f.Binding()
	if b == nil || b.Table == 0 {
		return nil
	}
	s := scanner{table: f.ImageBase + uint64(b.Table), count: uint64(b.Functions), byPointer: b.Functions > copiedTable,
		used: map[uint64]bool{}}
	for _, fn := range f.Functions() {
		s.scan(f.Bytes(fn.Begin, fn.End), f.ImageBase+uint64(fn.Begin))
	}
	var names []string
	for i, fn := range ddi.Functions() {
		if s.used[uint64(i)] {
			names = append(names, fn.Name)
		}
	}
	return names
}

// Imports returns what a driver imports from the kernel, sorted and each once.
func Imports(f *pe.File) []string {
	var names []string
	for i := range f.Imports {
		names = append(names, importName(&f.Imports[i]))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// scanner finds the entries of the function table that code reads.
type scanner struct {
	table     uint64
	count     uint64
	byPointer bool
	used      map[uint64]bool
}

// none is the number of no register in x86.Inst.
const none = 16

func (s *scanner) scan(code []byte, addr uint64) {
	var holds [none]bool // the register holds the address of the table
	for len(code) > 0 {
		in, err := x86.Decode(code, addr)
		if err != nil {
			return
		}
		absolute := in.Mem && in.Base == none && in.Index == none
		switch {
		case absolute && s.byPointer && in.Disp == s.table && in.Name == "MOV":
			holds[in.Reg[0]&15] = true
		case absolute && !s.byPointer:
			s.use(in.Disp - s.table)
		case in.Mem && in.Base < none && holds[in.Base] && in.Index == none:
			s.use(in.Disp)
			holds[in.Reg[0]&15] = false
		case !in.Mem && in.Name == "MOV":
			holds[in.Reg[0]&15] = false
		}
		code, addr = code[in.Len:], addr+uint64(in.Len)
	}
}

func (s *scanner) use(offset uint64) {
	if offset%8 == 0 && offset/8 < s.count {
		s.used[offset/8] = true
	}
}
