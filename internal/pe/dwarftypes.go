package pe

// readTypes reads the types of all units.
func (d *dwarfReader) readTypes(t *typeTable) {
	d.limit()
	_ = d.readInfo(&dwarfTypes{d: d, t: t}) // what is wrong with it was said when the names were read
	d.visit, d.table = nil, nil
}

// dwarfTypes makes types of entries.
type dwarfTypes struct {
	d    *dwarfReader
	t    *typeTable
	open []openType // whose children are being read
}

// openType is an entry whose children follow.
type openType struct {
	id   typeID // of the structure or array, 0: the entry is something else
	last typeID // of an array: the dimension before, 0: none
}

// entry implements dwarfVisitor.
func (r *dwarfTypes) entry(u *dwarfUnit, at uint64, shape *abbrevEntry, e *dwarfEntry) {
	if shape.tag == tagCompileUnit {
		r.open = r.open[:0]
	}
	if r.t.full() {
		return
	}
	var id typeID
	switch shape.tag {
	case tagMember, tagInheritance:
		r.member(u, e)
	case tagSubrange:
		r.dimension(at, e)
	default:
		id = r.add(u, typeID(at), shape.tag, e)
	}
	if shape.children {
		r.open = append(r.open, openType{id: id})
	}
}

// end implements dwarfVisitor.
func (r *dwarfTypes) end() {
	if n := len(r.open); n > 0 {
		r.open = r.open[:n-1]
	}
}

// add takes an entry that is a type, and returns it if its children belong to it.
func (r *dwarfTypes) add(u *dwarfUnit, at typeID, tag uint64, e *dwarfEntry) typeID {
	c := cType{size: e.byteSize.constant(), of: typeID(e.typ.num)}
	switch tag {
	case tagStructure, tagClass, tagUnion:
		c.kind, c.of = typeFields, 0
		c.name, c.declared = r.d.text(u, e.name), e.declaration.kind != valueNone
		return r.t.add(at, c)
	case tagArray:
		c.kind = typeArray
		return r.t.add(at, c)
	case tagTypedef:
		c.kind = typeAlias
		r.t.name(r.d.text(u, e.name), r.t.add(at, c))
	case tagConst, tagVolatile, tagRestrict, tagAtomic:
		c.kind = typeAlias
		r.t.add(at, c)
	case tagPointer:
		r.t.add(at, cType{size: max(c.size, uint64(u.addrSize))})
	case tagBase, tagEnumeration:
		r.t.add(at, cType{size: c.size})
	}
	return 0
}

// parent returns the entry whose children are being read.
func (r *dwarfTypes) parent() *openType {
	if n := len(r.open); n > 0 && r.open[n-1].id != 0 {
		return &r.open[n-1]
	}
	return nil
}

// member adds a field to the structure it belongs to.
func (r *dwarfTypes) member(u *dwarfUnit, e *dwarfEntry) {
	p := r.parent()
	if p == nil || r.t.types[p.id].kind != typeFields || e.declaration.kind != valueNone {
		return
	}
	f := cField{name: r.d.text(u, e.name), offset: e.memberLocation.constant(), typ: typeID(e.typ.num)}
	if bits := e.bitSize.constant(); bits > 0 && bits <= 64 {
		first := e.dataBitOffset.constant()
		if e.dataBitOffset.kind == valueNone { // DWARF 2 and 3 count from the highest bit of the unit
			first = 8*(f.offset+e.byteSize.constant()) - e.bitOffset.constant() - bits
		}
		f.offset, f.bit, f.bits = first/8, uint8(first%8), uint8(bits)
	}
	c := &r.t.types[p.id]
	c.fields = append(c.fields, f)
	r.t.fields++
}

// dimension gives an array its number of elements. Each further dimension is an
// array of its own, which is the element of the one before.
func (r *dwarfTypes) dimension(at uint64, e *dwarfEntry) {
	p := r.parent()
	if p == nil || r.t.types[p.id].kind != typeArray {
		return
	}
	if p.last == 0 {
		p.last = p.id
	} else {
		element := r.t.types[p.last].of
		r.t.types[p.last].of = typeID(at)
		p.last = r.t.add(typeID(at), cType{kind: typeArray, of: element})
	}
	n := e.count.constant()
	if e.upperBound.kind == valueNumber {
		n = e.upperBound.num + 1
	}
	r.t.types[p.last].count = n
}

// constant returns a value that is a number, or the one expression that stands
// for one in old versions: DW_OP_plus_uconst.
func (v dwarfValue) constant() uint64 {
	const opPlusUconst = 0x23
	switch {
	case v.kind == valueNumber:
		return v.num
	case v.kind == valueBlock && len(v.block) > 1 && v.block[0] == opPlusUconst:
		c := cursor{data: v.block, pos: 1}
		return c.uleb()
	}
	return 0
}
