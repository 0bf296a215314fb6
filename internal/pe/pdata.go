package pe

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// RuntimeFunction is an entry of the exception directory: a stretch of code
// with one description of its stack frame ("The .pdata Section").
type RuntimeFunction struct {
	Begin, End uint32 // RVAs; End is the first byte behind
	Unwind     uint32 // RVA of the unwind information
}

// Flags of unwind information.
const (
	unwExceptionHandler = 1 // has a handler for exceptions
	unwUnwindHandler    = 2 // has a handler for unwinding
	unwChained          = 4 // goes on in another entry
)

// Unwind is decoded unwind information ("x64 exception handling", UNWIND_INFO).
type Unwind struct {
	Version     uint8
	Flags       uint8
	Prolog      uint8 // length of the prologue in bytes
	FrameReg    uint8 // 0: none
	FrameOffset uint32
	Codes       []byte // two bytes each, in the order of the file: last instruction first
	Handler     uint32 // RVA of the exception or unwind handler; 0: none
	HandlerData uint32 // RVA of its language-specific data
	Chained     RuntimeFunction
}

const (
	runtimeFunction = 12
	maxChain        = 32 // entries that one function is chained through
)

// parseFunctions reads the exception directory.
func (f *File) parseFunctions() *Error {
	d := f.dirs[dirException]
	if d.rva == 0 || d.size == 0 {
		return nil
	}
	data := f.at(d.rva)
	if uint32(len(data)) < d.size {
		return f.damaged(d.rva, "the exception directory (0x%X bytes at 0x%X) is not in the file", d.size, d.rva)
	}
	var bad *Error
	c := cursor{data: data[:d.size]}
	for c.left() >= runtimeFunction {
		at := d.rva + uint32(c.pos)
		fn := readRuntimeFunction(&c)
		if fn.Begin == 0 {
			continue
		}
		if err := f.checkFunction(at, fn); err != nil {
			bad = err
			continue
		}
		f.functions = append(f.functions, fn)
	}
	slices.SortStableFunc(f.functions, func(a, b RuntimeFunction) int { return cmp.Compare(a.Begin, b.Begin) })
	for i := 1; i < len(f.functions); i++ {
		if a, b := f.functions[i-1], f.functions[i]; b.Begin < a.End {
			bad = f.damaged(d.rva, "functions 0x%X and 0x%X overlap in the exception directory", a.Begin, b.Begin)
		}
	}
	return bad
}

// checkFunction makes sure that an entry and everything that it is chained to
// can be decoded.
func (f *File) checkFunction(at uint32, fn RuntimeFunction) *Error {
	if fn.Begin >= fn.End || !f.within(fn.Begin, fn.End-fn.Begin) {
		return f.damaged(at, "the exception directory has a function at 0x%X to 0x%X, which is not in a section", fn.Begin, fn.End)
	}
	for range maxChain {
		u, ok := f.UnwindInfo(fn)
		if !ok {
			return f.damaged(at, "the unwind information of the function at 0x%X is damaged", fn.Begin)
		}
		if u.Flags&unwChained == 0 {
			return nil
		}
		fn = u.Chained
	}
	return f.damaged(at, "the unwind information of the function at 0x%X is chained without end", fn.Begin)
}

func readRuntimeFunction(c *cursor) RuntimeFunction {
	return RuntimeFunction{c.u32(), c.u32(), c.u32()}
}

// Functions returns the entries of the exception directory, in order of Begin.
func (f *File) Functions() []RuntimeFunction { return f.functions }

// FunctionAt returns the entry for the code at rva. A leaf function (one that
// touches neither the stack nor saved registers) has none.
func (f *File) FunctionAt(rva uint32) (RuntimeFunction, bool) {
	i, found := slices.BinarySearchFunc(f.functions, rva, func(fn RuntimeFunction, rva uint32) int {
		switch {
		case rva < fn.Begin:
			return 1
		case rva >= fn.End:
			return -1
		}
		return 0
	})
	if !found {
		return RuntimeFunction{}, false
	}
	return f.functions[i], true
}

