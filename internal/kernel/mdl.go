package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// An MDL describes the pages behind a buffer: a header in memory that drivers
// read themselves, and behind it the numbers of the pages.
var (
	mdlNext   = ddi.Offset("MDL", "Next")
	mdlSize   = ddi.Offset("MDL", "Size")
	mdlFlags  = ddi.Offset("MDL", "MdlFlags")
	mdlSystem = ddi.Offset("MDL", "MappedSystemVa")
	mdlStart  = ddi.Offset("MDL", "StartVa")
	mdlCount  = ddi.Offset("MDL", "ByteCount")
	mdlOffset = ddi.Offset("MDL", "ByteOffset")
	mdlPages  = ddi.SizeOf("MDL")
)

// Flags of an MDL.
const (
	mdlMapped   = 0x1 // MDL_MAPPED_TO_SYSTEM_VA
	mdlLocked   = 0x2 // MDL_PAGES_LOCKED
	mdlNonPaged = 0x4 // MDL_SOURCE_IS_NONPAGED_POOL
	mdlWrite    = 0x80
)

var (
	svcIoAllocateMdl                = NewService("IoAllocateMdl")
	svcIoFreeMdl                    = NewService("IoFreeMdl")
	svcMmBuildMdlForNonPagedPool    = NewService("MmBuildMdlForNonPagedPool")
	svcMmMapLockedPagesSpecifyCache = NewService("MmMapLockedPagesSpecifyCache")
	svcMmUnmapLockedPages           = NewService("MmUnmapLockedPages")
	svcMmUnlockPages                = NewService("MmUnlockPages")
)

// IoAllocateMdl makes an MDL for length bytes at va, 0 if there is no such
// length. IRQL <= DISPATCH_LEVEL.
func (t *Thread) IoAllocateMdl(va, length uint64) uint64 {
	t.Enter(svcIoAllocateMdl, va, length)
	p := uint64(0)
	if n := mdlBytes(va, length); n != 0 {
		p = t.AllocatePool(false, n, tag("Mdl "))
		t.initMDL(p, va, length)
	}
	t.Leave(trace.Hex, p)
	return p
}

// AllocateMDL is IoAllocateMdl for the framework and the I/O manager, as part of
// the present step.
func (t *Thread) AllocateMDL(va, length uint64) uint64 {
	n := mdlBytes(va, length)
	if n == 0 {
		return 0
	}
	p := t.m.Mem.Alloc(n, tag("Mdl "), false, t.ActivationID())
	t.initMDL(p, va, length)
	return p
}

// mdlBytes returns the size of an MDL, 0 if the buffer is empty or too long.
func mdlBytes(va, length uint64) uint64 {
	if length == 0 || length > mem.MaxAlloc {
		return 0
	}
	return mdlPages + 8*spannedPages(va, length)
}

// spannedPages is ADDRESS_AND_SIZE_TO_SPAN_PAGES.
func spannedPages(va, length uint64) uint64 {
	return (va&(mem.PageSize-1) + length + mem.PageSize - 1) / mem.PageSize
}

func (t *Thread) initMDL(p, va, length uint64) {
	t.kernelStore(p+mdlSize, 2, mdlBytes(va, length))
	t.kernelStore(p+mdlStart, 8, va&^(mem.PageSize-1))
	t.kernelStore(p+mdlOffset, 4, va&(mem.PageSize-1))
	t.kernelStore(p+mdlCount, 4, length)
}

// IoFreeMdl frees an MDL of IoAllocateMdl. IRQL <= DISPATCH_LEVEL.
func (t *Thread) IoFreeMdl(mdl uint64) {
	t.Enter(svcIoFreeMdl, mdl)
	t.FreePool(mdl)
	t.LeaveVoid()
}

// FreeMDL gives up an MDL of AllocateMDL with its mapping.
func (t *Thread) FreeMDL(mdl uint64) {
	if mdl != 0 {
		t.unmapMDL(mdl)
		t.FreeBlock(mdl)
	}
}

