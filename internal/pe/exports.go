package pe

import (
	"encoding/binary"
	"fmt"
)

// Export is one function or variable that the image offers to others.
type Export struct {
	Name    string // "" if by ordinal only
	Ordinal uint32
	RVA     uint32
	Forward string // "IMAGE.Name" if it lies elsewhere; RVA is 0 then
}

// parseExports reads the export directory ("The .edata Section").
func (f *File) parseExports() *Error {
	d := f.dirs[dirExport]
	if d.rva == 0 || d.size == 0 {
		return nil
	}
	c := cursor{data: f.at(d.rva)}
	c.skip(16)
	base, functions, names := c.u32(), c.u32(), c.u32()
	addresses, nameTable, ordinalTable := f.at(c.u32()), f.at(c.u32()), f.at(c.u32())
	if c.bad {
		return f.damaged(d.rva, "the export directory (at 0x%X) is not in the file", d.rva)
	}
	if functions > maxExports || int(functions)*4 > len(addresses) {
		return f.damaged(d.rva, "the export directory announces %d functions, %d would fit", functions, len(addresses)/4)
	}
	if names > maxExports || int(names)*4 > len(nameTable) || int(names)*2 > len(ordinalTable) {
		return f.damaged(d.rva, "the export directory announces %d names, %d would fit", names, min(len(nameTable)/4, len(ordinalTable)/2))
	}
	named := make([]bool, functions)
	for i := range names {
		name, ok := f.stringAt(binary.LittleEndian.Uint32(nameTable[i*4:]))
		index := binary.LittleEndian.Uint16(ordinalTable[i*2:])
		if !ok || !identifier(name) || uint32(index) >= functions {
			return f.damaged(d.rva, "export %d has no name or no function", i)
		}
		named[index] = true
		if err := f.addExport(Export{name, base + uint32(index), binary.LittleEndian.Uint32(addresses[int(index)*4:]), ""}); err != nil {
			return err
		}
	}
	for i := range functions {
		if rva := binary.LittleEndian.Uint32(addresses[i*4:]); rva != 0 && !named[i] {
			if err := f.addExport(Export{"", base + i, rva, ""}); err != nil {
				return err
			}
		}
	}
	return nil
}

// addExport checks and adds one export. An address inside the export directory
// is the name of a forwarder.
func (f *File) addExport(e Export) *Error {
	d := f.dirs[dirExport]
	if e.RVA-d.rva < d.size {
		name, ok := f.stringAt(e.RVA)
		if !ok || !identifier(name) {
			return f.damaged(e.RVA, "export %s is forwarded to nowhere", e.label())
		}
		e.RVA, e.Forward = 0, name
	} else if f.SectionAt(e.RVA) == nil {
		return f.damaged(d.rva, "export %s lies outside the image, at 0x%X", e.label(), e.RVA)
	}
	f.Exports = append(f.Exports, e)
	return nil
}

func (e *Export) label() string {
	if e.Name == "" {
		return fmt.Sprint("#", e.Ordinal)
	}
	return e.Name
}
