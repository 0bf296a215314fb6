package main

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"github.com/dirql/dirql/internal/x86/hostcpu"
)

// testCase is an encoding with its inputs.
type testCase struct {
	*encoding
	In     hostcpu.State
	Memory [windowSize]byte
}

var edges = []uint64{0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000,
	0xFFFFFFFF, 0x100000000, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF}

// value is an integer: an edge, small, sparse or anything.
func (r *rng) value() uint64 {
	switch r.below(6) {
	case 0, 1:
		return edges[r.below(len(edges))]
	case 2:
		return uint64(int64(int8(r.next())))
	case 3:
		high, low := r.below(64), r.below(64)
		return 1<<high | 1<<low
	}
	return r.next()
}

var floats = []uint64{
	0, 1 << 63, 0x3FF0000000000000, 0xBFF0000000000000, 0x7FF0000000000000, 0xFFF0000000000000, // zeros, ones, infinities
	0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001, 0xFFF7FFFFFFFFFFFF, // NaNs
	1, 0x000FFFFFFFFFFFFF, 0x800FFFFFFFFFFFFF, 0x0010000000000000, 0x7FEFFFFFFFFFFFFF, // smallest and largest
	0x41DFFFFFFFC00000, 0x41E0000000000000, 0xC1E0000000000000, 0xC1E0000000200000, 0x43E0000000000000, 0xC3E0000000000000,
	0x3FE0000000000000, 0x3FDFFFFFFFFFFFFF, 0x3FF8000000000000, 0x4004000000000000, 0x4330000000000000, 0x4330000000000001,
	0x36A0000000000000, 0x369FFFFFFFFFFFFF, 0x380FFFFFFFFFFFFF, 0x3810000000000000, 0x47EFFFFFE0000000, 0x47EFFFFFF0000000, // at the edges of single
}

// double is a floating-point number of interest.
func (r *rng) double() uint64 {
	switch r.below(5) {
	case 0:
		return floats[r.below(len(floats))]
	case 1: // exponents close to each other, few bits
		return r.next()&(1<<63) | uint64(0x3F0+r.below(0x20))<<52 | r.next()&(0xFF<<uint(r.below(44)))
	case 2: // tiny and huge
		e := uint64(r.below(60))
		if r.chance(2) {
			e = 0x7FE - e
		}
		return r.next()&(1<<63) | e<<52 | r.next()>>12
	case 3:
		return r.next()&(1<<63) | uint64(0x3FF+r.below(66))<<52 | r.next()>>12
	}
	return r.next()
}

var singles = []uint32{
	0, 1 << 31, 0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00001, 0x7F800001, 0xFFBFFFFF,
	1, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x7F7FFFFF, 0x4EFFFFFF, 0x4F000000, 0xCF000000, 0xCF000001, 0x5F000000, 0xDF000000,
	0x3F000000, 0x3EFFFFFF, 0x3FC00000, 0x40200000, 0x4B000000, 0x4B000001,
}

func (r *rng) single() uint32 {
	x := uint32(r.next())
	switch r.below(5) {
	case 0:
		return singles[r.below(len(singles))]
	case 1:
		return x&(1<<31) | uint32(0x70+r.below(0x20))<<23 | x&(0xFF<<uint(r.below(15)))
	case 2:
		e := uint32(r.below(30))
		if r.chance(2) {
			e = 0xFE - e
		}
		return x&(1<<31) | e<<23 | x&0x7FFFFF
	case 3:
		return x&(1<<31) | uint32(0x7F+r.below(66))<<23 | x&0x7FFFFF
	}
	return x
}

// vectorHalf is 8 bytes of an XMM register or of its memory operand.
func (r *rng) vectorHalf(fp bool) uint64 {
	switch {
	case !fp:
		return r.value()
	case r.chance(2):
		return r.double()
	}
	return uint64(r.single()) | uint64(r.single())<<32
}

