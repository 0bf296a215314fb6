package bind

import (
	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

func init() {
	registerChecked(map[string]func(c *call) uint64{
		"MmAllocatePagesForMdl":   (*call).allocatePages,
		"MmAllocatePagesForMdlEx": (*call).allocatePages,
		"MmFreePagesFromMdl":      (*call).freePages,
		"MmProbeAndLockPages":     (*call).probeAndLockPages,
	})
}

// mdlPagesLocked is the flag of an MDL whose pages are in memory.
const mdlPagesLocked = 0x2

// allocatePages is (lowest address, highest address, skip, bytes, ...): pages of
// physical memory without a virtual address, and an MDL that describes them. Both
// come out of the system's memory: what is not given back is no pool leak. NULL
// if there are no such pages.
func (c *call) allocatePages() uint64 {
	c.Step()
	lowest, highest, n := c.arg(0), c.arg(1), (c.arg(3)+mem.PageSize-1)/mem.PageSize
	block := uint64(0)
	if n <= mem.MaxAlloc/mem.PageSize {
		block = c.d.m.Mem.Alloc(n*mem.PageSize, kernel.PoolTag("MmPg"), false, c.ActivationID())
	}
	pa, ok := c.d.m.Mem.Physical(block)
	if !ok {
		return 0
	}
	if pa < lowest || pa+n*mem.PageSize-1 > highest {
		c.FreeBlock(block)
		return 0
	}
	header := ddi.SizeOf("MDL")
	p := c.d.m.Mem.Alloc(header+8*n, kernel.PoolTag("Mdl "), false, c.ActivationID())
	s := c.structureAt(p, "MDL")
	s.set("Size", header+8*n)
	s.set("MdlFlags", mdlPagesLocked)
	s.set("ByteCount", n*mem.PageSize)
	for i := range n {
		c.store(p+header+8*i, 8, pa/mem.PageSize+i)
	}
	c.d.pages[p] = block
	return p
}

// freePages gives the pages back; the MDL itself is the driver's to free. A
// second time is bug check 0x4E.
func (c *call) freePages() uint64 {
	c.Step()
	s := c.structure(0, "MDL")
	if s == nil {
		c.load(0, 8) // raises the exception
		return 0
	}
	block := c.d.pages[s.addr]
	if block == 0 || s.get("MdlFlags")&mdlPagesLocked == 0 {
		c.BugCheck(0x4E, [4]uint64{7, c.load(s.addr+s.typ.Size, 8)}, "MmFreePagesFromMdl",
			"pages are freed that the MDL does not have, or not any more")
	}
	c.FreeBlock(block)
	delete(c.d.pages, s.addr)
	s.set("MdlFlags", s.get("MdlFlags")&^mdlPagesLocked)
	return 0
}

// probeAndLockPages is (MDL, access mode, operation): an exception where the pages
// cannot be read, or with IoWriteAccess and IoModifyAccess be written.
func (c *call) probeAndLockPages() uint64 {
	c.Step()
	if s := c.LockPages(c.arg(0), c.word(2) != 0); s.Failed() {
		c.Raise(kernel.Exception{Code: s, Clause: "exception", Text: "MmProbeAndLockPages of pages that cannot be accessed so"})
	}
	return 0
}
