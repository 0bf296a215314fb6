package pe

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Import is one function or variable that the driver takes from another image.
type Import struct {
	DLL       string // as the driver spells it: ntoskrnl.exe, WDFLDR.SYS
	Name      string // "" if ByOrdinal
	Ordinal   uint16
	ByOrdinal bool
	Slot      uint32 // RVA of the 8 bytes that receive the address
}

// parseImports reads the import directory ("The .idata Section").
func (f *File) parseImports() *Error {
	d := f.dirs[dirImport]
	if d.rva == 0 {
		return nil
	}
	table := f.at(d.rva)
	if table == nil {
		return f.damaged(d.rva, "the import directory (at 0x%X) is not in the file", d.rva)
	}
	c := cursor{data: table}
	seen := map[uint32]bool{}
	for n := 0; ; n++ {
		here := d.rva + uint32(c.pos)
		lookup := c.u32()
		c.skip(8)
		name, slots := c.u32(), c.u32()
		if c.bad {
			return f.damaged(here, "the import directory has no end")
		}
		if lookup == 0 && name == 0 && slots == 0 {
			return nil
		}
		if n == maxDLLs {
			return f.damaged(here, "the driver imports from more than %d images", maxDLLs)
		}
		dll, ok := f.stringAt(name)
		if !ok || !identifier(dll) {
			return f.damaged(here, "import descriptor %d has no name", n)
		}
		if lookup == 0 {
			lookup = slots
		}
		if err := f.importsOf(dll, lookup, slots, seen); err != nil {
			return err
		}
	}
}

// importsOf reads what is imported from one image: a list of names, and as
// long a list of slots. Each slot may occur once (seen): lists that run into
// each other would never end.
func (f *File) importsOf(dll string, lookup, slots uint32, seen map[uint32]bool) *Error {
	list := f.at(lookup)
	for i := uint32(0); ; i++ {
		if len(list) < 8 {
			return f.damaged(lookup, "the list of imports from %s (at 0x%X) is not in the file or has no end", dll, lookup)
		}
		v := binary.LittleEndian.Uint64(list)
		if list = list[8:]; v == 0 {
			return nil
		}
		im := Import{DLL: dll, Slot: slots + i*8}
		if !f.loaded(im.Slot, 8) || im.Slot%8 != 0 || seen[im.Slot] {
			return f.damaged(lookup+i*8, "import %d of %s has an impossible slot, 0x%X", i, dll, im.Slot)
		}
		seen[im.Slot] = true
		if err := f.importName(&im, lookup+i*8, v); err != nil {
			return err
		}
		if len(f.Imports) == maxImports {
			return f.damaged(lookup, "the driver imports more than %d functions", maxImports)
		}
		f.Imports = append(f.Imports, im)
	}
}

// importName decodes one entry of the list of names.
func (f *File) importName(im *Import, rva uint32, v uint64) *Error {
	switch {
	case v>>63 != 0 && v&^(1<<63) < 1<<16:
		im.ByOrdinal, im.Ordinal = true, uint16(v)
		return nil
	case v < 1<<31:
		if name, ok := f.stringAt(uint32(v) + 2); ok && identifier(name) {
			im.Name = name
			return nil
		}
	}
	return f.damaged(rva, "an import from %s has no name (entry 0x%X)", im.DLL, v)
}

// Imported returns the import of a name, nil if there is none. The names of
// images compare without case.
func (f *File) Imported(dll, name string) *Import {
	for i := range f.Imports {
		if im := &f.Imports[i]; im.Name == name && strings.EqualFold(im.DLL, dll) {
			return im
		}
	}
	return nil
}

// importsFrom reports whether anything is imported from an image.
func (f *File) importsFrom(dll string) bool {
	for i := range f.Imports {
		if strings.EqualFold(f.Imports[i].DLL, dll) {
			return true
		}
	}
	return false
}

func (im *Import) label() string {
	if im.ByOrdinal {
		return fmt.Sprint("#", im.Ordinal)
	}
	return im.Name
}
