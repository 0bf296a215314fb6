package x86

import (
	"math/bits"

	"github.com/dirql/dirql/internal/mem"
)

// Basic blocks of pre-decoded instructions. A block is valid as long as its
// bytes are in memory: they are compared at the first use after something has
// written to memory that code was fetched from, or has changed what is mapped
// there. (A write to code through another address of the page is seen by the next
// Run.) Blocks end with a jump, before a page boundary, or after maxBlock
// instructions.

const (
	maxBlock  = 32
	maxBlocks = 1 << 16 // in a cache; then it starts again
	cacheMask = 1<<12 - 1
)

// operation is one step of the interpreter: an instruction, or a part of it.
type operation struct {
	code      uint16
	at        uint16 // offset of the instruction in the block
	num       uint8  // instructions of the block in front of it
	len       uint8
	a, b, c   uint8 // register operands by position
	ha, hb    uint8 // 8 for AH, CH, DH, BH
	base, idx uint8
	sc, cc    uint8
	size      uint8
	rep       uint8
	lock, mem bool
	aligned   bool
	jumps     bool // sets RIP
	imm, disp uint64
}

// block is a run of instructions.
type block struct {
	pc    uint64
	n     uint64     // instructions
	first *operation // of ops
	seen  uint64     // epoch in which the bytes were last compared
	ops   []operation
	next  [2]uint64 // where it goes on: behind it, or where it jumps to
	link  [2]*block
	code  []byte
	plain uint16   // what its last operation but one was before fuse, 0: the same
	parts []*block // the first instructions of it: see prefix
}

// Code is a cache of decoded code. Processors of one machine share it.
type Code struct {
	mem    *mem.Space
	blocks map[uint64]*block
	cache  [cacheMask + 1]*block
}

// NewCode returns an empty cache for the code in a memory.
func NewCode(m *mem.Space) *Code { return &Code{mem: m, blocks: map[uint64]*block{}} }

// now returns the present epoch. Pageable code cannot be executed at every IRQL:
// what was seen with stopPageable off is not seen with it on.
func (d *Code) now(stopPageable bool) uint64 {
	epoch := 2 + d.mem.Codes()<<1
	if stopPageable {
		epoch |= 1
	}
	return epoch
}

// Blocks returns the number of blocks in the cache.
func (d *Code) Blocks() int { return len(d.blocks) }

func (d *Code) put(b *block) {
	if len(d.blocks) >= maxBlocks {
		clear(d.blocks)
		clear(d.cache[:])
	}
	d.blocks[b.pc] = b
	d.cache[b.pc&cacheMask] = b
}

// enter returns the block at pc, or stops.
func (c *CPU) enter(pc uint64) *block {
	if pc-c.TrapBase < c.TrapEnd-c.TrapBase {
		c.stop = StopTrap
		return nil
	}
	d := c.code
	b := d.cache[pc&cacheMask]
	if b == nil || b.pc != pc {
		b = d.blocks[pc]
	}
	if b != nil && b.seen == c.epoch {
		d.cache[pc&cacheMask] = b
		return b
	}
	page, ok := c.codePage(pc)
	if !ok {
		return nil
	}
	if b != nil {
		if ok, b = c.check(b, page); !ok {
			return nil
		}
	}
	if b == nil {
		if b = c.build(pc, page); b == nil {
			return nil
		}
		d.put(b)
	}
	b.seen = c.epoch
	d.cache[pc&cacheMask] = b
	return b
}

// codePage returns the bytes of a page for execution, or stops.
func (c *CPU) codePage(pc uint64) (*[mem.PageSize]byte, bool) {
	page, prot, f := c.mem.PageFor(pc, mem.Fetch)
	if f.Kind == mem.NoFault && !(c.StopPageable && prot&mem.Pageable != 0) {
		return page, true
	}
	c.stop, c.Fault = StopFault, f
	if f.Kind == mem.NoFault {
		c.stop, c.Fault = StopPageable, mem.Fault{Access: mem.Fetch, Addr: pc}
	}
	c.Access = Access{Addr: pc}
	return nil, false
}

// check returns b if its bytes are still in memory, nil if there are others. It
// reports false if the page on which its last instruction ends stops.
func (c *CPU) check(b *block, page *[mem.PageSize]byte) (bool, *block) {
	here := page[b.pc&(mem.PageSize-1):]
	n := min(len(b.code), len(here))
	if string(here[:n]) != string(b.code[:n]) {
		return true, nil
	}
	if n < len(b.code) {
		next, ok := c.codePage(b.pc + uint64(n))
		if !ok {
			return false, nil
		}
		if string(next[:len(b.code)-n]) != string(b.code[n:]) {
			return true, nil
		}
	}
	return true, b
}

// follow finds the block at RIP and links it as successor k of b. It returns
// nil if Run has to go on: something stopped, or the budget does not suffice.
func (c *CPU) follow(b *block, k int) *block {
	if c.left == 0 && c.RIP-c.TrapBase >= c.TrapEnd-c.TrapBase {
		return nil // as most often when one instruction is executed
	}
	next := c.enter(c.RIP)
	if next == nil {
		return nil
	}
	if b != nil {
		b.link[k] = next
	}
	if next.n > c.left {
		return nil
	}
	return next
}

