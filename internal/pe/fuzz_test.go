package pe

import (
	"bytes"
	"testing"
)

// FuzzParse feeds whole driver files; debug information in them included.
func FuzzParse(f *testing.F) {
	for _, name := range fixtures {
		f.Add(fixture(f, name+".sys"))
	}
	for _, a := range attacks { // hand-made hostile headers
		p := &patch{t: f, data: fixture(f, a.fixture+".sys"), f: parseFixture(f, a.fixture+".sys")}
		a.do(p)
		f.Add(p.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { exercise(t, data, nil) })
}

// FuzzPDB feeds PDBs to a driver that wants each of them.
func FuzzPDB(f *testing.F) {
	f.Add(fixture(f, "clang.pdb"))
	f.Add(fixture(f, "types-clang.pdb"))
	driver := fixture(f, "clang.sys")
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("clang.sys", driver)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := openMSF("", data); err == nil {
			c := cursor{data: m.stream(streamInfo), pos: 0}
			c.skip(12)
			file.CodeView.GUID = c.guid()
		}
		table := file.Symbols("fuzz.pdb", data)
		for rva := uint32(0); rva < file.Size; rva += 3 {
			table.Lookup(rva)
			table.Line(rva)
		}
		askTypes(table)
	})
}

// FuzzDWARF feeds debug sections; the input is split at the separator.
func FuzzDWARF(f *testing.F) {
	names := []string{".debug_abbrev", ".debug_info", ".debug_line", ".debug_str", ".debug_line_str", ".debug_addr", ".debug_str_offsets"}
	separator := []byte("\xF0|\xF1|")
	for _, name := range []string{"gcc4.sys", "gcc5.sys", "clangdwarf.sys", "types-gcc2.sys", "types-gcc5.sys"} {
		file := parseFixture(f, name)
		var parts [][]byte
		for _, section := range names {
			var data []byte
			for i := range file.Sections {
				if s := &file.Sections[i]; s.Name == section {
					data = file.data[s.offset : s.offset+s.fileSize]
				}
			}
			parts = append(parts, data)
		}
		f.Add(bytes.Join(parts, separator))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sections := map[string][]byte{}
		for i, part := range bytes.SplitN(data, separator, len(names)) {
			sections[names[i]] = part
		}
		table := dwarfFile(sections).Symbols("", nil)
		for rva := uint32(0); rva < 0x11000; rva += 17 {
			table.Lookup(rva)
			table.Line(rva)
		}
		askTypes(table)
	})
}

// askTypes asks for parts of types and variables.
func askTypes(table *SymbolTable) {
	asked := 0
	for name := range table.types().byName {
		if asked++; asked > 64 {
			break
		}
		for offset := uint64(0); offset < 80; offset += 7 {
			table.Field(name, offset, offset%9)
		}
		table.Field(name, ^uint64(0), ^uint64(0))
	}
	for i := range table.syms[:min(len(table.syms), 64)] {
		table.Variable(table.syms[i].rva+uint32(i%5), uint64(i))
	}
}
