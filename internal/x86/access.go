package x86

import "github.com/dirql/dirql/internal/mem"

// Memory accesses. The switch looks into the TLB; all that misses comes here:
// first use of a page in a Run, accesses that have to stop, that cross a page,
// that fault, that write code.

// Kind is the kind of an access.
type Kind uint8

// Kinds of access. ReadWrite is one access: LOCK, or XCHG with memory.
const (
	Read Kind = iota
	Write
	ReadWrite
)

func (k Kind) String() string { return [...]string{"read", "write", "read-modify-write"}[k] }

// Access is a memory access that is about to happen.
type Access struct {
	Addr uint64
	Size uint8 // bytes: 1, 2, 4, 8 or 16
	Kind Kind
	// Half: this is one half of a read-modify-write without LOCK: the read, or
	// the write that follows it.
	Half bool
	// Value is what a Write stores.
	Value XMM
}

const (
	pageShift = 12
	tlbSize   = 64
	tlbMask   = tlbSize - 1
)

// tlbEntry maps a page to its bytes. In the read TLB are pages that may be
// read, in the write TLB pages that may be written, both without a stop.
type tlbEntry struct {
	page uint64 // address; of another slot's page if the entry is not valid
	data *[mem.PageSize]byte
}

type tlb [tlbSize]tlbEntry

// invalidPage is an address that no access through entry i is near to.
func invalidPage(i int) uint64 { return uint64(i^1) << pageShift }

// maxLog is the largest number of accesses of one instruction.
const maxLog = fxArea

// nowhere is an address that no access is near to: it is not canonical, and TLBs
// have only what can be accessed.
const nowhere = 1 << 62

// logEntry is an access of the present instruction that has happened.
type logEntry struct {
	addr  uint64
	value XMM
	size  uint8
	kind  uint8
}

const (
	logLoad = iota
	logStore
	logOperation
)

// Numbers of the TLBs' first entries in CPU.fills.
const (
	fillRead = iota * tlbSize
	fillWrite
	fillPassRead
	fillPassWrite
)

// forget empties the TLBs: something else may have changed memory.
func (c *CPU) forget() {
	for _, i := range c.fills[:c.nfills] {
		switch n := i & tlbMask; i &^ tlbMask {
		case fillRead:
			c.rt[n].page = invalidPage(int(n))
		case fillWrite:
			c.wt[n].page = invalidPage(int(n))
		case fillPassRead:
			c.pass.r[n].page = invalidPage(int(n))
		case fillPassWrite:
			c.pass.w[n].page = invalidPage(int(n))
		}
	}
	c.top.page, c.nfills = nowhere, 0
	c.changes = c.mem.Changes()
}

func (c *CPU) fill(t *tlb, base uint8, addr uint64, data *[mem.PageSize]byte) {
	c.filled(&t[addr>>pageShift&tlbMask], base, addr, data)
}

// filled makes an entry that of a page; not for pages of applications, which
// are others when another process runs. It reports whether it did.
func (c *CPU) filled(e *tlbEntry, base uint8, addr uint64, data *[mem.PageSize]byte) bool {
	if mem.IsUser(addr) {
		return false
	}
	i := addr >> pageShift & tlbMask
	if e.page == invalidPage(int(i)) {
		c.fills[c.nfills] = base + uint8(i)
		c.nfills++
	}
	*e = tlbEntry{addr &^ (mem.PageSize - 1), data}
	return true
}

// segmented is the address of an operand with a segment base or with 32-bit
// addresses; op is the operation in front of the instruction.
func (c *CPU) segmented(op *operation) uint64 {
	ea := c.R[op.base] + c.R[op.idx]<<(op.sc&63) + op.disp
	if op.b != 0 {
		ea = uint64(uint32(ea))
	}
	switch op.a {
	case segFS:
		ea += c.FSBase
	case segGS:
		ea += c.GSBase
	}
	return ea
}

func (c *CPU) address(op *operation) uint64 {
	return c.R[op.base] + c.R[op.idx]<<(op.sc&63) + op.disp
}

// replay takes the next access out of the log if it has happened already.
// Accesses to private pages are not logged: they happen again.
func (c *CPU) replay(addr uint64, size uint8, kind uint8) (XMM, bool) {
	if c.logAt < c.logN {
		if e := &c.log[c.logAt]; e.addr == addr && e.size == size && e.kind == kind {
			c.logAt++
			return e.value, true
		}
	}
	return XMM{}, false
}

