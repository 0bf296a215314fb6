package pe

import (
	"cmp"
	"slices"
	"strings"
)

// Symbols answers what lies at an RVA. All names and files are printable.
type Symbols interface {
	// Lookup returns the function or variable that holds rva, and how far into
	// it rva is.
	Lookup(rva uint32) (name string, offset uint64, ok bool)
	// Line returns the source line of the instruction at rva.
	Line(rva uint32) (file string, line int, ok bool)
	// Find returns where a function or variable starts.
	Find(name string) (rva uint32, ok bool)
}

// rank orders sources of names: the first has the best names.
type rank uint8

const (
	rankModule rank = iota // PDB module symbols, DWARF: names as in the source, with sizes
	rankPublic             // PDB public symbols: linker names
	rankImport             // __imp_ names of import slots
	rankCOFF
	rankExport
	numRanks
)

func (r rank) String() string {
	return [...]string{"debug information", "PDB public symbols", "imports", "COFF symbol table", "exports"}[r]
}

// symbol is one name.
type symbol struct {
	rva, size uint32 // size 0: unknown
	rank      rank
	typ       typeID // of a variable, 0: unknown
	name      string
}

// lineRow says that the code from rva on belongs to a line; file < 0: to none.
type lineRow struct {
	rva  uint32
	file int32
	line int32
}

// SymbolTable is the Symbols of a File, from all sources that there are.
type SymbolTable struct {
	// Warnings are what could not be used: damaged debug information, a PDB
	// that belongs to another build.
	Warnings []error

	f      *File
	syms   []symbol // sorted by rva, then rank, then name
	byName map[string]int32
	lines  []lineRow
	files  []sourceFile

	readTypes func(*typeTable) // of the PDB, or of the image; nil: there are none
	typeTable *typeTable       // nil: not read yet
}

var _ Symbols = (*SymbolTable)(nil)

// sourceFile is a source file in up to three parts, joined when asked for.
type sourceFile struct{ base, dir, name string }

// Limits on debug information.
const (
	maxSymbols = 4 << 20
	maxLines   = 16 << 20
)

// Symbols reads the names that the driver file itself holds, and those of its
// PDB if pdb is not nil. pdbName is for messages. What cannot be used is in
// Warnings of the result.
func (f *File) Symbols(pdbName string, pdb []byte) *SymbolTable {
	t := &SymbolTable{f: f}
	if pdb != nil {
		t.warn(readPDB(t, pdbName, pdb))
	}
	t.warn(readDWARF(t))
	t.warn(readCOFF(t))
	for i := range f.Imports {
		if im := &f.Imports[i]; im.Name != "" {
			t.add(symbol{rva: im.Slot, size: 8, rank: rankImport, name: "__imp_" + im.Name})
		}
	}
	for i := range f.Exports {
		if e := &f.Exports[i]; e.Name != "" && e.Forward == "" {
			t.add(symbol{rva: e.RVA, rank: rankExport, name: e.Name})
		}
	}
	t.sort()
	return t
}

func (t *SymbolTable) warn(err error) {
	if err != nil {
		t.Warnings = append(t.Warnings, err)
	}
}

// add takes a symbol, if it lies in the image.
func (t *SymbolTable) add(s symbol) {
	if s.name == "" || len(t.syms) == maxSymbols {
		return
	}
	sec := t.f.SectionAt(s.rva)
	if sec == nil || sec.Debug() {
		return
	}
	s.size = min(s.size, sec.Size-(s.rva-sec.RVA))
	s.name = printable(s.name)
	t.syms = append(t.syms, s)
}

// addFile takes a source file and returns its number for addLine.
func (t *SymbolTable) addFile(f sourceFile) int32 {
	t.files = append(t.files, f)
	return int32(len(t.files) - 1)
}

// addLine takes a row; file < 0 ends what was before.
func (t *SymbolTable) addLine(rva uint32, file int32, line uint64) {
	if rva >= t.f.Size || len(t.lines) == maxLines {
		return
	}
	if line == 0 || line > 1<<30 {
		file, line = -1, 0
	}
	t.lines = append(t.lines, lineRow{rva, file, int32(line)})
}

// sort makes the tables ready for lookups.
func (t *SymbolTable) sort() {
	slices.SortFunc(t.syms, func(a, b symbol) int {
		return cmp.Or(cmp.Compare(a.rva, b.rva), cmp.Compare(a.rank, b.rank), cmp.Compare(a.name, b.name), cmp.Compare(b.size, a.size))
	})
	t.syms = slices.Compact(t.syms)
	t.byName = make(map[string]int32, len(t.syms))
	for i := range t.syms {
		s := &t.syms[i]
		if old, found := t.byName[s.name]; !found || s.rank < t.syms[old].rank {
			t.byName[s.name] = int32(i)
		}
	}
	// An end of lines comes before a beginning at the same place; of other
	// rows at one place the last one counts.
	slices.SortStableFunc(t.lines, func(a, b lineRow) int {
		return cmp.Or(cmp.Compare(a.rva, b.rva), cmp.Compare(min(a.file+1, 1), min(b.file+1, 1)))
	})
	t.lines = slices.Clip(t.lines)
}

