package bind

func init() {
	registerChecked(map[string]func(c *call) uint64{
		"IoAllocateMdl":                (*call).allocateMDL,
		"IoFreeMdl":                    func(c *call) uint64 { c.IoFreeMdl(c.arg(0)); return 0 },
		"MmBuildMdlForNonPagedPool":    func(c *call) uint64 { c.MmBuildMdlForNonPagedPool(c.arg(0)); return 0 },
		"MmMapLockedPagesSpecifyCache": (*call).mapMDL,
		"MmUnmapLockedPages":           func(c *call) uint64 { c.MmUnmapLockedPages(c.arg(1)); return 0 },
		"MmUnlockPages":                func(c *call) uint64 { c.MmUnlockPages(c.arg(0)); return 0 },
	})
}

// allocateMDL: (address, length, secondary buffer, charge quota, IRP).
func (c *call) allocateMDL() uint64 {
	if c.arg(4) != 0 {
		c.Unsupported("IoAllocateMdl for an IRP")
	}
	return c.IoAllocateMdl(c.arg(0), uint64(c.word(1)))
}

// mapMDL: (MDL, access mode, cache type, requested address, bug check on failure,
// priority).
func (c *call) mapMDL() uint64 {
	if c.arg(1)&0xFF != 0 {
		c.Unsupported("MmMapLockedPagesSpecifyCache for the address space of an application")
	}
	return c.MmMapLockedPagesSpecifyCache(c.arg(0))
}
