package x86

import "github.com/dirql/dirql/internal/mem"

// Accesses to shared memory that nobody has to decide about. With StopVisible,
// each access to a page that is not private stops; an embedder that only wants
// to know of most of them lets a number of them pass: see CPU.Pass.

// maxPass is how many accesses can pass in one Run; a last instruction may add
// as many as it makes.
const maxPass = 256 - maxLog

// Passed is an access that happened without a stop.
type Passed struct {
	Addr   uint64
	PC     uint64 // of the instruction
	Value  uint64 // of a Write of at most 8 bytes
	Before uint32 // instructions executed before it in this Run (modulo 2^32)
	what   uint32
}

// Parts of Passed.what; the size is in the lowest byte.
const (
	whatRead      = uint32(Read) << 8
	whatWrite     = uint32(Write) << 8
	whatReadWrite = uint32(ReadWrite) << 8
	whatHalf      = 1 << 16
)

func whatOf(size uint8, kind Kind, half bool) uint32 {
	w := uint32(size) | uint32(kind)<<8
	if half {
		w |= whatHalf
	}
	return w
}

// Size returns the number of bytes.
func (p *Passed) Size() uint8 { return uint8(p.what) }

// Kind returns the kind of access.
func (p *Passed) Kind() Kind { return Kind(p.what >> 8) }

// Half: see Access.
func (p *Passed) Half() bool { return p.what&whatHalf != 0 }

// passing is what lets accesses pass.
type passing struct {
	r, w  [tlbSize]passEntry // pages with memory that may be read, and written
	n     int                // have passed
	end   int                // how many may now; 0: none
	row   int                // so many in a row, of which none is a write
	max   int                // at most
	list  [maxPass + maxLog]Passed
	stops *mem.ByteSet
	known int  // its length
	now   bool // the present access passes

	// The present instruction.
	b  *block
	op *operation
}

type passEntry struct {
	tlbEntry
	stops *mem.PageBytes
}

// Pass lets up to n accesses of the next Run pass, but no more than first until one
// of them is a Write, nor row after a Write until the next: accesses to memory of the
// kernel that is neither a stack nor a view of memory with another address, and is
// not in stops, which may be nil. What passed is in Passed; the access that is one too
// many stops.
func (c *CPU) Pass(n, first, row int, stops *mem.ByteSet) {
	c.pass.max, c.pass.row = min(n, maxPass), row
	c.pass.end = min(c.pass.max, first)
	if n := stops.Len(); stops != c.pass.stops || n != c.pass.known {
		c.pass.stops, c.pass.known = stops, n
		c.forget()
	}
}

// Passed returns the accesses that passed in the last Run, in their order. They
// are valid until the next one.
func (c *CPU) Passed() []Passed { return c.pass.list[:c.pass.n] }

// at notes which instruction it is that makes accesses.
func (c *CPU) at(b *block, op *operation) { c.pass.b, c.pass.op = b, op }

// passed puts an access into the list.
func (c *CPU) passed(b *block, op *operation, addr uint64, size uint8, kind Kind, half bool) *Passed {
	p := &c.pass
	e := &p.list[p.n&(maxPass+maxLog-1)]
	p.n++
	e.Addr, e.PC, e.Before = addr, b.pc+uint64(op.at), uint32(c.limit-c.left-b.n+uint64(op.num))
	e.what = whatOf(size, kind, half)
	if kind == Write {
		p.end = min(p.n+p.row, p.max)
	}
	return e
}

// hits reports whether an access to memory of an entry passes, at the beginning
// of an instruction.
func (p *passing) hits(e *passEntry, ea uint64, n uint8) bool {
	return ea-e.page <= mem.PageSize-uint64(n) && p.n < p.end && !e.stops.Has(ea, n)
}

// passes decides whether an access that the TLBs do not know passes. prot is the
// protection of its page.
func (c *CPU) passes(a Access, prot mem.Prot) bool {
	p := &c.pass
	switch {
	case p.end == 0, c.logN == 0 && p.n >= p.end, prot&(mem.Private|mem.View) != 0, a.Addr>>63 == 0,
		a.Kind != Read && prot&mem.Exec != 0, a.Addr&(mem.PageSize-1)+uint64(a.Size) > mem.PageSize,
		p.stops.Has(a.Addr, uint32(a.Size)):
		return false
	}
	c.passed(p.b, p.op, a.Addr, a.Size, a.Kind, a.Half).Value = a.Value.Lo
	return true
}

// keep puts a page into a TLB for accesses that pass.
func (c *CPU) keep(t *[tlbSize]passEntry, base uint8, addr uint64, data *[mem.PageSize]byte) {
	i := addr >> pageShift & tlbMask
	if c.filled(&t[i].tlbEntry, base, addr, data) {
		t[i].stops = c.pass.stops.Page(addr)
	}
}

// The accesses of the operations in the switch that miss the TLB: zz_pass.go has
// those to pages of which no byte stops. Except for a read-modify-write they are the only one
// of their instruction, so that nothing of it has to be remembered when it is done.

func (c *CPU) load(b *block, op *operation, ea uint64, n uint8) (uint64, bool) {
	if e := &c.pass.r[ea>>pageShift&tlbMask]; c.pass.hits(e, ea, n) {
		c.passed(b, op, ea, n, Read, false)
		return peek(e.data, ea-e.page, int(n)).Lo, true
	}
	c.at(b, op)
	v, ok := c.read(Access{Addr: ea, Size: n}, mem.Load)
	if ok {
		c.commit()
	}
	return v.Lo, ok
}

func (c *CPU) store(b *block, op *operation, ea uint64, n uint8, v uint64) bool {
	if e := &c.pass.w[ea>>pageShift&tlbMask]; c.pass.hits(e, ea, n) {
		c.passed(b, op, ea, n, Write, false).Value = v
		poke(e.data, ea-e.page, n, v)
		return true
	}
	c.at(b, op)
	ok := c.write(Access{Addr: ea, Size: n, Kind: Write, Value: XMM{Lo: v}})
	if ok {
		c.commit()
	}
	return ok
}

// update and finish are the halves of a read-modify-write.
func (c *CPU) update(b *block, op *operation, ea uint64, n uint8) (uint64, bool) {
	if e := &c.pass.w[ea>>pageShift&tlbMask]; c.pass.hits(e, ea, n) {
		kind := Read
		if op.lock {
			kind = ReadWrite
		}
		c.passed(b, op, ea, n, kind, !op.lock)
		return peek(e.data, ea-e.page, int(n)).Lo, true
	}
	c.at(b, op)
	v, ok := c.rmwLoad(op, ea, n)
	return v.Lo, ok
}

func (c *CPU) finish(b *block, op *operation, ea uint64, n uint8, v uint64) bool {
	if e := &c.pass.w[ea>>pageShift&tlbMask]; ea-e.page <= mem.PageSize-uint64(n) && c.logN == 0 && c.pass.end > 0 {
		if !op.lock {
			c.passed(b, op, ea, n, Write, true).Value = v
		}
		poke(e.data, ea-e.page, n, v)
		return true
	}
	ok := c.rmwStore(op, ea, n, XMM{Lo: v})
	if ok {
		c.commit()
	}
	return ok
}
