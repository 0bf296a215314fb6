package main

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
	"github.com/dirql/dirql/internal/x86/hostcpu"
	"github.com/dirql/dirql/internal/x86/isa"
)

// tester executes cases.
type tester struct {
	// Host is nil where instructions cannot be executed natively.
	Host *hostcpu.Host

	// Cases were compared, of which Exceptions ended in one; Undefined were compared
	// of what is no instruction; Skipped were not possible.
	Cases, Exceptions, Undefined, Skipped, Mismatches int
	// Reports has the first mismatches.
	Reports []string

	cpu     *x86.CPU
	space   *mem.Space
	pages   pageKind
	stops   int                    // accesses that were answered
	crossed bool                   // an access to a device page goes on behind it
	data    [2]*[mem.PageSize]byte // the data area
	present testCase
	memory  [windowSize + edgeSize]byte // of the host, after a case
	out     hostcpu.State
	got     hostcpu.State
	after   [windowSize + edgeSize]byte
}

// pageKind is what the data area is for the interpreter: the results have to be
// the same.
type pageKind int

const (
	privatePages pageKind = iota
	visiblePages          // it stops before every access
	devicePages           // each access is done here, not by the interpreter
)

// newTester returns a tester; host may be nil.
func newTester(host *hostcpu.Host) *tester { return newTesterOn(host, privatePages) }

func newTesterOn(host *hostcpu.Host, pages pageKind) *tester {
	t := &tester{Host: host, space: mem.NewAt(mem.Images, hostcpu.Base), pages: pages}
	t.space.Map(mem.Images, 2, mem.Read|mem.Write)
	switch pages {
	case devicePages:
		t.space.MapDevice(mem.Images, 2)
	case visiblePages:
		t.space.Map(mem.Images, 2, mem.Read|mem.Write)
	default:
		t.space.Map(mem.Images, 2, mem.Read|mem.Write|mem.Private)
	}
	t.space.Map(mem.Images, 1, mem.Read|mem.Private)       // hostcpu.ReadOnly
	t.space.Unmap(t.space.Map(mem.Images, 1, mem.Read), 1) // hostcpu.Hole
	t.space.Map(mem.Images, hostcpu.NumSlots*hostcpu.SlotSize/mem.PageSize, mem.Read|mem.Write|mem.Exec|mem.Private)
	for i := range t.data {
		t.data[i], _, _ = t.space.PageFor(hostcpu.Data+uint64(i)*mem.PageSize, mem.Store)
		if pages == devicePages {
			t.data[i] = new([mem.PageSize]byte)
		}
	}
	t.cpu = x86.New(t.space)
	t.cpu.StopVisible = pages == visiblePages
	return t
}

// rows returns the rows that can be tested here: with recorded vectors all
// that are not privileged, natively those that the host has.
func (t *tester) rows() []*isa.Row {
	var rows []*isa.Row
	for _, r := range isa.Rows() {
		if r.Has("notest") || r.Has("none") {
			continue
		}
		if f := r.Value("host"); f != "" && t.Host != nil && !t.Host.Has(f) {
			continue
		}
		rows = append(rows, r)
	}
	return rows
}

// salt makes the cases of a row depend on its text, not on its place.
func salt(r *isa.Row) (h uint64) {
	h = 0xCBF29CE484222325
	for _, b := range []byte(r.Mnemonic + "|" + r.Encoding + "|" + r.OperandText) {
		h = (h ^ uint64(b)) * 0x100000001B3
	}
	return h
}

// encodingOf makes the encoding of a row for a seed; nil if there is none.
func encodingOf(row *isa.Row, slot int, seed uint64) *encoding {
	r := newRNG(seed, salt(row))
	for range 20 {
		if e, ok := encode(row, slot, &r); ok {
			return e
		}
	}
	return nil
}

// loadCode makes the encodings of the slots known to both processors. All are
// written before the first is executed: writing code is slow.
func (t *tester) loadCode(encodings []*encoding) {
	for _, e := range encodings {
		t.space.Write(e.Addr(), e.Code)
		if t.Host != nil {
			t.Host.Put(e.Slot, e.Code)
		}
	}
}

// test compares n cases of an encoding that was loaded.
func (t *tester) test(e *encoding, n int, seed uint64) {
	r := newRNG(seed, salt(e.Row)+1)
	for range n {
		c, ok := t.newCase(e, &r)
		if !ok || c.undefinedResult() || !t.interpret(c) {
			t.Skipped++
			continue
		}
		t.Cases++
		if t.got.Path == raised {
			t.Exceptions++
		}
		if what := t.differs(c, t.native(c)); what != "" {
			t.report(c, what)
		}
	}
}

// native runs a case on the host and returns the memory after it.
func (t *tester) native(c *testCase) []byte {
	data := t.Host.Data()
	window, edge := data[window-hostcpu.Data:][:windowSize], data[hostcpu.DataSize-edgeSize:]
	copy(window, c.Memory[:])
	clear(edge)
	t.Host.Run(c.Slot, &c.In, &t.out)
	e := &t.out.Exception
	if t.out.Path != raised {
		*e = hostcpu.Exception{}
	} else if e.Code &^= codeUser; e.Vector != x86.PageFault {
		e.Addr = 0 // that of an earlier page fault
	} else if e.Addr-hostcpu.Base >= hostcpu.Size {
		e.Code &^= codePresent // a page of the host's kernel
	}
	copy(t.memory[:], window)
	copy(t.memory[windowSize:], edge)
	return t.memory[:]
}