// done reports whether a store has happened already.
func (c *CPU) done(addr uint64, size uint8) bool {
	_, ok := c.replay(addr, size, logStore)
	return ok
}

// admit decides whether an access may happen now; if not, it stops. need is
// what the page has to allow.
func (c *CPU) admit(a Access, need mem.Access) bool {
	c.noted, c.pass.now = false, false
	plain, f := c.mem.ProtFor(a.Addr, need)
	prot := c.personal(a.Addr, plain)
	both := prot
	last := a.Addr + uint64(a.Size) - 1
	switch {
	case (a.Addr^last)>>pageShift == 0:
	case !canonical(last) && f.Kind != mem.NotCanonical:
		f = mem.Fault{Kind: mem.NotCanonical, Access: need, Addr: last &^ (mem.PageSize - 1)}
	case f.Kind == mem.NoFault:
		prot, f = c.mem.ProtFor(last&^(mem.PageSize-1), need)
		prot = c.personal(last, prot)
		both = both&prot&mem.Private | (both|prot)&^mem.Private
	}
	switch {
	case f.Kind == mem.DevicePage:
		return c.halt(StopDevice, a, f)
	case f.Kind != mem.NoFault:
		return c.halt(StopFault, a, f)
	case c.StopPageable && both&mem.Pageable != 0:
		if !c.allowed && !c.atomic {
			return c.halt(StopPageable, a, f)
		}
		c.noted = true
	case c.StopVisible && both&mem.Private == 0:
		if !c.allowed && !c.atomic {
			if c.pass.now = c.passes(a, plain); !c.pass.now {
				return c.halt(StopVisible, a, f)
			}
		}
		c.noted = true
	}
	if a.Kind != Read && both&mem.Exec != 0 && !c.codeOK {
		c.stop = stopCode
		return false
	}
	return true
}

func (c *CPU) halt(s Stop, a Access, f mem.Fault) bool {
	if (s == StopDevice || s == StopFault) && a.Kind == ReadWrite {
		a.Kind = Read // the embedder does the two halves
	}
	c.stop, c.Access, c.Fault, c.allowed = s, a, f, false
	return false
}

// read does a load that the TLB does not know.
func (c *CPU) read(a Access, need mem.Access) (XMM, bool) {
	c.noted = false
	if v, ok := c.replay(a.Addr, a.Size, logLoad); ok {
		return v, true
	}
	if !c.admit(a, need) {
		return XMM{}, false
	}
	v := c.fetch(a.Addr, int(a.Size), need)
	if c.noted {
		c.allowed = false
		c.note(logEntry{addr: a.Addr, size: a.Size, kind: logLoad, value: v})
		c.logAt = c.logN
	}
	return v, true
}

// fetch reads memory that can be read; where nothing stops, the page goes into
// the TLB.
func (c *CPU) fetch(addr uint64, n int, need mem.Access) (v XMM) {
	if addr&(mem.PageSize-1)+uint64(n) > mem.PageSize {
		var b [16]byte
		c.mem.Read(addr, b[:n])
		return XMM{le.Uint64(b[:]), le.Uint64(b[8:])}
	}
	p, prot, _ := c.mem.PageFor(addr, mem.Load)
	prot = c.personal(addr, prot)
	switch {
	case need != mem.Load:
	case !c.noted && !c.special(prot):
		c.fill(&c.rt, fillRead, addr, p)
	case c.pass.now && prot&mem.Pageable == 0:
		c.keep(&c.pass.r, fillPassRead, addr, p)
	}
	return peek(p, addr&(mem.PageSize-1), n)
}

// SetPrivate says which private pages belong to what runs here: those from one
// address to another. Those of others are like pages without mem.Private.
func (c *CPU) SetPrivate(from, to uint64) {
	if own := [2]uint64{from, to}; own != c.own {
		c.own = own
		c.forget()
	}
}

// personal takes mem.Private away from a page of somebody else.
func (c *CPU) personal(addr uint64, prot mem.Prot) mem.Prot {
	if c.own[1] != 0 && (addr < c.own[0] || addr >= c.own[1]) {
		return prot &^ mem.Private
	}
	return prot
}

// special reports whether accesses to a page always have to come here. Pageable
// pages do, so that a change of IRQL needs no flush.
func (c *CPU) special(prot mem.Prot) bool {
	return prot&mem.Pageable != 0 || c.StopVisible && prot&mem.Private == 0
}