// Len returns the number of names.
func (t *SymbolTable) Len() int { return len(t.syms) }

// HasLines reports whether any source line is known.
func (t *SymbolTable) HasLines() bool { return len(t.lines) > 0 }

// Sources names where the names come from, best first.
func (t *SymbolTable) Sources() []string {
	var has [numRanks]bool
	for i := range t.syms {
		has[t.syms[i].rank] = true
	}
	var list []string
	for r := range numRanks {
		if has[r] {
			list = append(list, r.String())
		}
	}
	return list
}

// Find returns where a function or variable starts. A name that several have
// is that of the first of them.
func (t *SymbolTable) Find(name string) (uint32, bool) {
	i, ok := t.byName[name]
	if !ok {
		return 0, false
	}
	return t.syms[i].rva, true
}

// Size returns the size of a function or variable, 0 if it is not known.
func (t *SymbolTable) Size(name string) uint32 {
	if i, ok := t.byName[name]; ok {
		return t.syms[i].size
	}
	return 0
}

// maxLookBack is how many symbols before an RVA are asked whether they reach
// to it.
const maxLookBack = 64

// Lookup returns the name for an RVA: of the nearest symbol before it that
// reaches to it. One of unknown size reaches to the next one, but neither over
// the end of its section nor into another function of the exception directory.
func (t *SymbolTable) Lookup(rva uint32) (name string, offset uint64, ok bool) {
	i, ok := t.lookup(rva)
	if !ok {
		return "", 0, false
	}
	return t.syms[i].name, uint64(rva - t.syms[i].rva), true
}

// lookup is Lookup for the index of the symbol.
func (t *SymbolTable) lookup(rva uint32) (int, bool) {
	sec := t.f.SectionAt(rva)
	if sec == nil {
		return 0, false
	}
	low := sec.RVA // where one of unknown size may start
	if fn, found := t.f.FunctionAt(rva); found && t.f.wholeFunction(fn) {
		low = fn.Begin
	}
	end, _ := slices.BinarySearchFunc(t.syms, rva, func(s symbol, rva uint32) int {
		if s.rva <= rva {
			return -1
		}
		return 1
	})
	best := -1 // the nearest of unknown size
	for i := end - 1; i >= 0 && i >= end-maxLookBack && t.syms[i].rva >= sec.RVA; i-- {
		s := &t.syms[i]
		if s.size > 0 && rva-s.rva < s.size {
			best = t.first(i, rva)
			break
		}
		if s.size == 0 && best < 0 && s.rva >= low {
			best = t.first(i, rva)
		}
	}
	return best, best >= 0
}

// first returns the best-ranked of the symbols that lie where symbol i does and
// reach to rva.
func (t *SymbolTable) first(i int, rva uint32) int {
	best := i
	for j := i; j >= 0 && j > i-maxLookBack && t.syms[j].rva == t.syms[i].rva; j-- {
		if s := &t.syms[j]; s.size == 0 || rva-s.rva < s.size {
			best = j
		}
	}
	return best
}

// Line returns the source line of the instruction at rva.
func (t *SymbolTable) Line(rva uint32) (file string, line int, ok bool) {
	end, _ := slices.BinarySearchFunc(t.lines, rva, func(r lineRow, rva uint32) int {
		if r.rva <= rva {
			return -1
		}
		return 1
	})
	if end == 0 || t.lines[end-1].file < 0 {
		return "", 0, false
	}
	if s := t.f.SectionAt(rva); s == nil || t.lines[end-1].rva < s.RVA {
		return "", 0, false
	}
	r := t.lines[end-1]
	return t.files[r.file].path(), int(r.line), true
}

// path joins the parts: each is relative to the one before unless absolute.
func (s sourceFile) path() string {
	p := s.name
	for _, dir := range []string{s.dir, s.base} {
		if dir == "" || absolute(p) {
			continue
		}
		sep := "/"
		if strings.Contains(dir, `\`) && !strings.Contains(dir, "/") {
			sep = `\`
		}
		p = strings.TrimRight(dir, `/\`) + sep + p
	}
	return printable(p)
}

func absolute(p string) bool {
	return strings.HasPrefix(p, "/") || strings.HasPrefix(p, `\`) || len(p) > 1 && p[1] == ':'
}
