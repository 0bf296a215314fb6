package pe

import "strings"

// DWARF, versions 2 to 5, as mingw-w64 and clang put it into sections of the
// image. The reader is our own and takes only functions, variables with a
// fixed address, and line programs: debug/dwarf of the standard library trusts
// counts in the line header (it allocates what a file announces), joins file
// names before it knows how many there are, and builds every entry with all
// its attributes, so that a small hostile file takes any amount of memory or
// time. The tests compare the two on good files.

// dwarfReader holds the sections that matter.
type dwarfReader struct {
	t *SymbolTable

	info, abbrev, line, addr, strOffsets []byte
	str, lineStr                         string

	steps    int // what may still be done; see readDWARF
	visit    dwarfVisitor
	table    map[uint64]*abbrevEntry
	tableAt  uint64
	compDirs map[uint64]string // offset of a line program -> directory of its unit
	names    map[uint64]string // offset of an entry -> name
	origins  map[uint64]uint64 // offset of an entry without a name -> entry that has it
	typeOf   map[uint64]typeID // offset of the entry of a variable that is only declared -> type
	pending  []pendingSymbol
}

// dwarfVisitor takes the entries of all units, one after the other.
type dwarfVisitor interface {
	// entry takes an entry; its children, if the shape has some, follow.
	entry(u *dwarfUnit, at uint64, shape *abbrevEntry, e *dwarfEntry)
	// end ends a list of children.
	end()
}

// pendingSymbol is a function or variable whose name another entry has.
type pendingSymbol struct {
	symbol
	entry uint64
}

// readDWARF adds names and lines of the DWARF sections to a table. A mistake
// leaves in what was found before it.
func readDWARF(t *SymbolTable) error {
	d := &dwarfReader{t: t, compDirs: map[uint64]string{}, names: map[uint64]string{}, origins: map[uint64]uint64{}, typeOf: map[uint64]typeID{}}
	found, err := d.sections()
	if err != nil || !found {
		return err
	}
	d.limit()
	infoErr := d.readInfo(d)
	d.resolve()
	if t.readTypes == nil {
		t.readTypes = d.readTypes
	}
	lineErr := d.readLines()
	if infoErr != nil {
		return infoErr
	}
	return lineErr
}

// limit bounds what a reading may do. Attributes of no length cost time but no
// bytes; a good file has far fewer of them than bytes.
func (d *dwarfReader) limit() { d.steps = 1<<16 + 4*(len(d.info)+len(d.abbrev)) }

// sections finds the sections.
func (d *dwarfReader) sections() (found bool, err error) {
	f := d.t.f
	for i := range f.Sections {
		s := &f.Sections[i]
		data := f.data[s.offset : s.offset+s.fileSize]
		if strings.HasPrefix(s.Name, ".zdebug_") {
			return false, d.fail(-1, "section "+s.Name+" is compressed, which is not supported; link without compressed debug sections")
		}
		switch s.Name {
		case ".debug_info":
			d.info, found = data, true
		case ".debug_abbrev":
			d.abbrev = data
		case ".debug_line":
			d.line, found = data, true
		case ".debug_addr":
			d.addr = data
		case ".debug_str_offsets":
			d.strOffsets = data
		case ".debug_str":
			d.str = string(data)
		case ".debug_line_str":
			d.lineStr = string(data)
		}
	}
	return found, nil
}

func (d *dwarfReader) fail(offset int64, what string) error {
	return &Error{File: d.t.f.Name, What: "debug information (DWARF): " + what, Offset: offset, Hint: "names and lines may be missing; build the driver again"}
}

// rva translates an address.
func (d *dwarfReader) rva(addr uint64) (uint32, bool) {
	v := addr - d.t.f.ImageBase
	return uint32(v), v < uint64(d.t.f.Size)
}

// Tags and attributes that matter (DWARF 5, section 7.5).
const (
	tagArray       = 0x01
	tagClass       = 0x02
	tagEnumeration = 0x04
	tagMember      = 0x0D
	tagCompileUnit = 0x11
	tagStructure   = 0x13
	tagTypedef     = 0x16
	tagUnion       = 0x17
	tagInheritance = 0x1C
	tagSubrange    = 0x21
	tagBase        = 0x24
	tagConst       = 0x26
	tagPointer     = 0x0F
	tagSubprogram  = 0x2E
	tagVariable    = 0x34
	tagVolatile    = 0x35
	tagRestrict    = 0x37
	tagAtomic      = 0x47

	atLocation       = 0x02
	atName           = 0x03
	atByteSize       = 0x0B
	atBitOffset      = 0x0C
	atBitSize        = 0x0D
	atStmtList       = 0x10
	atLowPC          = 0x11
	atHighPC         = 0x12
	atCompDir        = 0x1B
	atUpperBound     = 0x2F
	atAbstractOrigin = 0x31
	atCount          = 0x37
	atMemberLocation = 0x38
	atDeclaration    = 0x3C
	atSpecification  = 0x47
	atType           = 0x49
	atDataBitOffset  = 0x6B
	atStrOffsetsBase = 0x72
	atAddrBase       = 0x73
)

