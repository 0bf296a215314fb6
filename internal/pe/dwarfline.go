package pe

// readLines runs all line programs, one after the other (DWARF 5, section 6.2).
func (d *dwarfReader) readLines() error {
	c := cursor{data: d.line}
	for c.left() > 4 {
		start := c.pos
		if !d.readProgram(&c) {
			return d.fail(-1, "line program at offset "+hex(start)+" of .debug_line is damaged")
		}
	}
	return nil
}

// lineProgram is the header of a line program.
type lineProgram struct {
	dwarfUnit
	minLength uint64 // of an instruction
	lineBase  int64
	lineRange uint64
	lengths   []byte // operands of standard opcodes, from opcode 1
	dirs      []string
	files     []int32 // numbers of the table's files
}

// readProgram reads one line program and leaves c behind it.
func (d *dwarfReader) readProgram(c *cursor) bool {
	p := lineProgram{dwarfUnit: dwarfUnit{start: uint64(c.pos), addrSize: 8}}
	unit, ok := c.unit(&p.wide)
	if !ok {
		return false
	}
	p.version = unit.u16()
	if p.version < 2 || p.version > 5 {
		return !unit.bad // a version that does not exist yet
	}
	if p.version == 5 {
		p.addrSize = int(unit.u8())
		unit.skip(1)
	}
	length := unit.offset(p.wide)
	if unit.bad || length > uint64(unit.left()) || p.addrSize > 8 {
		return false
	}
	head := cursor{data: unit.data[:unit.pos+int(length)], pos: unit.pos}
	unit.pos += int(length)
	p.minLength = uint64(head.u8())
	if p.version >= 4 {
		head.skip(1) // operations per instruction: 1 on x86
	}
	head.skip(1)
	p.lineBase, p.lineRange = int64(int8(head.u8())), uint64(head.u8())
	p.lengths = head.take(max(int(head.u8()), 1) - 1)
	if head.bad || p.lineRange == 0 {
		return false
	}
	if p.version == 5 {
		ok = d.readFileLists(&p, &head)
	} else {
		ok = d.readOldFileLists(&p, &head)
	}
	return ok && d.run(&p, &unit)
}

// readOldFileLists reads the lists of directories and files up to version 4.
// Both count from 1; directory 0 is that of the compilation.
func (d *dwarfReader) readOldFileLists(p *lineProgram, c *cursor) bool {
	base := d.compDirs[p.start]
	p.dirs = []string{""}
	for {
		dir := c.cstring()
		if c.bad || dir == "" {
			break
		}
		p.dirs = append(p.dirs, dir)
	}
	p.files = []int32{-1}
	for {
		name := c.cstring()
		if c.bad || name == "" {
			break
		}
		p.addFile(d, base, name, c.uleb())
		c.uleb() // time
		c.uleb() // length
	}
	return !c.bad
}

// addFile adds a file that lies in directory number dir.
func (p *lineProgram) addFile(d *dwarfReader, base, name string, dir uint64) {
	if name == "" { // LLVM 14 loses the names of version 5 in COFF files
		p.files = append(p.files, -1)
		return
	}
	f := sourceFile{base: base, name: name}
	if dir < uint64(len(p.dirs)) {
		f.dir = p.dirs[dir]
	}
	p.files = append(p.files, d.t.addFile(f))
}

// readFileLists reads the lists of directories and files of version 5. Both
// count from 0; directory 0 is that of the compilation.
func (d *dwarfReader) readFileLists(p *lineProgram, c *cursor) bool {
	ok := d.eachEntry(p, c, func(path string, _ uint64) { p.dirs = append(p.dirs, path) })
	return ok && d.eachEntry(p, c, func(path string, dir uint64) {
		base := ""
		if len(p.dirs) > 0 {
			base = p.dirs[0]
		}
		p.addFile(d, base, path, dir)
	})
}

// eachEntry reads a list: its columns (what they hold and in which form), then
// its rows.
func (d *dwarfReader) eachEntry(p *lineProgram, c *cursor, do func(path string, dir uint64)) bool {
	const columnPath, columnDir = 1, 2
	type column struct{ what, form uint64 }
	columns := make([]column, c.u8())
	for i := range columns {
		columns[i] = column{c.uleb(), c.uleb()}
		if f := columns[i].form; f == formFlagPresent || f == formImplicitConst {
			return false // a row that takes no bytes
		}
	}
	count := c.uleb()
	if len(columns) == 0 && count > 0 {
		return false
	}
	for ; count > 0 && !c.bad; count-- {
		var path string
		var dir uint64
		for _, col := range columns {
			v := c.value(&p.dwarfUnit, col.form, 0)
			switch col.what {
			case columnPath:
				path = d.text(&p.dwarfUnit, v)
			case columnDir:
				dir = v.num
			}
		}
		do(path, dir)
	}
	return !c.bad
}

// Opcodes of line programs.
const (
	lnsCopy         = 1
	lnsAdvancePC    = 2
	lnsAdvanceLine  = 3
	lnsSetFile      = 4
	lnsConstAddPC   = 8
	lnsFixedAdvance = 9

	lneEndSequence = 1
	lneSetAddress  = 2
)

// lineState is the state of the line number machine.
type lineState struct {
	addr, file uint64
	line       int64
}

// run executes a line program; each of its instructions takes a byte or more.
func (d *dwarfReader) run(p *lineProgram, c *cursor) bool {
	s := lineState{file: 1, line: 1}
	special := uint8(len(p.lengths) + 1)
	for c.left() > 0 && !c.bad {
		op := c.u8()
		if op >= special {
			n := uint64(op - special)
			s.addr += n / p.lineRange * p.minLength
			s.line += p.lineBase + int64(n%p.lineRange)
			d.row(p, &s)
			continue
		}
		switch op {
		case 0:
			size := c.uleb()
			ext := cursor{data: c.take(int(min(size, 1<<31-1)))}
			switch ext.u8() {
			case lneEndSequence:
				s.file = ^uint64(0)
				d.row(p, &s)
				s = lineState{file: 1, line: 1}
			case lneSetAddress:
				s.addr = ext.number(min(ext.left(), 8))
			}
		case lnsCopy:
			d.row(p, &s)
		case lnsAdvancePC:
			s.addr += c.uleb() * p.minLength
		case lnsAdvanceLine:
			s.line += c.sleb()
		case lnsSetFile:
			s.file = c.uleb()
		case lnsConstAddPC:
			s.addr += uint64(255-special) / p.lineRange * p.minLength
		case lnsFixedAdvance:
			s.addr += uint64(c.u16())
		default: // of no use here, or unknown: skip the operands
			for range p.lengths[op-1] {
				c.uleb()
			}
		}
	}
	return !c.bad
}

// row adds a row to the table.
func (d *dwarfReader) row(p *lineProgram, s *lineState) {
	rva, ok := d.rva(s.addr)
	if !ok {
		return
	}
	file := int32(-1)
	if s.file < uint64(len(p.files)) {
		file = p.files[s.file]
	}
	d.t.addLine(rva, file, uint64(s.line))
}
