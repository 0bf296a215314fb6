package bind

import (
	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

func init() {
	register(map[string]func(c *call) uint64{
		"IoAllocateMdl":                (*call).allocateMDL,
		"IoFreeMdl":                    func(c *call) uint64 { c.FreePool(c.arg(0)); return 0 },
		"MmBuildMdlForNonPagedPool":    (*call).buildMDL,
		"MmMapLockedPagesSpecifyCache": (*call).mapMDL,
		"MmUnmapLockedPages":           func(c *call) uint64 { return 0 }, // what mapMDL returns is the buffer itself
	})
}

// Flags of an MDL.
const (
	mdlMappedToSystem = 0x1
	mdlNonPaged       = 0x4
)

// allocateMDL makes an MDL for (address, length): a header and a page frame
// number for each page.
func (c *call) allocateMDL() uint64 {
	va, n := c.arg(0), uint64(c.word(1))
	if n == 0 || n > mem.MaxAlloc {
		return 0
	}
	header := ddi.SizeOf("MDL")
	pages := (va&(mem.PageSize-1) + n + mem.PageSize - 1) / mem.PageSize
	p := c.AllocatePool(false, header+8*pages, kernel.PoolTag("Mdl "))
	s := c.structureAt(p, "MDL")
	s.set("Size", header+8*pages)
	s.set("StartVa", va&^(mem.PageSize-1))
	s.set("ByteOffset", va&(mem.PageSize-1))
	s.set("ByteCount", n)
	return p
}

// buildMDL fills in the page frame numbers of a buffer in non-paged pool.
func (c *call) buildMDL() uint64 {
	c.Step()
	s := c.mdl(0)
	va, n := s.get("StartVa")+s.get("ByteOffset"), s.get("ByteCount")
	for i, at := uint64(0), va&^(mem.PageSize-1); at < va+n; i, at = i+1, at+mem.PageSize {
		pa, ok := c.d.m.Mem.Physical(at)
		if !ok {
			c.load(at, 1) // faults as the driver's own access would
		}
		c.store(s.addr+s.typ.Size+8*i, 8, pa/mem.PageSize)
	}
	s.set("MappedSystemVa", va)
	s.set("MdlFlags", s.get("MdlFlags")|mdlNonPaged)
	return 0
}

// mapMDL returns the system address of a buffer that has one.
func (c *call) mapMDL() uint64 {
	s := c.mdl(0)
	if s.get("MdlFlags")&(mdlNonPaged|mdlMappedToSystem) == 0 {
		c.Unsupported("MmMapLockedPagesSpecifyCache for pages that have no system address")
	}
	return s.get("MappedSystemVa")
}

// mdl returns the MDL that an argument points to. Its Size field is of two bytes
// and counts the page frame numbers too.
func (c *call) mdl(n int) *structure {
	return c.structureAt(c.arg(n), "MDL")
}