// abbrevEntry is the shape of an entry.
type abbrevEntry struct {
	tag      uint64
	children bool
	attrs    []abbrevAttr
}

type abbrevAttr struct {
	name, form uint64
	implicit   int64
}

// readAbbrev reads the table of shapes at an offset. Only the last one is
// kept: units that share one follow each other.
func (d *dwarfReader) readAbbrev(at uint64) bool {
	if d.table != nil && d.tableAt == at {
		return true
	}
	d.table, d.tableAt = map[uint64]*abbrevEntry{}, at
	if at > uint64(len(d.abbrev)) {
		return false
	}
	c := cursor{data: d.abbrev, pos: int(at)}
	for {
		code := c.uleb()
		if code == 0 || c.bad {
			return !c.bad
		}
		e := &abbrevEntry{tag: c.uleb(), children: c.u8() != 0}
		for {
			a := abbrevAttr{name: c.uleb(), form: c.uleb()}
			if a.form == formImplicitConst {
				a.implicit = c.sleb()
			}
			d.steps--
			if c.bad || d.steps < 0 {
				return false
			}
			if a.name == 0 && a.form == 0 {
				break
			}
			e.attrs = append(e.attrs, a)
		}
		d.table[code] = e
	}
}

// dwarfUnit is the header of a unit and what its first entry says.
type dwarfUnit struct {
	start    uint64 // offset in .debug_info
	version  uint16
	wide     bool // 64-bit DWARF: offsets take eight bytes
	addrSize int

	strOffsetsBase, addrBase uint64
}

// readInfo shows all units to a visitor.
func (d *dwarfReader) readInfo(v dwarfVisitor) error {
	d.visit = v
	c := cursor{data: d.info}
	for c.left() > 4 {
		start := c.pos
		if !d.readUnit(&c) {
			if d.steps < 0 {
				return d.fail(-1, "it has more attributes than a compiler would write")
			}
			return d.fail(-1, "unit at offset "+hex(start)+" of .debug_info is damaged")
		}
	}
	return nil
}

// readUnit reads one unit and leaves c behind it.
func (d *dwarfReader) readUnit(c *cursor) bool {
	u := dwarfUnit{start: uint64(c.pos)}
	unit, ok := c.unit(&u.wide)
	if !ok {
		return false
	}
	u.version = unit.u16()
	kind := uint8(1)
	var abbrev uint64
	switch {
	case u.version >= 2 && u.version <= 4:
		abbrev, u.addrSize = unit.offset(u.wide), int(unit.u8())
	case u.version == 5:
		kind, u.addrSize = unit.u8(), int(unit.u8())
		abbrev = unit.offset(u.wide)
	default:
		return true // a version that does not exist yet
	}
	switch kind {
	case 1, 3: // compilation unit, partial unit
	case 4, 5: // skeleton and split units: an identifier follows
		unit.skip(8)
	default: // types
		return true
	}
	if unit.bad || u.addrSize != 4 && u.addrSize != 8 || !d.readAbbrev(abbrev) {
		return false
	}
	return d.readEntries(&u, &unit)
}

// unit returns the data of the unit at c, with the positions of the section,
// and leaves c behind it.
func (c *cursor) unit(wide *bool) (cursor, bool) {
	size := uint64(c.u32())
	if *wide = size == 1<<32-1; *wide {
		size = c.u64()
	}
	if c.bad || size > uint64(c.left()) {
		return cursor{}, false
	}
	u := cursor{data: c.data[:c.pos+int(size)], pos: c.pos}
	c.pos += int(size)
	return u, true
}

// offset reads an offset into a section.
func (c *cursor) offset(wide bool) uint64 {
	if wide {
		return c.u64()
	}
	return uint64(c.u32())
}

// readEntries reads the entries of a unit one after the other.
func (d *dwarfReader) readEntries(u *dwarfUnit, c *cursor) bool {
	for c.left() > 0 {
		at := uint64(c.pos)
		code := c.uleb()
		if code == 0 && !c.bad {
			d.visit.end()
			continue
		}
		shape := d.table[code]
		if shape == nil {
			return false
		}
		var e dwarfEntry
		for _, a := range shape.attrs {
			v := c.value(u, a.form, a.implicit)
			d.steps--
			if c.bad || d.steps < 0 {
				return false
			}
			e.set(a.name, v)
		}
		if shape.tag == tagCompileUnit {
			u.strOffsetsBase, u.addrBase = e.strOffsetsBase.num, e.addrBase.num
		}
		d.visit.entry(u, at, shape, &e)
	}
	return true
}

