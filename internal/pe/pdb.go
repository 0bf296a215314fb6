package pe

import (
	"strings"
)

// Streams of a PDB with fixed numbers.
const (
	streamInfo = 1
	streamTPI  = 2
	streamDBI  = 3
)

const noStream = 0xFFFF

// pdb is a PDB that is being read.
type pdb struct {
	*msf
	t       *SymbolTable
	udts    map[string]typeID // typedefs, which are symbols
	names   string            // the /names stream: names of source files, by offset
	symbols int               // stream of the public and global symbols
	modules []pdbModule
	read    []bool // module streams that were read
}

// pdbModule is one object file.
type pdbModule struct {
	stream       int
	symbols      int // bytes of symbols, at the start of the stream
	c11, lines   int // bytes of line information behind them: old format, C13
	name, object string
}

// readPDB adds the names and lines of a PDB to a table. A mistake leaves in
// what was found before it.
func readPDB(t *SymbolTable, name string, data []byte) error {
	m, err := openMSF(name, data)
	if err != nil {
		return err
	}
	p := &pdb{msf: m, t: t, udts: map[string]typeID{}, read: make([]bool, len(m.streams))}
	if err := p.readInfo(); err != nil {
		return err
	}
	if err := p.readDBI(); err != nil {
		return err
	}
	t.readTypes = p.readTypes
	p.readSymbols(cursor{data: p.stream(p.symbols)})
	for _, mod := range p.modules {
		p.readModule(mod)
	}
	return nil
}

// readInfo reads the PDB information stream: which image the PDB belongs to,
// and where the named streams are.
func (p *pdb) readInfo() error {
	c := cursor{data: p.stream(streamInfo)}
	c.skip(8) // version, signature
	age, guid := c.u32(), c.guid()
	if c.bad {
		return p.fail(-1, "the PDB has no information stream")
	}
	f := p.t.f
	switch {
	case f.CodeView == nil:
		return &Error{File: p.name, Offset: -1, What: "the PDB cannot be used: " + f.BaseName() + " names none, so nothing says that they belong together",
			Hint: "link the driver with /debug"}
	case f.CodeView.GUID != guid:
		return &Error{File: p.name, Offset: -1, What: "the PDB belongs to another build: its identifier is " + guid.String() + ", " + f.BaseName() +
			" wants " + f.CodeView.GUID.String(), Hint: "names and lines come from elsewhere or are missing; take the PDB of the same build"}
	}
	_ = age // tools that add to a PDB count it up; the identifier says enough
	if n := p.namedStream(c, "/names"); n >= 0 {
		p.readNames(n)
	}
	return nil
}

// namedStream looks a stream up in the table of names: its texts, then a hash
// table (size, capacity, two bit vectors, pairs of text offset and stream).
func (p *pdb) namedStream(c cursor, name string) int {
	texts := string(c.take(int(c.u32())))
	count := c.u32()
	c.skip(4)
	for range 2 {
		c.skip(4 * int(c.u32()))
	}
	for range count {
		offset, stream := c.u32(), c.u32()
		if c.bad {
			break
		}
		if nameAt(texts, uint64(offset)) == name {
			return int(stream)
		}
	}
	return -1
}

// readNames reads the table of texts that line information refers to.
func (p *pdb) readNames(stream int) {
	c := cursor{data: p.stream(stream)}
	if c.u32() != 0xEFFEEFFE {
		return
	}
	c.skip(4)
	p.names = string(c.take(int(c.u32())))
}

// readDBI reads the debug information stream: the number of the symbol stream,
// and the modules.
func (p *pdb) readDBI() error {
	c := cursor{data: p.stream(streamDBI)}
	if c.u32() != 0xFFFFFFFF {
		return p.fail(-1, "the PDB has no debug information (it may be one for .NET, or of types only)")
	}
	c.skip(16) // version, age, global and public index, build
	p.symbols = int(c.u16())
	c.skip(2)
	sizes := [5]uint32{} // modules, section contributions, section map, sources, type servers
	for i := range sizes {
		sizes[i] = c.u32()
	}
	c.skip(4)
	optional, ec := c.u32(), c.u32()
	c.skip(8)
	modules := c.take(int(sizes[0]))
	for _, n := range sizes[1:] {
		c.skip(int(n))
	}
	c.skip(int(ec))
	if c.bad {
		return p.fail(-1, "the debug information stream is cut off")
	}
	if p.rearranged(c.take(int(optional))) {
		return p.fail(-1, "the image was rearranged after linking (OMAP), which dirql cannot follow")
	}
	return p.readModules(cursor{data: modules})
}

