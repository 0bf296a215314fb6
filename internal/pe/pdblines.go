package pe

// Kinds of C13 line information (CodeView).
const (
	debugLines     = 0xF2
	debugChecksums = 0xF4
)

// Line numbers that stand for code without a line.
const (
	lineHidden    = 0xFEEFEE
	lineHiddenOld = 0xF00F00
)

// readLines reads the C13 line information of a module. Lines refer to source
// files by offset into the table of checksums, which may come later.
func (p *pdb) readLines(c cursor) {
	var checksums []byte
	var tables [][]byte
	for c.left() >= 8 {
		kind, size := c.u32(), int(c.u32())
		data := c.take(size)
		c.align(4)
		if c.bad {
			break
		}
		switch kind {
		case debugChecksums:
			checksums = data
		case debugLines:
			tables = append(tables, data)
		}
	}
	files := map[uint32]int32{} // offset into checksums -> file of the table
	for _, data := range tables {
		p.readLineTable(cursor{data: data}, checksums, files)
	}
}

// readLineTable reads the lines of one stretch of code (a function).
func (p *pdb) readLineTable(c cursor, checksums []byte, files map[uint32]int32) {
	offset, segment, _, size := c.u32(), c.u16(), c.u16(), c.u32()
	start, ok := p.rva(segment, offset)
	if c.bad || !ok {
		return
	}
	for c.left() >= 12 {
		id, count, bytes := c.u32(), int64(c.u32()), c.u32()
		if bytes < 12 || count*8 > int64(bytes)-12 {
			return
		}
		block := cursor{data: c.take(int(bytes - 12))}
		if c.bad {
			return
		}
		file, known := files[id]
		if !known {
			file = p.sourceFile(checksums, id)
			files[id] = file
		}
		for range count {
			at, line := block.u32(), block.u32()&0xFFFFFF
			if at >= size {
				continue
			}
			if line == lineHidden || line == lineHiddenOld {
				line = 0
			}
			p.t.addLine(start+at, file, uint64(line))
		}
	}
	p.t.addLine(start+size, -1, 0)
}

// sourceFile returns the file of the table for an entry of the checksums; -1 if
// it has no name.
func (p *pdb) sourceFile(checksums []byte, id uint32) int32 {
	c := cursor{data: checksums}
	c.seek(int(id))
	name := nameAt(p.names, uint64(c.u32()))
	if c.bad || name == "" {
		return -1
	}
	return p.t.addFile(sourceFile{name: name})
}