// entry implements dwarfVisitor: names, and where units come from. How entries
// nest does not matter.
func (d *dwarfReader) entry(u *dwarfUnit, at uint64, shape *abbrevEntry, e *dwarfEntry) {
	switch shape.tag {
	case tagCompileUnit:
		if e.stmtList.kind == valueNumber {
			d.compDirs[e.stmtList.num] = d.text(u, e.compDir)
		}
	case tagSubprogram, tagVariable:
		d.addEntry(u, at, e)
	}
}

// end implements dwarfVisitor.
func (d *dwarfReader) end() {}

// dwarfEntry is what an entry says, as far as it matters.
type dwarfEntry struct {
	name, lowPC, highPC, location, origin, stmtList, compDir, strOffsetsBase, addrBase dwarfValue

	typ, byteSize, memberLocation, bitSize, bitOffset, dataBitOffset, upperBound, count, declaration dwarfValue
}

func (e *dwarfEntry) set(attr uint64, v dwarfValue) {
	switch attr {
	case atName:
		e.name = v
	case atLowPC:
		e.lowPC = v
	case atHighPC:
		e.highPC = v
	case atLocation:
		e.location = v
	case atAbstractOrigin, atSpecification:
		e.origin = v
	case atStmtList:
		e.stmtList = v
	case atCompDir:
		e.compDir = v
	case atStrOffsetsBase:
		e.strOffsetsBase = v
	case atAddrBase:
		e.addrBase = v
	case atType:
		e.typ = v
	case atByteSize:
		e.byteSize = v
	case atMemberLocation:
		e.memberLocation = v
	case atBitSize:
		e.bitSize = v
	case atBitOffset:
		e.bitOffset = v
	case atDataBitOffset:
		e.dataBitOffset = v
	case atUpperBound:
		e.upperBound = v
	case atCount:
		e.count = v
	case atDeclaration:
		e.declaration = v
	}
}

// addEntry takes a function or variable.
func (d *dwarfReader) addEntry(u *dwarfUnit, at uint64, e *dwarfEntry) {
	name := d.text(u, e.name)
	switch {
	case name != "":
		d.names[at] = name
	case e.origin.kind == valueReference:
		d.origins[at] = e.origin.num
	}
	s := symbol{rank: rankModule, name: name}
	if d.t.readTypes == nil && e.typ.kind == valueReference && e.lowPC.kind == valueNone { // with a PDB its types count
		s.typ = typeID(e.typ.num)
	}
	var ok bool
	switch {
	case e.lowPC.kind != valueNone:
		low, _ := d.address(u, e.lowPC)
		s.rva, ok = d.rva(low)
		s.size = uint32(d.extent(u, low, e.highPC))
	case e.location.kind == valueBlock:
		s.rva, ok = d.place(u, e.location.block)
	}
	switch {
	case !ok:
		if s.typ != 0 {
			d.typeOf[at] = s.typ
		}
	case name != "":
		d.t.add(s)
	default:
		d.pending = append(d.pending, pendingSymbol{s, at})
	}
}

// extent returns the length of a function: its end is an address or a number
// of bytes.
func (d *dwarfReader) extent(u *dwarfUnit, low uint64, high dwarfValue) uint64 {
	n := high.num
	if high.kind != valueNumber {
		end, ok := d.address(u, high)
		if !ok {
			return 0
		}
		n = end - low
	}
	if n > uint64(d.t.f.Size) {
		return 0
	}
	return n
}

// place evaluates a location that is a fixed address: DW_OP_addr or
// DW_OP_addrx and nothing else.
func (d *dwarfReader) place(u *dwarfUnit, expr []byte) (uint32, bool) {
	const opAddr, opAddrx = 0x03, 0xA1
	c := cursor{data: expr}
	var addr uint64
	ok := true
	switch c.u8() {
	case opAddr:
		addr = c.number(u.addrSize)
	case opAddrx:
		addr, ok = d.address(u, dwarfValue{kind: valueAddrIndex, num: c.uleb()})
	default:
		return 0, false
	}
	if !ok || c.bad || c.left() != 0 {
		return 0, false
	}
	return d.rva(addr)
}

// resolve names what has its name in another entry: an inlined function's
// other copy, the definition of a declared variable.
func (d *dwarfReader) resolve() {
	const maxOrigins = 8
	for _, p := range d.pending {
		at := p.entry
		for range maxOrigins {
			if name := d.names[at]; name != "" {
				p.name, p.typ = name, max(p.typ, d.typeOf[at])
				d.t.add(p.symbol)
				break
			}
			next, ok := d.origins[at]
			if !ok {
				break
			}
			at = next
		}
	}
	d.names, d.origins, d.typeOf, d.pending, d.table = nil, nil, nil, nil, nil
}