// newCase chooses the inputs for an encoding. The case is valid until the next one.
func (t *tester) newCase(e *encoding, r *rng) (*testCase, bool) {
	c := &t.present
	c.encoding = e
	fp := e.Row.Has("fp")
	for i := range c.In.R {
		c.In.R[i] = r.value()
	}
	for i := range c.In.X {
		c.In.X[i] = [2]uint64{r.vectorHalf(fp), r.vectorHalf(fp)}
	}
	c.fill(r, fp)
	c.In.Flags = 0x202 | r.next()&0x8D5
	if strings.Contains(e.Row.ReadFlags, "d") && e.Row.Has("rep") {
		c.In.Flags |= r.next() & 0x400
	}
	c.In.MXCSR = 0x1F80
	if fp && r.chance(2) {
		c.In.MXCSR |= uint32(r.next()) & 0xE07F
		if r.chance(4) && !strings.HasPrefix(e.Row.Sem, "dpp") { // processors differ in the steps of DPPS
			c.In.MXCSR &^= uint32(r.next()) & 0x1F80 // not masked: an exception
		}
	}
	c.implicit(r)
	ok := c.place(r)
	if ok {
		c.plausible(r)
	}
	return c, ok
}

// fill fills the memory with a few values in random order: making values is most
// of the work of a case.
func (c *testCase) fill(r *rng, fp bool) {
	var values [16]uint64
	for i := range values {
		values[i] = r.vectorHalf(fp)
	}
	for i := 0; i < windowSize; {
		for order := r.next(); order != 0 && i < windowSize; order >>= 4 {
			binary.LittleEndian.PutUint64(c.Memory[i:], values[order&15])
			i += 8
		}
	}
}

// implicit sets the registers of implicit memory operands.
func (c *testCase) implicit(r *rng) {
	middle := func() uint64 {
		if at, ok := trouble(c.Row, r, c.Inst.Addr32); ok {
			return at
		}
		return uint64(window + 0x100 + r.below(0x1C0))
	}
	c.In.R[4] = middle()
	switch c.Row.Sem {
	case "leave":
		c.In.R[5] = middle()
	case "xlat":
		c.In.R[3] = window + 0x100
	case "movs", "cmps", "stos", "lods", "scas":
		c.In.R[6], c.In.R[7] = middle(), middle()
		if c.In.R[6]-window >= windowSize {
			c.In.R[7] = window + 0x200 // one fault is enough: the order of reads is nowhere defined
		}
		c.In.R[1] = uint64(r.below(9))
		if r.chance(2) { // equal strings
			c.In.R[6] = c.In.R[7]
		}
	case "loop", "loope", "loopne", "jrcxz":
		if r.chance(2) {
			c.In.R[1] = uint64(r.below(3))
		}
	case "ret", "retn":
		c.poke(c.In.R[4], c.destination(r))
	case "popf":
		c.poke(c.In.R[4], 0x202|r.next()&0xCD5)
	}
}

// poke writes 8 bytes to the memory of the case.
func (c *testCase) poke(addr, v uint64) {
	if addr-window <= windowSize-8 {
		binary.LittleEndian.PutUint64(c.Memory[addr-window:], v)
	}
}

// place makes the address of the memory operand fall into the window.
func (c *testCase) place(r *rng) bool {
	in := &c.Inst
	if c.Row.Sem == "jmpi" || c.Row.Sem == "calli" {
		if !in.Mem {
			c.In.R[in.Reg[0]] = c.destination(r)
			return in.Reg[0] != 4
		}
	}
	if !in.Mem {
		return true
	}
	at := c.where
	switch {
	case !c.fixed:
		at = want(c.Row, r, in.Addr32)
		c.In.R[in.Base&15] = c.solve(at, r)
		if in.Index < 16 && in.Index == in.Base {
			return false
		}
	case in.Index < 16:
		c.In.R[in.Index] = c.index
	}
	if !c.bitOffset(r) {
		return false
	}
	switch c.Row.Sem {
	case "jmpi", "calli":
		c.poke(at, c.destination(r))
	}
	return c.address() == at && c.allowed(at) && (c.allowed(c.In.R[4]) || !c.usesStack())
}

// allowed reports whether a case may access memory at an address: it has to be
// the test's, or not there at all.
func (c *testCase) allowed(at uint64) bool {
	return at-window <= windowSize-64 || at-(hostcpu.ReadOnly-edgeSize/2) < edgeSize/2+0x1F00 || !canonical(at-96) || !canonical(at+96)
}

