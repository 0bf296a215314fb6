package pe

import (
	"encoding/binary"
	"fmt"
)

// Kinds of base relocations ("The .reloc Section").
const (
	relocAbsolute = 0 // padding
	relocDir64    = 10
)

var relocNames = map[uint16]string{
	1: "HIGH", 2: "LOW", 3: "HIGHLOW", 4: "HIGHADJ", 5: "MIPS_JMPADDR or ARM_MOV32", 7: "THUMB_MOV32", 8: "RISCV_LOW12S", 9: "MIPS_JMPADDR16",
}

// parseRelocations reads the addresses of all absolute addresses in the image.
func (f *File) parseRelocations() *Error {
	d := f.dirs[dirReloc]
	if d.rva == 0 || d.size == 0 {
		return nil
	}
	data := f.at(d.rva)
	if uint32(len(data)) < d.size {
		return f.damaged(d.rva, "the relocations (0x%X bytes at 0x%X) are not in the file", d.size, d.rva)
	}
	c := cursor{data: data[:d.size]}
	for c.left() >= 8 {
		at := c.pos
		page, size := c.u32(), c.u32()
		if page == 0 && size == 0 { // padding
			break
		}
		if size < 8 || size%2 != 0 || int64(size)-8 > int64(c.left()) {
			return f.damaged(d.rva+uint32(at), "a block of relocations has a size of %d bytes; %d are left", size, c.left()+8)
		}
		for range (size - 8) / 2 {
			if err := f.addRelocation(d.rva+uint32(c.pos), page, c.u16()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) addRelocation(at, page uint32, entry uint16) *Error {
	kind, rva := entry>>12, page+uint32(entry&0xFFF)
	if kind == relocAbsolute {
		return nil
	}
	if kind != relocDir64 {
		name := relocNames[kind]
		if name == "" {
			name = fmt.Sprint("type ", kind)
		}
		return f.damaged(at, "a relocation at 0x%X is of a kind that does not occur on x86-64: %s", rva, name)
	}
	if page >= f.Size || !f.within(rva, 8) {
		return f.damaged(at, "a relocation lies outside the sections of the image, at 0x%X", rva)
	}
	f.relocs = append(f.relocs, rva)
	return nil
}

// relocatable reports whether the image can lie elsewhere than at ImageBase. An
// image without any absolute address needs no relocations.
func (f *File) relocatable() bool {
	return f.dirs[dirReloc].rva != 0 || f.Characteristics&relocsStripped == 0
}

// pointerAt returns the RVA that the relocated pointer at rva refers to.
func (f *File) pointerAt(rva uint32) (target uint32, ok bool) {
	b := f.at(rva)
	if len(b) < 8 {
		return 0, false
	}
	v := binary.LittleEndian.Uint64(b) - f.ImageBase
	return uint32(v), v < uint64(f.Size)
}
