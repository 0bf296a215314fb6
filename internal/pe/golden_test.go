package pe

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var fixtures = []string{"gcc4", "gcc5", "stripped", "clang", "clangdwarf"}

// fixture reads one of the test drivers.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parseFixture(t testing.TB, name string) *File {
	t.Helper()
	f, err := Parse(name, fixture(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestGolden compares everything that is read from the test drivers with
// testdata/*.golden.
func TestGolden(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			f := parseFixture(t, name+".sys")
			pdbName, pdb, err := FindPDB(filepath.Join("testdata", name+".sys"), f)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			describeFile(&out, f)
			describeSymbols(&out, f.Symbols(pdbName, pdb))
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			got, text := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
			for i := range min(len(got), len(text)) {
				if got[i] != text[i] {
					t.Fatalf("%s:%d:\n%s\nwant\n%s", golden, i+1, got[i], text[i])
				}
			}
			if len(got) != len(text) {
				t.Fatalf("%d lines, want %d", len(got), len(text))
			}
		})
	}
}

func describeFile(w *bytes.Buffer, f *File) {
	s := f.Summary()
	fmt.Fprintf(w, "%s\nbase 0x%X, 0x%X bytes, entry 0x%X, linker %v, Windows %v, checksum ok %v\n",
		s.Description, f.ImageBase, f.Size, f.EntryRVA, f.Linker, f.OSVersion, f.ChecksumOK())
	if s.KMDF != nil {
		fmt.Fprintf(w, "KMDF %+v\n", *s.KMDF)
	}
	fmt.Fprintf(w, "code %d, pageable %d, discardable %d, PDB %q, config %+v\n", s.Code, s.Pageable, s.Discardable, s.PDB, f.Config)
	if f.Version != nil {
		fmt.Fprintf(w, "version %s %v %q\n", f.Version.FileVersion(), f.Version.Product, f.Version.Strings)
	}
	for _, sec := range s.Sections {
		fmt.Fprintf(w, "section %-20s 0x%-6X 0x%-6X %s\n", sec.Name, sec.RVA, sec.Size, sec.Flags)
	}
	for _, im := range s.Imports {
		fmt.Fprintf(w, "import %s %v\n", im.DLL, im.Names)
	}
	for i := range f.Imports {
		fmt.Fprintf(w, "slot 0x%X %s\n", f.Imports[i].Slot, f.Imports[i].Name)
	}
	for _, e := range f.Exports {
		fmt.Fprintf(w, "export %+v\n", e)
	}
	fmt.Fprintf(w, "relocations %X\n", f.relocs)
	for _, fn := range f.functions {
		u, ok := f.UnwindInfo(fn)
		fmt.Fprintf(w, "function 0x%X-0x%X version %d prologue %d frame %d+%d codes", fn.Begin, fn.End, u.Version, u.Prolog, u.FrameReg, u.FrameOffset)
		for i := 0; ok && i < len(u.Codes)/2; {
			c, _ := u.decode(i)
			fmt.Fprintf(w, " %d:%d/%d/%d", c.at, c.op, c.info, c.value)
			i += c.slots
		}
		fmt.Fprintln(w)
	}
	for _, warning := range f.Warnings {
		fmt.Fprintln(w, "warning", warning)
	}
}

func describeSymbols(w *bytes.Buffer, t *SymbolTable) {
	fmt.Fprintln(w, "names from", strings.Join(t.Sources(), ", "))
	for _, s := range t.syms {
		fmt.Fprintf(w, "symbol 0x%X +%d %s (%s)\n", s.rva, s.size, s.name, s.rank)
	}
	last := ""
	for rva := range t.f.Size {
		if s := t.f.SectionAt(rva); s == nil || !s.Executable() {
			continue
		}
		file, line, ok := t.Line(rva)
		if text := fmt.Sprintf("%s:%d %v", file, line, ok); text != last {
			fmt.Fprintf(w, "line 0x%X %s\n", rva, text)
			last = text
		}
	}
	for _, warning := range t.Warnings {
		fmt.Fprintln(w, "warning", warning)
	}
}