func peek(p *[mem.PageSize]byte, off uint64, n int) (v XMM) {
	switch n {
	case 1:
		v.Lo = uint64(p[off])
	case 2:
		v.Lo = uint64(le.Uint16(p[off:]))
	case 4:
		v.Lo = uint64(le.Uint32(p[off:]))
	case 8:
		v.Lo = le.Uint64(p[off:])
	default:
		v = XMM{le.Uint64(p[off:]), le.Uint64(p[off+8:])}
	}
	return v
}

// poke stores n bytes.
func poke(p *[mem.PageSize]byte, off uint64, n uint8, v uint64) {
	switch n {
	case 1:
		p[off] = uint8(v)
	case 2:
		le.PutUint16(p[off:], uint16(v))
	case 4:
		le.PutUint32(p[off:], uint32(v))
	default:
		le.PutUint64(p[off:], v)
	}
}

// write does a store that the TLB does not know.
func (c *CPU) write(a Access) bool {
	if _, ok := c.replay(a.Addr, a.Size, logStore); ok {
		return true
	}
	if !c.admit(a, mem.Store) {
		return false
	}
	c.deposit(a.Addr, int(a.Size), a.Value)
	if c.noted {
		c.allowed = false
		c.note(logEntry{addr: a.Addr, size: a.Size, kind: logStore})
		c.logAt = c.logN
	}
	if c.codeOK {
		c.epoch = c.code.now(c.StopPageable)
	}
	return true
}

// deposit writes memory that can be written.
func (c *CPU) deposit(addr uint64, n int, v XMM) {
	if c.mem.Hashing() || addr&(mem.PageSize-1)+uint64(n) > mem.PageSize {
		var b [16]byte
		le.PutUint64(b[:], v.Lo)
		le.PutUint64(b[8:], v.Hi)
		c.mem.Write(addr, b[:n])
		if c.mem.Changes() != c.changes {
			c.forget()
		}
		return
	}
	codes := c.mem.Codes()
	p, prot, _ := c.mem.PageFor(addr, mem.Store)
	if c.mem.Changes() != c.changes {
		c.forget() // the page has other bytes now, under each of its addresses
	}
	prot = c.personal(addr, prot)
	if off := addr & (mem.PageSize - 1); n == 16 {
		poke(p, off, 8, v.Lo)
		poke(p, off+8, 8, v.Hi)
	} else {
		poke(p, off, uint8(n), v.Lo)
	}
	switch {
	case prot&(mem.Exec|mem.Pageable) != 0 || c.mem.Codes() != codes:
	case !c.noted && !c.special(prot):
		c.fill(&c.wt, fillWrite, addr, p)
	case c.pass.now:
		c.keep(&c.pass.w, fillPassWrite, addr, p)
	}
}

// pushTo and popFrom are store and load at the top of the stack. Its page is
// remembered where it is in the TLB for stores.

func (c *CPU) pushTo(b *block, op *operation, ea uint64, n uint8, v uint64) bool {
	e := &c.wt[ea>>pageShift&tlbMask]
	if ea-e.page > mem.PageSize-uint64(n) {
		return c.store(b, op, ea, n, v)
	}
	poke(e.data, ea-e.page, n, v)
	c.top = *e
	return true
}

func (c *CPU) popFrom(b *block, op *operation, ea uint64) (uint64, bool) {
	i := ea >> pageShift & tlbMask
	if e := &c.wt[i]; ea-e.page <= mem.PageSize-8 {
		c.top = *e
		return peek(e.data, ea-e.page, 8).Lo, true
	}
	if e := &c.rt[i]; ea-e.page <= mem.PageSize-8 {
		return peek(e.data, ea-e.page, 8).Lo, true
	}
	return c.load(b, op, ea, 8)
}

func (c *CPU) loadX(ea uint64) (XMM, bool) {
	if e := &c.rt[ea>>pageShift&tlbMask]; ea-e.page <= mem.PageSize-16 {
		o := ea - e.page
		return XMM{le.Uint64(e.data[o:]), le.Uint64(e.data[o+8:])}, true
	}
	return c.read(Access{Addr: ea, Size: 16}, mem.Load)
}