// MDLBuffer returns the address and the length of the buffer that an MDL
// describes.
func (t *Thread) MDLBuffer(mdl uint64) (va, length uint64) {
	return t.kernelLoad(mdl+mdlStart, 8) + t.kernelLoad(mdl+mdlOffset, 4), t.kernelLoad(mdl+mdlCount, 4)
}

// NextMDL returns the MDL that goes on where this one ends, 0 for none.
func (t *Thread) NextMDL(mdl uint64) uint64 { return t.kernelLoad(mdl+mdlNext, 8) }

// MDLPhysical returns the physical address of a byte of the buffer, by its offset.
func (t *Thread) MDLPhysical(mdl, offset uint64) uint64 {
	at := t.kernelLoad(mdl+mdlOffset, 4) + offset
	return t.pageFrame(mdl, at/mem.PageSize)*mem.PageSize + at&(mem.PageSize-1)
}

func (t *Thread) pageFrame(mdl, n uint64) uint64 { return t.kernelLoad(mdl+mdlPages+8*n, 8) }

func (t *Thread) flagMDL(mdl, set, clear uint64) {
	t.kernelStore(mdl+mdlFlags, 2, t.kernelLoad(mdl+mdlFlags, 2)&^clear|set)
}

// MmBuildMdlForNonPagedPool fills in the pages of a buffer in non-paged pool.
// IRQL <= DISPATCH_LEVEL.
func (t *Thread) MmBuildMdlForNonPagedPool(mdl uint64) {
	t.Enter(svcMmBuildMdlForNonPagedPool, mdl)
	t.point(op{})
	t.BuildMDL(mdl)
	t.LeaveVoid()
}

// BuildMDL is MmBuildMdlForNonPagedPool as part of the present step.
func (t *Thread) BuildMDL(mdl uint64) {
	va, _ := t.MDLBuffer(mdl)
	t.fillMDL(mdl)
	t.kernelStore(mdl+mdlSystem, 8, va)
	t.flagMDL(mdl, mdlNonPaged, 0)
}

// fillMDL stores the page numbers. A page without memory faults as an access of
// the driver's would.
func (t *Thread) fillMDL(mdl uint64) {
	va, length := t.MDLBuffer(mdl)
	length = min(length, mem.MaxAlloc)
	for i := range spannedPages(va, length) {
		at := va&^(mem.PageSize-1) + i*mem.PageSize
		pa, ok := t.m.Mem.Physical(at)
		if !ok {
			t.driverFault(mem.Fault{Kind: mem.NotPresent, Addr: at})
		}
		t.kernelStore(mdl+mdlPages+8*i, 8, pa/mem.PageSize)
	}
}

// LockPages is MmProbeAndLockPages of the present process, as part of the present
// step; where that raises an exception the answer is STATUS_ACCESS_VIOLATION.
// write says that the pages will be written to.
func (t *Thread) LockPages(mdl uint64, write bool) NTSTATUS {
	va, length := t.MDLBuffer(mdl)
	access, flags := mem.Load, uint64(mdlLocked)
	if write {
		access, flags = mem.Store, mdlLocked|mdlWrite
	}
	if f := t.m.Mem.Check(va, int(length), access); f.Kind != mem.NoFault {
		return StatusAccessViolation
	}
	t.fillMDL(mdl)
	t.flagMDL(mdl, flags, 0)
	return StatusSuccess
}

// MmUnlockPages undoes MmProbeAndLockPages, and the mapping of the pages. IRQL <=
// DISPATCH_LEVEL.
func (t *Thread) MmUnlockPages(mdl uint64) {
	t.Enter(svcMmUnlockPages, mdl)
	t.point(op{})
	if t.kernelLoad(mdl+mdlFlags, 2)&mdlLocked == 0 {
		t.BugCheck(0x76, [4]uint64{1, mdl}, "MDL", fmt.Sprintf("the pages of the MDL at 0x%X are unlocked, but they are not locked", mdl))
	}
	t.unmapMDL(mdl)
	t.flagMDL(mdl, 0, mdlLocked)
	t.LeaveVoid()
}

