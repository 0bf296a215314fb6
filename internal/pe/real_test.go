package pe

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/mem"
)

// TestRealDrivers runs everything on the .sys files below a folder that the
// environment names, with the PDBs next to them:
//
//	DIRQL_DRIVERS=folder go test -v -run RealDrivers ./internal/pe
func TestRealDrivers(t *testing.T) {
	dir := os.Getenv("DIRQL_DRIVERS")
	if dir == "" {
		t.Skip("DIRQL_DRIVERS names no folder with drivers")
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.EqualFold(filepath.Ext(path), ".sys") {
			name, _ := filepath.Rel(dir, path)
			t.Run(filepath.ToSlash(name), func(t *testing.T) { tryDriver(t, path) })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func tryDriver(t *testing.T, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(filepath.Base(path), data)
	if err != nil {
		t.Skip(err)
	}
	for _, w := range f.Warnings {
		t.Error("warning:", w)
	}
	m := mem.New()
	im, err := f.Load(m, 0)
	if err != nil {
		t.Fatal(err)
	}
	checkRelocated(t, m, im)
	s := f.Summary()
	t.Log(s.Description)
	if s.KMDF != nil {
		t.Logf("KMDF %d.%d, %d functions", s.KMDF.Major, s.KMDF.Minor, s.KMDF.Functions)
	} else if s.Kind == KMDF {
		t.Error("no WDF_BIND_INFO found")
	}
	if f.Config.Cookie != 0 && im.Cookie>>48 != 0 {
		t.Errorf("cookie 0x%X", im.Cookie)
	}
	checkUnwindAll(t, m, im)
	pdbName, pdb, err := FindPDB(path, f)
	if err != nil {
		t.Error(err)
	}
	table := f.Symbols(pdbName, pdb)
	for _, w := range table.Warnings {
		t.Error("symbols:", w)
	}
	t.Logf("%d names (%v), %d lines, %d functions in .pdata, %d relocations, %d bytes pageable, %d discardable",
		table.Len(), table.Sources(), len(table.lines), s.Functions, s.Relocations, s.Pageable, s.Discardable)
	if pdb != nil && len(table.Warnings) == 0 {
		checkEntryNames(t, f, table)
		checkTypes(t, table)
	}
}

// checkTypes asks for each field of each structure, and for what is always the
// same.
func checkTypes(t *testing.T, table *SymbolTable) {
	t.Helper()
	types := table.types()
	fields := 0
	for name, id := range types.byName {
		w := pathWalk{t: types, steps: 1 << 20}
		w.each(types.plain(id), func(f *cField) {
			fields++
			size := types.sizeOf(f.typ)
			if types.plain(f.typ).kind == typeFields { // it may have none
				size = 0
			}
			if p := types.path(name, id, f.offset, size); size > 0 && strings.Contains(p.Name, "(padding)") {
				t.Errorf("%s has %+v, but the name of that is %s", name, *f, p.Name)
			}
		})
	}
	variables, typed := 0, 0
	for _, s := range table.syms {
		if s.typ == 0 {
			continue
		}
		variables++
		if _, ok := table.Variable(s.rva, 1); ok {
			typed++
		}
	}
	t.Logf("%d types, %d names of types, %d fields; %d variables, of which %d have a type", len(types.types), len(types.byName), fields, variables, typed)
	if p, ok := table.Field("LIST_ENTRY", 8, 8); !ok || p.Name != "LIST_ENTRY.Blink" {
		t.Errorf("LIST_ENTRY+8 is %q, %v", p.Name, ok)
	}
	if fields < 1000 || typed < variables*9/10 {
		t.Error("too few")
	}
}

// checkEntryNames looks for what every driver has, and names for all functions.
func checkEntryNames(t *testing.T, f *File, table *SymbolTable) {
	t.Helper()
	name, offset, ok := table.Lookup(f.EntryRVA)
	if !ok || offset != 0 || !strings.Contains(name, "DriverEntry") {
		t.Errorf("the entry point is %q+%d, %v", name, offset, ok)
	}
	rva, ok := table.Find("DriverEntry")
	if !ok {
		t.Error("no DriverEntry")
	}
	file, line, ok := table.Line(rva)
	t.Logf("DriverEntry at 0x%X, %s:%d %v", rva, file, line, ok)
	named, lined := 0, 0
	for _, fn := range f.functions {
		if _, _, ok := table.Lookup(fn.Begin); ok {
			named++
		}
		if _, _, ok := table.Line(fn.Begin); ok {
			lined++
		}
	}
	t.Logf("%d of %d functions have a name, %d a line", named, len(f.functions), lined)
	if named < len(f.functions)*9/10 {
		t.Error("too few")
	}
}

// checkRelocated makes sure that every relocated pointer points into the image.
func checkRelocated(t *testing.T, m *mem.Space, im *Image) {
	t.Helper()
	bad := 0
	for _, rva := range im.File.relocs {
		v, fault := m.Load(im.Addr(rva), 8)
		if _, in := im.RVA(v); fault.Kind != mem.NoFault || !in {
			bad++
		}
	}
	if bad > 0 {
		t.Errorf("%d of %d relocated pointers lead out of the image", bad, len(im.File.relocs))
	}
}

// checkUnwindAll unwinds from the first instruction and from behind the
// prologue of every function: the return address must come out.
func checkUnwindAll(t *testing.T, m *mem.Space, im *Image) {
	t.Helper()
	const pages, ret = 64, 0xFFFFF80712345678
	stack := m.Map(mem.Stacks, pages, mem.Read|mem.Write)
	top := stack + pages*mem.PageSize - 0x100
	for _, fn := range im.File.functions {
		u, _ := im.File.UnwindInfo(fn)
		if u.Flags&unwChained == 0 {
			m.Store(top, 8, ret)
			r := Registers{RIP: im.Addr(fn.Begin)}
			r.GPR[RSP] = top
			if _, ok := im.Unwind(&r, ReadMemory(m)); !ok || r.RIP != ret || r.GPR[RSP] != top+8 {
				t.Errorf("function 0x%X: at its start: %v %X", fn.Begin, ok, r.RIP)
			}
		}
		if fn.Begin+uint32(u.Prolog) >= fn.End {
			continue // the rest of the function has entries of its own
		}
		r := Registers{RIP: im.Addr(fn.Begin + uint32(u.Prolog))}
		for i := range r.GPR {
			r.GPR[i] = stack + 0x1000
		}
		if frame, ok := im.Unwind(&r, ReadMemory(m)); !ok || frame.Function != fn {
			t.Errorf("function 0x%X: behind the prologue: %v", fn.Begin, ok)
		}
	}
}