func (c *CPU) storeX(ea uint64, v XMM) bool {
	if e := &c.wt[ea>>pageShift&tlbMask]; ea-e.page <= mem.PageSize-16 {
		o := ea - e.page
		le.PutUint64(e.data[o:], v.Lo)
		le.PutUint64(e.data[o+8:], v.Hi)
		return true
	}
	return c.write(Access{Addr: ea, Size: 16, Kind: Write, Value: v})
}

// rmwLoad is the first half of a read-modify-write: the page has to be
// writable. With LOCK it is all of the access.
func (c *CPU) rmwLoad(op *operation, ea uint64, n uint8) (XMM, bool) {
	a := Access{Addr: ea, Size: n, Kind: Read, Half: true}
	if op.lock {
		a.Kind, a.Half = ReadWrite, false
	}
	c.atomic = false
	v, ok := c.read(a, mem.Store)
	c.atomic = ok && op.lock && c.noted
	return v, ok
}

// rmwStore is the second half. It does not fail when LOCK is given and the
// first half was done by the processor.
func (c *CPU) rmwStore(op *operation, ea uint64, n uint8, v XMM) bool {
	ok := c.write(Access{Addr: ea, Size: n, Kind: Write, Half: !op.lock, Value: v})
	c.atomic = false
	return ok
}

// readRM and the others below serve the operations outside the switch.

// readRM reads the operand r/m of op.size bytes: register r, or memory.
func (c *CPU) readRM(op *operation, r, high uint8) (uint64, bool) {
	if op.mem {
		return c.get(c.address(op), op.size)
	}
	return c.R[r] >> (high & 63) & mask(op.size), true
}

// writeRM writes it.
func (c *CPU) writeRM(op *operation, r, high uint8, v uint64) bool {
	if op.mem {
		return c.put(c.address(op), op.size, v)
	}
	c.setReg(r, high, op.size, v)
	return true
}

// updateRM reads the operand r/m that is going to be written: see finishRM.
func (c *CPU) updateRM(op *operation, r, high uint8) (uint64, bool) {
	if op.mem {
		ea := c.address(op)
		if e := &c.wt[ea>>pageShift&tlbMask]; ea-e.page <= mem.PageSize-uint64(op.size) {
			return peek(e.data, ea-e.page, int(op.size)).Lo, true
		}
		v, ok := c.rmwLoad(op, ea, op.size)
		return v.Lo, ok
	}
	return c.R[r] >> (high & 63) & mask(op.size), true
}

// finishRM writes the result of a read-modify-write that updateRM began.
func (c *CPU) finishRM(op *operation, r, high uint8, v uint64) bool {
	if op.mem {
		return c.rmwStore(op, c.address(op), op.size, XMM{Lo: v & mask(op.size)})
	}
	c.setReg(r, high, op.size, v)
	return true
}

// get loads n bytes.
func (c *CPU) get(ea uint64, n uint8) (uint64, bool) {
	if e := &c.rt[ea>>pageShift&tlbMask]; ea-e.page <= mem.PageSize-uint64(n) {
		return peek(e.data, ea-e.page, int(n)).Lo, true
	}
	v, ok := c.read(Access{Addr: ea, Size: n}, mem.Load)
	return v.Lo, ok
}

// put stores n bytes.
func (c *CPU) put(ea uint64, n uint8, v uint64) bool {
	if e := &c.wt[ea>>pageShift&tlbMask]; ea-e.page <= mem.PageSize-uint64(n) {
		poke(e.data, ea-e.page, n, v)
		return true
	}
	return c.write(Access{Addr: ea, Size: n, Kind: Write, Value: XMM{Lo: v & mask(n)}})
}

// setReg writes n bytes of a register (SDM volume 1, 3.4.1.1).
func (c *CPU) setReg(r, high, n uint8, v uint64) {
	switch n {
	case 1:
		c.R[r] = c.R[r]&^(0xFF<<(high&63)) | v&0xFF<<(high&63)
	case 2:
		c.R[r] = c.R[r]&^0xFFFF | v&0xFFFF
	case 4:
		c.R[r] = uint64(uint32(v))
	default:
		c.R[r] = v
	}
}

// mask has the bits of n bytes.
func mask(n uint8) uint64 { return ^uint64(0) >> ((64 - 8*uint64(n)) & 63) }

// extend sign-extends n bytes.
func extend(n uint8, v uint64) uint64 {
	s := (64 - 8*uint64(n)) & 63
	return uint64(int64(v<<s) >> s)
}