// rearranged reports whether the optional debug streams include an OMAP.
func (p *pdb) rearranged(optional []byte) bool {
	c := cursor{data: optional}
	c.skip(6)
	toSource, fromSource := c.u16(), c.u16()
	return !c.bad && (toSource != noStream && len(p.stream(int(toSource))) > 0 || fromSource != noStream && len(p.stream(int(fromSource))) > 0)
}

// readModules reads the list of object files.
func (p *pdb) readModules(c cursor) error {
	for c.left() >= 64 {
		c.skip(34) // opened, section contribution, flags
		m := pdbModule{stream: int(c.u16()), symbols: int(c.u32()), c11: int(c.u32()), lines: int(c.u32())}
		c.skip(16)
		m.name, m.object = c.cstring(), c.cstring()
		c.align(4)
		if c.bad {
			return p.fail(-1, "the list of modules is damaged")
		}
		if m.stream != noStream {
			p.modules = append(p.modules, m)
		}
	}
	return nil
}

// readModule reads the symbols and lines of one object file.
func (p *pdb) readModule(m pdbModule) {
	if m.stream >= len(p.read) || p.read[m.stream] {
		return
	}
	p.read[m.stream] = true
	c := cursor{data: p.stream(m.stream)}
	symbols := cursor{data: c.take(m.symbols)}
	c.skip(m.c11)
	lines := c.take(m.lines)
	symbols.skip(4) // signature
	p.readSymbols(symbols)
	p.readLines(cursor{data: lines})
}

// Kinds of symbol records (CodeView).
const (
	symUDT     = 0x1108
	symLData   = 0x110C
	symGData   = 0x110D
	symPublic  = 0x110E
	symLProc   = 0x110F
	symGProc   = 0x1110
	symLProcID = 0x1146
	symGProcID = 0x1147
	symThunk   = 0x1102
)

// readSymbols reads a list of symbol records.
func (p *pdb) readSymbols(c cursor) {
	for c.left() >= 4 {
		size := int(c.u16())
		r := cursor{data: c.take(size)}
		if c.bad || size < 2 {
			return
		}
		switch r.u16() {
		case symPublic:
			r.skip(4)
			p.addSymbol(&r, rankPublic, 0)
		case symLData, symGData:
			typ := typeID(r.u32())
			p.addSymbol(&r, rankModule, typ)
		case symUDT:
			typ := typeID(r.u32())
			p.addTypedef(r.cstring(), typ)
		case symLProc, symGProc, symLProcID, symGProcID:
			r.skip(12)
			size := r.u32()
			r.skip(12)
			p.addProc(&r, size)
		case symThunk:
			r.skip(12)
			offset, segment, size := r.u32(), r.u16(), r.u16()
			r.skip(1)
			p.addAt(segment, offset, symbol{size: uint32(size), name: r.cstring()})
		}
	}
}

func (p *pdb) addSymbol(r *cursor, k rank, typ typeID) {
	offset, segment := r.u32(), r.u16()
	p.addAt(segment, offset, symbol{rank: k, typ: typ, name: r.cstring()})
}

// addProc reads the end of a procedure's record; flags lie before the name.
func (p *pdb) addProc(r *cursor, size uint32) {
	offset, segment := r.u32(), r.u16()
	r.skip(1)
	p.addAt(segment, offset, symbol{size: size, name: r.cstring()})
}

// addAt adds a symbol at an offset in a section. C++ names of the linker are
// left as they are, but for those of string literals, which are their text.
func (p *pdb) addAt(segment uint16, offset uint32, s symbol) {
	if strings.HasPrefix(s.name, "??_C@") {
		s.name = "`string'"
	}
	var ok bool
	if s.rva, ok = p.rva(segment, offset); ok {
		p.t.add(s)
	}
}

// rva translates a place in a section; sections count from 1.
func (p *pdb) rva(segment uint16, offset uint32) (uint32, bool) {
	sections := p.t.f.Sections
	if segment == 0 || int(segment) > len(sections) || offset >= sections[segment-1].Size {
		return 0, false
	}
	return sections[segment-1].RVA + offset, true
}
