package pe

import (
	"bytes"
	"debug/dwarf"
	stdpe "debug/pe"
	"io"
	"strings"
	"testing"
)

// TestAgainstStandardLibrary compares functions, variables and lines with what
// debug/dwarf finds in the test drivers.
func TestAgainstStandardLibrary(t *testing.T) {
	for _, name := range []string{"gcc4.sys", "gcc5.sys"} {
		t.Run(name, func(t *testing.T) {
			table := parseFixture(t, name).Symbols("", nil)
			std, err := stdpe.NewFile(bytes.NewReader(fixture(t, name)))
			if err != nil {
				t.Fatal(err)
			}
			d, err := std.DWARF()
			if err != nil {
				t.Fatal(err)
			}
			functions, lines := 0, 0
			for r := d.Reader(); ; {
				e, err := r.Next()
				if err != nil {
					t.Fatal(err)
				}
				if e == nil {
					break
				}
				switch e.Tag {
				case dwarf.TagSubprogram:
					functions += compareFunction(t, table, e)
				case dwarf.TagCompileUnit:
					lines += compareLines(t, table, d, e)
				}
			}
			if functions < 8 || lines < 40 {
				t.Errorf("only %d functions and %d lines to compare", functions, lines)
			}
		})
	}
}

func compareFunction(t *testing.T, table *SymbolTable, e *dwarf.Entry) int {
	t.Helper()
	name, _ := e.Val(dwarf.AttrName).(string)
	low, ok := e.Val(dwarf.AttrLowpc).(uint64)
	if !ok || name == "" {
		return 0
	}
	size, _ := e.Val(dwarf.AttrHighpc).(int64)
	rva := uint32(low - table.f.ImageBase)
	got, offset, ok := table.Lookup(rva + uint32(size) - 1)
	if !ok || got != name || offset != uint64(size)-1 {
		t.Errorf("%s: last byte is in %s+%d, %v", name, got, offset, ok)
	}
	if found, ok := table.Find(name); !ok || found != rva || table.Size(name) != uint32(size) {
		t.Errorf("%s: found at 0x%X, %v, should be 0x%X", name, found, ok, rva)
	}
	return 1
}

func compareLines(t *testing.T, table *SymbolTable, d *dwarf.Data, e *dwarf.Entry) (n int) {
	t.Helper()
	r, err := d.LineReader(e)
	if err != nil {
		t.Fatal(err)
	}
	var row, next dwarf.LineEntry
	for first := true; ; first = false {
		err := r.Next(&next)
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if !first && !row.EndSequence && next.Address > row.Address {
			rva := uint32(row.Address - table.f.ImageBase)
			file, line, ok := table.Line(rva)
			if line != row.Line || file != row.File.Name || ok != (row.Line > 0) {
				t.Errorf("0x%X: %s:%d %v, should be %s:%d", rva, file, line, ok, row.File.Name, row.Line)
			}
			n++
		}
		row = next
	}
}

// dwarfFile makes a file of debug sections.
func dwarfFile(sections map[string][]byte) *File {
	f := &File{Name: "dwarf.sys", Size: 0x100000, ImageBase: 0x140000000}
	f.Sections = []Section{{Name: ".text", RVA: 0x1000, Size: 0x10000}}
	for _, name := range []string{".debug_abbrev", ".debug_addr", ".debug_info", ".debug_line", ".debug_line_str", ".debug_str", ".debug_str_offsets"} {
		data := sections[name]
		f.Sections = append(f.Sections, Section{
			Name: name, RVA: 0x20000 + uint32(len(f.Sections))*0x10000, Size: uint32(len(data)), Characteristics: scnDiscardable,
			offset: uint32(len(f.data)), fileSize: uint32(len(data)),
		})
		f.data = append(f.data, data...)
	}
	return f
}

