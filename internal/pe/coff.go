package pe

import (
	"bytes"
	"strings"
)

// coffSymbol is the length of a record of the COFF symbol table.
const coffSymbol = 18

// Storage classes of symbols ("COFF Symbol Table").
const (
	classExternal = 2
	classStatic   = 3
)

// readCOFF reads the COFF symbol table, which mingw-w64 and clang leave in an
// image unless it is stripped.
func readCOFF(t *SymbolTable) error {
	f := t.f
	if f.symtab == 0 || f.symbols == 0 {
		return nil
	}
	size := uint64(f.symbols) * coffSymbol
	if uint64(f.symtab)+size > uint64(len(f.data)) {
		return f.fail(int64(f.symtab), "strip it (strip -g), or link again",
			"the COFF symbol table (%d symbols) does not fit into the file", f.symbols)
	}
	names := f.stringTable()
	c := cursor{data: f.data[f.symtab : uint64(f.symtab)+size]}
	for c.left() >= coffSymbol {
		raw := c.take(8)
		value, section, kind := c.u32(), int(int16(c.u16())), c.u16()
		class, aux := c.u8(), int(c.u8())
		c.pos = min(c.pos+aux*coffSymbol, len(c.data))
		if section < 1 || section > len(f.Sections) || class != classExternal && class != classStatic {
			continue
		}
		name := coffName(raw, names)
		if strings.HasPrefix(name, ".") || class == classStatic && aux > 0 && kind == 0 { // sections
			continue
		}
		if s := &f.Sections[section-1]; value < s.Size {
			t.add(symbol{rva: s.RVA + value, rank: rankCOFF, name: name})
		}
	}
	return nil
}

// coffName decodes a name: eight bytes, or four zero bytes and an offset into
// the string table.
func coffName(raw []byte, names string) string {
	if bytes.Equal(raw[:4], make([]byte, 4)) {
		c := cursor{data: raw, pos: 4}
		return nameAt(names, uint64(c.u32()))
	}
	raw, _, _ = bytes.Cut(raw, []byte{0})
	return string(raw)
}