// Values of hostcpu.State.Path.
const (
	behind = iota
	taken
	raised
)

// Bits of a page fault's error code (SDM volume 3, 5.7): the page is there; CPL
// was 3, as it always is on the host.
const (
	codePresent = 1 << 0
	codeUser    = 1 << 2
)

func (t *tester) report(c *testCase, what string) {
	t.Mismatches++
	if len(t.Reports) < 20 {
		t.Reports = append(t.Reports, fmt.Sprintf("%s %s: % X: %s", c.Row.Mnemonic, c.Row.Encoding, c.Code, what))
	}
}

// interpret runs a case; false if it cannot be run.
func (t *tester) interpret(c *testCase) bool {
	half := len(t.data[0]) - windowSize/2
	copy(t.data[0][half:], c.Memory[:])
	copy(t.data[1][:windowSize/2], c.Memory[windowSize/2:])
	clear(t.data[1][mem.PageSize-edgeSize:])
	cpu := t.cpu
	cpu.Abandon()
	copy(cpu.R[:16], c.In.R[:])
	for i, x := range c.In.X {
		cpu.X[i] = x86.XMM{Lo: x[0], Hi: x[1]}
	}
	cpu.SetFlags(c.In.Flags)
	cpu.MXCSR = c.In.MXCSR
	cpu.RIP = c.Addr()
	t.crossed = false
	t.got.Path, t.got.Exception = behind, hostcpu.Exception{}
	for i := 0; t.got.Path != raised; i++ {
		if stop := cpu.Run(1); stop != x86.StopLimit && !t.answer(stop) {
			return false
		} else if cpu.RIP != c.Addr() || i > 100 {
			break
		}
	}
	copy(t.got.R[:], cpu.R[:16])
	for i, x := range cpu.X {
		t.got.X[i] = [2]uint64{x.Lo, x.Hi}
	}
	t.got.Flags, t.got.MXCSR = cpu.Flags(), cpu.MXCSR
	if cpu.RIP == c.Addr()+hostcpu.Taken {
		t.got.Path = taken
	}
	copy(t.after[:], t.data[0][half:])
	copy(t.after[windowSize/2:], t.data[1][:windowSize/2])
	copy(t.after[windowSize:], t.data[1][mem.PageSize-edgeSize:])
	return true
}

// raise notes an exception of the interpreter.
func (t *tester) raise(e x86.Exception, addr uint64) bool {
	t.got.Path = raised
	t.got.Exception = hostcpu.Exception{Vector: uint64(e.Vector), Code: uint64(e.Code), Addr: addr, RIP: t.cpu.RIP}
	return !e.Asked
}

// answer lets an access happen that the interpreter has stopped before, or notes
// the exception.
func (t *tester) answer(stop x86.Stop) bool {
	a := t.cpu.Access
	t.stops++
	switch {
	case stop == x86.StopException:
		return t.raise(t.cpu.Exception, 0)
	case stop == x86.StopFault:
		e := t.cpu.FaultException()
		if e.Vector != x86.PageFault {
			return t.raise(e, 0)
		}
		return t.raise(e, t.cpu.Fault.Addr)
	case stop == x86.StopVisible:
		t.cpu.Allow()
	case stop == x86.StopDevice && a.Addr+uint64(a.Size) > hostcpu.Data+hostcpu.DataSize:
		t.crossed = true // half of it is no device
		return false
	case stop == x86.StopDevice && a.Kind == x86.Read:
		var b [16]byte
		for i := range b[:a.Size] {
			b[i] = *t.at(a.Addr + uint64(i))
		}
		t.cpu.SupplyWide(x86.XMM{Lo: binary.LittleEndian.Uint64(b[:]), Hi: binary.LittleEndian.Uint64(b[8:])})
	case stop == x86.StopDevice:
		b := binary.LittleEndian.AppendUint64(nil, a.Value.Lo)
		b = binary.LittleEndian.AppendUint64(b, a.Value.Hi)
		for i, v := range b[:a.Size] {
			*t.at(a.Addr + uint64(i)) = v
		}
		t.cpu.Allow()
	default:
		return false
	}
	return true
}

// at is a byte of the data area.
func (t *tester) at(addr uint64) *byte {
	off := addr - hostcpu.Data
	return &t.data[off/mem.PageSize][off%mem.PageSize]
}