// MmMapLockedPagesSpecifyCache maps the pages of an MDL to an address that is
// valid in every process. IRQL <= DISPATCH_LEVEL.
func (t *Thread) MmMapLockedPagesSpecifyCache(mdl uint64) uint64 {
	t.Enter(svcMmMapLockedPagesSpecifyCache, mdl)
	t.point(op{})
	va := t.MapMDL(mdl)
	t.Leave(trace.Hex, va)
	return va
}

// MmGetSystemAddressForMdlSafe returns the address of the mapping, which is made
// if there is none. IRQL <= DISPATCH_LEVEL.
func (t *Thread) MmGetSystemAddressForMdlSafe(mdl uint64) uint64 {
	if t.Load(mdl+mdlFlags, 2)&(mdlMapped|mdlNonPaged) != 0 {
		return t.Load(mdl+mdlSystem, 8)
	}
	return t.MmMapLockedPagesSpecifyCache(mdl)
}

// MapMDL is MmGetSystemAddressForMdlSafe as part of the present step. An unmapped
// page follows the mapping.
func (t *Thread) MapMDL(mdl uint64) uint64 {
	flags := t.kernelLoad(mdl+mdlFlags, 2)
	if flags&(mdlMapped|mdlNonPaged) != 0 {
		return t.kernelLoad(mdl+mdlSystem, 8)
	}
	if flags&mdlLocked == 0 {
		t.BugCheck(0x1A, [4]uint64{0x1233, t.pageFrame(mdl, 0)}, "MDL", fmt.Sprintf("the pages of the MDL at 0x%X are mapped, but they are not locked", mdl))
	}
	offset, length := t.kernelLoad(mdl+mdlOffset, 4)&(mem.PageSize-1), min(t.kernelLoad(mdl+mdlCount, 4), mem.MaxAlloc)
	base := uint64(0)
	for i := range spannedPages(offset, length) {
		frame := t.pageFrame(mdl, i)
		page := t.m.Mem.MapPhysical(mem.SystemMaps, frame*mem.PageSize, mem.PageSize, mem.Read|mem.Write)
		if page == 0 || frame >= 1<<40 {
			t.BugCheck(0x1A, [4]uint64{0x1233, frame}, "MDL", fmt.Sprintf("the MDL at 0x%X names a page 0x%X that is no memory", mdl, frame))
		}
		if i == 0 {
			base = page
		}
	}
	guard := t.m.Mem.MapDevice(mem.SystemMaps, 1)
	t.m.Mem.Unmap(guard, 1)
	t.kernelStore(mdl+mdlSystem, 8, base+offset)
	t.flagMDL(mdl, mdlMapped, 0)
	return base + offset
}

// MmUnmapLockedPages takes a mapping of MmMapLockedPagesSpecifyCache back: a
// later touch is a fault. IRQL <= DISPATCH_LEVEL.
func (t *Thread) MmUnmapLockedPages(mdl uint64) {
	t.Enter(svcMmUnmapLockedPages, mdl)
	t.point(op{})
	t.unmapMDL(mdl)
	t.LeaveVoid()
}

func (t *Thread) unmapMDL(mdl uint64) {
	va := t.kernelLoad(mdl+mdlSystem, 8)
	if t.kernelLoad(mdl+mdlFlags, 2)&mdlMapped == 0 || !t.m.Mem.In(mem.SystemMaps, va) {
		return
	}
	length := min(t.kernelLoad(mdl+mdlCount, 4), mem.MaxAlloc)
	t.m.Mem.Unmap(va&^(mem.PageSize-1), int(spannedPages(va, length)))
	t.flagMDL(mdl, 0, mdlMapped)
}