// TestDWARFAttacks: small sections that announce much.
func TestDWARFAttacks(t *testing.T) {
	unit := func(body string) []byte { return append([]byte{byte(len(body)), 0, 0, 0}, body...) }
	v4 := "\x04\x00\x00\x00\x00\x00\x08"
	endless := bytes.Repeat([]byte("\x3F\x19"), 20000) // attributes that take no bytes
	abbrev := append([]byte("\x01\x2E\x00"), endless...)
	abbrev = append(abbrev, 0, 0, 0)
	manyEntries := append([]byte{0, 0x40, 0, 0}, v4...)
	manyEntries = append(manyEntries, bytes.Repeat([]byte{1}, 0x4000-len(v4))...)
	line5 := func(rest string) []byte {
		head := "\x01\x01\x01\xFB\x0E\x0D\x00\x01\x01\x01\x01\x00\x00\x00\x01\x00\x00\x01" + rest
		return unit("\x05\x00\x08\x00" + string([]byte{byte(len(head)), 0, 0, 0}) + head)
	}
	for _, c := range []struct {
		name     string
		sections map[string][]byte
		want     string
	}{
		{"empty", map[string][]byte{}, ""},
		{"unit too long", map[string][]byte{".debug_info": {0xFF, 0xFF, 0, 0, 4, 0}}, "unit at offset 0x0 of .debug_info is damaged"},
		{"64-bit unit too long", map[string][]byte{".debug_info": []byte("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")}, "is damaged"},
		{"no shapes", map[string][]byte{".debug_info": unit(v4 + "\x01")}, "is damaged"},
		{"no such shape", map[string][]byte{".debug_info": unit(v4 + "\x05"), ".debug_abbrev": []byte("\x01\x11\x00\x00\x00\x00")}, "is damaged"},
		{"no such form", map[string][]byte{".debug_info": unit(v4 + "\x01"), ".debug_abbrev": []byte("\x01\x11\x00\x03\x7F\x00\x00\x00")}, "is damaged"},
		{"indirect for ever", map[string][]byte{".debug_info": unit(v4 + "\x01\x16\x16\x16\x16"), ".debug_abbrev": []byte("\x01\x11\x00\x03\x16\x00\x00\x00")}, "is damaged"},
		{"attributes of no length", map[string][]byte{".debug_info": manyEntries, ".debug_abbrev": abbrev}, "more attributes than a compiler would write"},
		{"version 99", map[string][]byte{".debug_info": unit("\x63\x00\x00\x00")}, ""},
		{"huge number of directories", map[string][]byte{".debug_line": line5("\x01\x01\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F")}, "line program at offset 0x0 of .debug_line is damaged"},
		{"directories of no length", map[string][]byte{".debug_line": line5("\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F")}, "is damaged"},
		{"line range 0", map[string][]byte{".debug_line": unit("\x04\x00\x08\x00\x00\x00\x01\x01\x01\xFB\x00\x01\x00\x00")}, "is damaged"},
		{"header too long", map[string][]byte{".debug_line": unit("\x04\x00\xFF\xFF\xFF\x7F\x01\x01\x01\xFB\x0E\x01\x00\x00")}, "is damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			limits(t, func() string { return c.name }, func() {
				table := dwarfFile(c.sections).Symbols("", nil)
				text := ""
				for _, w := range table.Warnings {
					text += w.Error()
				}
				if !strings.Contains(text, c.want) || (text == "") != (c.want == "") {
					t.Errorf("%q, want ...%s...", text, c.want)
				}
			})
		})
	}
}

// TestOrigins: names that are found through other entries, and entries that
// refer to each other for ever.
func TestOrigins(t *testing.T) {
	abbrev := "\x01\x2E\x00\x03\x08\x00\x00" + // 1: function with a name
		"\x02\x2E\x00\x31\x13\x11\x01\x12\x06\x00\x00" + // 2: origin, start, length
		"\x03\x34\x00\x47\x13\x02\x18\x00\x00" + // 3: variable: specification, place
		"\x00"
	body := "\x04\x00\x00\x00\x00\x00\x08" +
		"\x01declared\x00" + // at 11
		"\x02\x0B\x00\x00\x00\x00\x20\x00\x40\x01\x00\x00\x00\x10\x00\x00\x00" + // at 21
		"\x03\x15\x00\x00\x00\x09\x03\x00\x30\x00\x40\x01\x00\x00\x00" + // at 38
		"\x03\x35\x00\x00\x00\x09\x03\x00\x40\x00\x40\x01\x00\x00\x00" // at 53, its own origin
	info := append([]byte{byte(len(body)), 0, 0, 0}, body...)
	table := dwarfFile(map[string][]byte{".debug_info": info, ".debug_abbrev": []byte(abbrev)}).Symbols("", nil)
	if len(table.Warnings) > 0 {
		t.Fatal(table.Warnings)
	}
	for rva, want := range map[uint32]string{0x2000: "declared", 0x200F: "declared", 0x2010: "", 0x3000: "declared", 0x4000: "declared"} {
		if name, _, _ := table.Lookup(rva); name != want && rva != 0x4000 {
			t.Errorf("0x%X: %q, want %q", rva, name, want)
		}
	}
	if table.Len() != 2 {
		t.Errorf("%d names: %v", table.Len(), table.syms)
	}
}