// destination is where an indirect jump goes: Taken, or where nothing can be
// (unless the stack faults, too: processors differ in which comes first).
func (c *testCase) destination(r *rng) uint64 {
	if r.chance(16) && c.In.R[4]-window < windowSize {
		return notCanonical(r)
	}
	return c.Addr() + hostcpu.Taken
}

// usesStack reports whether RSP is an implicit operand.
func (c *testCase) usesStack() bool {
	switch c.Row.Sem {
	case "push", "pop", "calli":
		return true
	}
	return false
}

// solve is the value that the base register needs.
func (c *testCase) solve(at uint64, r *rng) uint64 {
	in := &c.Inst
	at -= in.Disp
	if in.Index < 16 {
		at -= c.In.R[in.Index] << in.Scale
	}
	if c.Row.Sem == "pop" && in.Base == 4 {
		at -= uint64(in.Size)
	}
	if in.Addr32 {
		at = at&0xFFFFFFFF | r.next()<<32
	}
	return at
}

// address computes the address of the operand again.
func (c *testCase) address() uint64 {
	in := &c.Inst
	at := in.Disp
	if in.Base < 16 {
		at += c.In.R[in.Base]
	}
	if in.Index < 16 {
		at += c.In.R[in.Index] << in.Scale
	}
	if c.Row.Sem == "pop" && in.Base == 4 {
		at += uint64(in.Size)
	}
	if in.Addr32 {
		at &= 0xFFFFFFFF
	}
	return at
}

// bitOffset keeps the bit that BT and its like reach inside the window.
func (c *testCase) bitOffset(r *rng) bool {
	switch c.Row.Sem {
	case "bt", "bts", "btr", "btc":
		reg := c.Inst.Reg[1]
		if reg == c.Inst.Base || reg == c.Inst.Index {
			return false
		}
		v := uint64(int64(r.below(0x600)) - 0x300)
		if c.Inst.Size < 8 {
			m := uint64(1)<<(8*c.Inst.Size) - 1
			v = v&m | r.next()&^m
		}
		c.In.R[reg] = v
	}
	return true
}

// plausible makes divisions succeed and comparisons equal often enough.
func (c *testCase) plausible(r *rng) {
	in := &c.Inst
	switch c.Row.Sem {
	case "div", "idiv":
		if !r.chance(8) {
			c.shrinkDividend(r)
		}
	case "cmpxchg":
		if r.chance(2) {
			v := c.In.R[in.Reg[0]] >> in.High[0]
			if in.Mem {
				v = c.peek(c.address())
			}
			c.trySet(0, v)
		}
	case "cmpxchg8b", "cmpxchg16b":
		if r.chance(2) {
			at := c.address()
			lo, hi := c.peek(at), c.peek(at+8)
			if c.Row.Sem == "cmpxchg8b" {
				lo, hi = lo&0xFFFFFFFF, lo>>32
			}
			c.trySet(0, lo)
			c.trySet(2, hi)
		}
	}
}

func (c *testCase) peek(addr uint64) uint64 {
	if addr-window <= windowSize-8 {
		return binary.LittleEndian.Uint64(c.Memory[addr-window:])
	}
	return 0
}

// trySet sets a register unless that moves the operand.
func (c *testCase) trySet(reg int, v uint64) {
	old, at := c.In.R[reg], c.address()
	if c.In.R[reg] = v; c.Inst.Mem && c.address() != at {
		c.In.R[reg] = old
	}
}

func (c *testCase) shrinkDividend(r *rng) {
	y := c.In.R[c.Inst.Reg[0]] >> c.Inst.High[0]
	if c.Inst.Mem {
		y = c.peek(c.address())
	}
	w := 8 * uint(c.Inst.Size)
	y &= ^uint64(0) >> (64 - w)
	hi := uint64(0)
	if n := bits.Len64(y); n > 1 {
		hi = r.next() & (1<<(n-1) - 1) // below the divisor
		if c.Row.Sem == "idiv" {
			hi >>= 1 + r.below(n)
		}
	}
	if c.Row.Sem == "idiv" && r.chance(2) {
		hi = ^hi
	}
	if w == 8 {
		c.trySet(0, c.In.R[0]&^0xFF00|hi&0xFF<<8)
		return
	}
	c.trySet(2, hi)
}