// prefix returns a block of the first k instructions of b.
func (b *block) prefix(k uint64) *block {
	if k >= b.n {
		return b
	}
	if b.parts == nil {
		b.parts = make([]*block, b.n)
	}
	if p := b.parts[k]; p != nil {
		return p
	}
	i := 0
	for uint64(b.ops[i].num) < k {
		i++
	}
	p := &block{pc: b.pc, n: k, ops: make([]operation, i+1)}
	copy(p.ops, b.ops[:i])
	if b.plain != 0 && i == len(b.ops)-1 {
		p.ops[i-1].code = b.plain
	}
	p.ops[i] = operation{code: oNext}
	p.first = &p.ops[0]
	p.next[0] = b.pc + uint64(b.ops[i].at)
	b.parts[k] = p
	return p
}

// build decodes the block at pc.
func (c *CPU) build(pc uint64, page *[mem.PageSize]byte) *block {
	b := &block{pc: pc}
	code := page[pc&(mem.PageSize-1):]
	at := 0
	for ended := false; !ended && b.n < maxBlock && at < len(code); {
		in, err := Decode(code[at:], pc+uint64(at))
		if err == ErrShort {
			if at > 0 {
				break // the next block begins with it
			}
			return c.buildCrossing(b, code)
		}
		ended = b.add(&in, err, at)
		at += in.Len
	}
	b.finish(code[:at])
	return b
}

// buildCrossing makes a block of one instruction that goes on in the next page.
func (c *CPU) buildCrossing(b *block, code []byte) *block {
	next, ok := c.codePage(b.pc + uint64(len(code)))
	if !ok {
		return nil
	}
	both := append(append(make([]byte, 0, maxLength), code...), next[:maxLength-len(code)]...)
	in, err := Decode(both, b.pc)
	b.add(&in, err, 0)
	b.finish(both[:in.Len])
	return b
}

func (b *block) finish(code []byte) {
	b.next[0] = b.pc + uint64(len(code))
	b.code = append([]byte(nil), code...)
	b.fuse()
	if last := &b.ops[len(b.ops)-1]; last.code != oStop && last.code != oJccI64 {
		b.ops = append(b.ops, operation{code: oNext, at: uint16(len(code)), num: uint8(b.n)})
	}
	b.first = &b.ops[0]
}

// fuse lets the operation in front of a conditional jump do both. It stays one
// of two instructions: what cuts the block between them puts it back.
func (b *block) fuse() {
	n := len(b.ops)
	if n < 2 || b.ops[n-1].code != oJccI64 {
		return
	}
	op, jump := &b.ops[n-2], &b.ops[n-1]
	if op.code < firstCold {
		if code := jumps[op.code][jump.cc>>1]; code != 0 {
			b.plain, op.code, op.cc = op.code, code, jump.cc
		}
	}
}

// add appends an instruction; it reports true if the block ends with it.
func (b *block) add(in *Inst, err error, at int) bool {
	op := operation{at: uint16(at), num: uint8(b.n), len: uint8(in.Len)}
	b.n++
	if err != nil {
		op.code = oStop
		b.ops = append(b.ops, op)
		return true
	}
	r := in.row
	op.a, op.b, op.c = in.Reg[0], in.Reg[1], in.Reg[2]
	op.ha, op.hb = in.High[0], in.High[1]
	op.base, op.idx, op.sc, op.disp = in.Base, in.Index, in.Scale, in.Disp
	op.cc, op.size, op.rep, op.lock, op.mem, op.imm = in.Cond, in.Size, in.Rep, in.Lock, in.Mem, in.Imm
	op.aligned = r.attrs&aligned != 0
	if in.Mem && in.Name == "XCHG" {
		op.lock = true // always (SDM volume 2, XCHG)
	}
	if in.Mem && in.Name == "POP" && in.Base == RSP {
		op.disp += uint64(in.Size) // the address is that after the pop (SDM volume 2, POP)
	}
	if in.Mem && (in.Seg != segNone || in.Addr32) {
		b.addAddress(in, op)
		op.base, op.idx, op.sc, op.disp = regAddress, regZero, 0, 0
	}
	op.code = r.code(in)
	if op.idx == regZero && op.code < firstCold && direct[op.code] != 0 {
		op.code = direct[op.code]
	}
	in.implicit(&op)
	if r.attrs&endsBlock != 0 {
		op.jumps = op.code >= firstCold
		b.next[1] = in.Imm
		if !in.Mem {
			op.disp = b.pc + uint64(at+in.Len) // return address of a call
		}
	}
	b.ops = append(b.ops, op)
	return r.attrs&endsBlock != 0 || r.attrs&canRep != 0 && in.Rep != 0
}

// addAddress puts the computation of an unusual address in front.
func (b *block) addAddress(in *Inst, op operation) {
	op.code, op.a, op.b, op.len = oAddress, in.Seg, 0, 0
	if in.Name == "LEA" {
		op.a = segNone // LEA ignores the segment
	}
	if in.Addr32 {
		op.b = 1
	}
	b.ops = append(b.ops, op)
}

// implicit notes the segment and the address size where they belong to implicit
// operands: strings, XLAT, the counter of LOOP and JRCXZ.
func (in *Inst) implicit(op *operation) {
	if in.row.attrs&canRep == 0 && in.row.operands[0].kind != 'J' && in.Name != "XLAT" {
		return
	}
	op.a = in.Seg
	if in.Addr32 {
		op.b = 1
	}
}

// code returns the operation for the operand size and kind of r/m.
func (r *row) code(in *Inst) uint16 {
	i := 2 * min(bits.TrailingZeros8(in.Size), 3)
	if in.Mem {
		i++
	}
	return r.codes[i]
}
