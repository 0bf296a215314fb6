package bind

import (
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/wdf"
)

func init() {
	register(map[string]func(c *call) uint64{
		"WdfVersionBind":   (*call).versionBind,
		"WdfVersionUnbind": func(c *call) uint64 { return 0 },

		"WdfVersionBindClass":   (*call).versionBindClass,
		"WdfVersionUnbindClass": func(c *call) uint64 { return 0 }, // nothing was bound
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
	if st, why := c.refused(info); st.Failed() {
		c.Report(kernel.Finding{Rule: "WdfVersionBind", Text: why})
		return uint64(st)
	}
	count, at := info.get("FuncCount"), info.get("FuncTable")
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
	c.answerBindInfo2(info, count)
	return uint64(wdf.StatusSuccess)
}

// classNameOffset is where the name of the class extension is in
// WDF_CLASS_BIND_INFO: a pointer behind the ULONG Size.
const classNameOffset = 8

// versionBindClass stops at a driver of a class extension: (WDF_BIND_INFO, address of
// the WDF_DRIVER_GLOBALS, WDF_CLASS_BIND_INFO). All drivers import the routine; the
// start code that WdfDriverEntry.lib gives them calls it for each entry of the
// section .kmdfclassbind, which most do not have.
func (c *call) versionBindClass() uint64 {
	name := "(NULL)"
	if p := c.arg(2); p != 0 {
		name = c.wideText(c.load(p+classNameOffset, 8))
	}
	c.Unsupported("the class extension " + name + " (WdfVersionBindClass)")
	return uint64(wdf.StatusNotSupported)
}

// wideText reads a zero-terminated string of UTF-16 characters.
func (c *call) wideText(addr uint64) string {
	var p []uint16
	for addr != 0 && len(p) < maxText/2 {
		ch := uint16(c.load(addr+2*uint64(len(p)), 2))
		if ch == 0 {
			break
		}
		p = append(p, ch)
	}
	return string(utf16.Decode(p))
}

// answerBindInfo2 fills in what a client of KMDF 1.25 or later asks for besides:
// whether it is newer than the framework (it is not, or it would have been
// refused), and how many functions it may call.
func (c *call) answerBindInfo2(info *structure, count uint64) {
	if info.size < ddi.SizeOf("WDF_BIND_INFO2") {
		return
	}
	more := c.view(info.addr, "WDF_BIND_INFO2")
	if p := more.get("ClientVersionHigherThanFramework"); p != 0 {
		c.store(p, 1, 0)
	}
	if p := more.get("FuncCountPtr"); p != 0 {
		c.store(p, 4, count)
	}
}

// Status values of the loader.
const (
	statusObjectTypeMismatch wdf.NTSTATUS = 0xC0000024 // the library is too old
	statusObjectNameNotFound wdf.NTSTATUS = 0xC0000034 // there is no such library
)

// refused checks what a driver asks for: the library, its version, and the
// number of functions. Libraries are found by name and major version, a minor
// version that is newer than the library's is refused (KMDF source).
func (c *call) refused(info *structure) (st wdf.NTSTATUS, why string) {
	component := c.wideText(info.get("Component"))
	version := info.addr + ddi.Offset("WDF_BIND_INFO", "Version")
	asked := ddi.Version{Major: int(c.load(version, 4)), Minor: int(c.load(version+4, 4))}
	releases := ddi.Releases()
	newest := releases[len(releases)-1].Version
	switch count := info.get("FuncCount"); {
	case !strings.EqualFold(component, "KmdfLibrary") || asked.Major != newest.Major:
		return statusObjectNameNotFound, fmt.Sprintf("the driver asks for version %s of %q; here is KmdfLibrary %s", asked, component, newest)
	case asked.Minor > newest.Minor || asked.Minor < 0:
		return statusObjectTypeMismatch, fmt.Sprintf("the driver asks for KMDF %s, which is newer than the one here, %s: build it for an older version", asked, newest)
	case !knownCount(count):
		return wdf.StatusInvalidParameter, fmt.Sprintf("the driver asks for a function table of %d entries, which no version of KMDF has", count)
	}
	return wdf.StatusSuccess, ""
}

func knownCount(n uint64) bool {
	for _, r := range ddi.Releases() {
		if uint64(r.Entries) == n {
			return true
		}
	}
	return false
}
