package bind

import (
	"fmt"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/wdf"
)

func init() {
	register(map[string]func(c *call) uint64{
		"WdfVersionBind":   (*call).versionBind,
		"WdfVersionUnbind": func(c *call) uint64 { return 0 },
	})
}

// copiedTable is the longest function table that is copied into the driver's
// array; a client that knows more functions gets a pointer to the framework's
// table (KMDF 1.15 and later).
const copiedTable = 438

// versionBind connects the driver to the framework: (DriverObject,
// RegistryPath, WDF_BIND_INFO, address for the WDF_DRIVER_GLOBALS).
func (c *call) versionBind() uint64 {
	info := c.structure(2, "WDF_BIND_INFO")
	if info == nil || c.arg(3) == 0 {
		return uint64(wdf.StatusInvalidParameter)
	}
	count, at := info.get("FuncCount"), info.get("FuncTable")
	if !knownCount(count) {
		c.Report(kernel.Finding{Rule: "WdfVersionBind", Text: fmt.Sprintf(
			"the driver asks for a function table of %d entries, which no version of KMDF has", count)})
		return uint64(wdf.StatusInvalidParameter)
	}
	table := c.d.functionTable()
	if count <= copiedTable {
		for i := range count {
			c.store(at+8*i, 8, table[i])
		}
	} else {
		pages := (8*len(table) + mem.PageSize - 1) / mem.PageSize
		p := c.d.m.Mem.Map(mem.SystemMaps, pages, mem.Read|mem.Write)
		for i, f := range table {
			c.store(p+8*uint64(i), 8, f)
		}
		c.store(at, 8, p)
	}
	if c.d.globals == 0 {
		c.d.globals = c.d.m.Mem.Alloc(ddi.SizeOf("WDF_DRIVER_GLOBALS"), kernel.PoolTag("FxDr"), false, 0)
	}
	c.store(c.arg(3), 8, c.d.globals)
	return uint64(wdf.StatusSuccess)
}

func knownCount(n uint64) bool {
	for _, r := range ddi.Releases() {
		if uint64(r.Entries) == n {
			return true
		}
	}
	return false
}