// differs compares the results of both processors and says what is different.
func (t *tester) differs(c *testCase, memory []byte) string {
	want, got := &t.out, &t.got
	defined := t.definedFlags(c)
	if want.R == got.R && want.X == got.X && want.MXCSR == got.MXCSR && want.Path == got.Path &&
		want.Exception == got.Exception && (want.Flags^got.Flags)&defined == 0 && string(memory) == string(t.after[:]) {
		return ""
	}
	var b strings.Builder
	for i := range 16 {
		if want.R[i] != got.R[i] {
			fmt.Fprintf(&b, "R%d was %#x, is %#x, should be %#x; ", i, c.In.R[i], got.R[i], want.R[i])
		}
		if want.X[i] != got.X[i] {
			fmt.Fprintf(&b, "X%d was %#x, is %#x, should be %#x; ", i, c.In.X[i], got.X[i], want.X[i])
		}
	}
	if want.MXCSR != got.MXCSR || (want.Flags^got.Flags)&defined != 0 || want.Path != got.Path {
		fmt.Fprintf(&b, "flags were %#x, are %#x, should be %#x of %#x; MXCSR was %#x, is %#x, should be %#x; path %d, should be %d; ",
			c.In.Flags, got.Flags, want.Flags, defined, c.In.MXCSR, got.MXCSR, want.MXCSR, got.Path, want.Path)
	}
	if want.Exception != got.Exception {
		fmt.Fprintf(&b, "exception %+v, should be %+v; ", got.Exception, want.Exception)
	}
	for i := range memory {
		if memory[i] != t.after[i] {
			fmt.Fprintf(&b, "memory %#x behind %#x is %#x, should be %#x; ", i, window, t.after[i], memory[i])
			break
		}
	}
	fmt.Fprintf(&b, "operands %#x %#x; X %#x %#x", c.In.R[c.Inst.Reg[0]&15], c.In.R[c.Inst.Reg[1]&15], c.In.X[c.Inst.Reg[0]&15], c.In.X[c.Inst.Reg[1]&15])
	if c.Inst.Mem {
		fmt.Fprintf(&b, "; memory operand %#x", c.peek(c.address()))
	}
	return b.String()
}

const (
	flagC      = 1 << 0
	flagA      = 1 << 4
	flagO      = 1 << 11
	allDefined = 0xCD5 // status flags and DF
)

// definedFlags are the flags that the manual defines after a case.
func (t *tester) definedFlags(c *testCase) uint64 {
	if t.got.Path == raised {
		return allDefined // as before the instruction
	}
	undefined := uint64(0)
	letters := c.Row.Undefined
	if letters == "shift" {
		return allDefined &^ c.undefinedByCount()
	}
	for _, l := range letters {
		switch l {
		case 'c':
			undefined |= flagC
		case 'p':
			undefined |= 1 << 2
		case 'a':
			undefined |= flagA
		case 'z':
			undefined |= 1 << 6
		case 's':
			undefined |= 1 << 7
		case 'o':
			undefined |= flagO
		}
	}
	return allDefined &^ undefined
}

// undefinedByCount: SDM volume 2, "Flags Affected" of RCL/RCR/ROL/ROR,
// SAL/SAR/SHL/SHR, SHLD and SHRD.
func (c *testCase) undefinedByCount() uint64 {
	n := c.Inst.Imm
	cl := slices.ContainsFunc(c.Row.Operands, func(o isa.Operand) bool { return o.Kind == 'C' })
	if cl {
		n = c.In.R[1]
	}
	if n &= 31; c.Inst.Size == 8 {
		n = n&31 | c.countBit5(cl)
	}
	var undefined uint64
	if n == 0 {
		return 0
	}
	if n > 1 {
		undefined |= flagO
	}
	rotates := strings.HasPrefix(c.Row.Sem, "r")
	if !rotates {
		undefined |= flagA
	}
	width := 8 * uint64(c.Inst.Size)
	if (c.Row.Sem == "shl" || c.Row.Sem == "shr") && n >= width {
		undefined |= flagC
	}
	return undefined
}

func (c *testCase) countBit5(cl bool) uint64 {
	if cl {
		return c.In.R[1] & 32
	}
	return c.Inst.Imm & 32
}

// undefinedResult: SHLD and SHRD by more than the operand has (SDM volume 2).
func (c *testCase) undefinedResult() bool {
	if c.Row.Sem != "shld" && c.Row.Sem != "shrd" || c.Inst.Size != 2 {
		return false
	}
	n := c.Inst.Imm
	if c.Row.Operands[2].Kind == 'C' {
		n = c.In.R[1]
	}
	return n&31 > 16
}

// hash is a fingerprint of the defined part of the result of a case.
func (t *tester) hash(c *testCase) uint32 {
	var b []byte
	for _, v := range t.got.R {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	for _, x := range t.got.X {
		b = binary.LittleEndian.AppendUint64(b, x[0])
		b = binary.LittleEndian.AppendUint64(b, x[1])
	}
	b = binary.LittleEndian.AppendUint64(b, t.got.Flags&t.definedFlags(c))
	b = binary.LittleEndian.AppendUint32(b, t.got.MXCSR)
	b = binary.LittleEndian.AppendUint32(b, t.got.Path)
	for _, v := range []uint64{t.got.Exception.Vector, t.got.Exception.Code, t.got.Exception.Addr} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, t.after[:]...)
	h := uint64(0xCBF29CE484222325)
	for _, x := range b {
		h = (h ^ uint64(x)) * 0x100000001B3
	}
	return uint32(h ^ h>>32)
}