// TableEntry returns the RVA at which the entry of a function lies in the
// exception directory; 0 if it has none.
func (f *File) TableEntry(fn RuntimeFunction) uint32 {
	d := f.dirs[dirException]
	data := f.at(d.rva)
	for i := uint32(0); i+runtimeFunction <= d.size && i+runtimeFunction <= uint32(len(data)); i += runtimeFunction {
		if binary.LittleEndian.Uint32(data[i:]) == fn.Begin {
			return d.rva + i
		}
	}
	return 0
}

// UnwindInfo decodes the unwind information of an entry. An odd address is
// that of another entry, whose information is shared.
func (f *File) UnwindInfo(fn RuntimeFunction) (Unwind, bool) {
	if fn.Unwind&1 != 0 {
		b := f.at(fn.Unwind &^ 1)
		if len(b) < runtimeFunction {
			return Unwind{}, false
		}
		fn.Unwind = binary.LittleEndian.Uint32(b[8:])
	}
	c := cursor{data: f.at(fn.Unwind)}
	head := c.take(4)
	if fn.Unwind&3 != 0 || head == nil {
		return Unwind{}, false
	}
	u := Unwind{
		Version: head[0] & 7, Flags: head[0] >> 3, Prolog: head[1],
		FrameReg: head[3] & 15, FrameOffset: uint32(head[3]>>4) * 16,
	}
	u.Codes = c.take(2 * int(head[2]))
	c.skip(2 * int(head[2]&1))
	switch {
	case u.Flags&unwChained != 0:
		u.Chained = readRuntimeFunction(&c)
	case u.Flags&(unwExceptionHandler|unwUnwindHandler) != 0:
		u.Handler = c.u32()
		u.HandlerData = fn.Unwind + uint32(c.pos)
		c.bad = c.bad || f.SectionAt(u.Handler) == nil
	}
	return u, !c.bad && (u.Version == 1 || u.Version == 2) && u.wellFormed()
}

// Operations of unwind codes.
const (
	uwopPushNonvol    = 0
	uwopAllocLarge    = 1
	uwopAllocSmall    = 2
	uwopSetFPReg      = 3
	uwopSaveNonvol    = 4
	uwopSaveNonvolFar = 5
	uwopEpilog        = 6 // version 2; describes an epilogue
	uwopSpare         = 7
	uwopSaveXMM       = 8
	uwopSaveXMMFar    = 9
	uwopPushMachFrame = 10
)

// unwindCode is one decoded code.
type unwindCode struct {
	at    uint8 // offset in the prologue of the instruction behind the one described
	op    uint8
	info  uint8
	value uint32 // size or offset, in bytes
	slots int    // length of the code, in units of two bytes
}

// decode decodes the code at slot i.
func (u *Unwind) decode(i int) (c unwindCode, ok bool) {
	word := func(n int) uint32 { return uint32(u.Codes[2*(i+n)]) | uint32(u.Codes[2*(i+n)+1])<<8 }
	left := len(u.Codes)/2 - i
	c = unwindCode{at: u.Codes[2*i], op: u.Codes[2*i+1] & 15, info: u.Codes[2*i+1] >> 4, slots: 1}
	switch c.op {
	case uwopAllocLarge:
		c.slots = 2 + int(c.info&1)
		ok = c.info <= 1
	case uwopSaveNonvol, uwopSaveXMM:
		c.slots, ok = 2, true
	case uwopEpilog:
		c.slots, ok = 2, u.Version == 2
	case uwopSaveNonvolFar, uwopSaveXMMFar, uwopSpare:
		c.slots, ok = 3, true
	case uwopPushMachFrame:
		ok = c.info <= 1
	default:
		ok = c.op <= uwopSetFPReg
	}
	if !ok || c.slots > left {
		return c, false
	}
	switch {
	case c.op == uwopAllocSmall:
		c.value = uint32(c.info)*8 + 8
	case c.slots == 2 && c.op == uwopSaveXMM:
		c.value = word(1) * 16
	case c.slots == 2:
		c.value = word(1) * 8
	case c.slots == 3:
		c.value = word(1) | word(2)<<16
	}
	return c, true
}

func (u *Unwind) wellFormed() bool {
	for i := 0; i < len(u.Codes)/2; {
		c, ok := u.decode(i)
		if !ok {
			return false
		}
		i += c.slots
	}
	return true
}
