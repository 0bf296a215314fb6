package pe

// Kinds of type records (CodeView).
const (
	leafModifier   = 0x1001
	leafPointer    = 0x1002
	leafFieldList  = 0x1203
	leafBitField   = 0x1205
	leafBase       = 0x1400
	leafVBase      = 0x1401
	leafIVBase     = 0x1402
	leafIndex      = 0x1404
	leafVFuncTab   = 0x1409
	leafEnumerate  = 0x1502
	leafArray      = 0x1503
	leafClass      = 0x1504
	leafStructure  = 0x1505
	leafUnion      = 0x1506
	leafEnum       = 0x1507
	leafMember     = 0x150D
	leafStatic     = 0x150E
	leafMethod     = 0x150F
	leafNested     = 0x1510
	leafOneMethod  = 0x1511
	firstPDBType   = 0x1000 // numbers below stand for types of the language
	onlyDeclared   = 0x80   // property of a structure
	pointerSize    = 8
	virtualMethods = 4 // of the kinds of method, those that have an offset in the table: 4 and 6
)

// addTypedef notes a typedef.
func (p *pdb) addTypedef(name string, typ typeID) {
	if _, known := p.udts[name]; !known && len(p.udts) < maxTypes {
		p.udts[name] = typ
	}
}

// readTypes reads the stream of types.
func (p *pdb) readTypes(t *typeTable) {
	c := cursor{data: p.stream(streamTPI)}
	c.skip(4) // version
	header, first := c.u32(), c.u32()
	c.seek(int(min(header, 1<<30)))
	if c.bad || first < firstPDBType {
		return
	}
	for number := typeID(first); c.left() >= 4 && !t.full(); number++ {
		r := cursor{data: c.take(int(c.u16()))}
		if c.bad {
			break
		}
		if typ, ok := readTypeRecord(&r); ok {
			t.add(number, typ)
			for _, f := range typ.fields {
				t.addSimple(f.typ)
			}
			t.addSimple(typ.of)
		}
	}
	for name, number := range p.udts {
		t.addSimple(number)
		t.name(name, t.ids[number])
	}
}

// addSimple adds a type of the language: its number says how large it is.
func (t *typeTable) addSimple(number typeID) {
	if number == 0 || number >= firstPDBType || t.ids[number] != 0 {
		return
	}
	var size uint64
	switch mode := number >> 8 & 7; mode {
	case 0:
		size = simpleSizes[number&0xFF]
	case 4:
		size = 4
	case 6:
		size = pointerSize
	}
	t.add(number, cType{size: size})
}

// simpleSizes has the sizes of the types of the language, by the low byte of
// their numbers; 0 for what has none.
var simpleSizes = [256]uint64{
	0x08: 4,                   // HRESULT
	0x10: 1, 0x20: 1, 0x68: 1, // char
	0x69: 1, 0x70: 1, 0x7C: 1,
	0x11: 2, 0x21: 2, 0x71: 2, 0x72: 2, 0x73: 2, 0x7A: 2, // short, wchar_t
	0x12: 4, 0x22: 4, 0x74: 4, 0x75: 4, 0x7B: 4, // long, int
	0x13: 8, 0x23: 8, 0x76: 8, 0x77: 8, // __int64
	0x14: 16, 0x24: 16, 0x78: 16, 0x79: 16,
	0x30: 1, 0x31: 2, 0x32: 4, 0x33: 8, // bool
	0x40: 4, 0x41: 8, 0x42: 10, 0x43: 16, // float, double
}

// readTypeRecord reads a type; ok is false for kinds that have no part in where
// fields lie.
func readTypeRecord(r *cursor) (typ cType, ok bool) {
	switch r.u16() {
	case leafModifier:
		typ.kind, typ.of = typeAlias, typeID(r.u32())
	case leafPointer:
		typ.size = pointerSize
	case leafEnum:
		r.skip(4) // count, properties
		typ.kind, typ.of = typeAlias, typeID(r.u32())
	case leafBitField:
		typ.kind, typ.of = typeBits, typeID(r.u32())
		typ.size, typ.pos = uint64(r.u8()), r.u8()
	case leafArray:
		typ.kind, typ.of = typeArray, typeID(r.u32())
		r.skip(4) // type of the index
		typ.size = r.numeric()
	case leafClass, leafStructure, leafUnion:
		r.pos -= 2
		readStructure(r, &typ)
	case leafFieldList:
		typ.kind = typeFields
		readFieldList(r, &typ)
		return typ, true // what was read before a mistake is there
	default:
		return typ, false
	}
	return typ, !r.bad
}

func readStructure(r *cursor, typ *cType) {
	union := r.u16() == leafUnion
	r.skip(2) // count
	typ.kind, typ.declared = typeFields, r.u16()&onlyDeclared != 0
	typ.of = typeID(r.u32())
	if !union {
		r.skip(8) // derived from, shape of the virtual table
	}
	typ.size = r.numeric()
	if typ.name = r.cstring(); anonymous(typ.name) {
		typ.name = ""
	}
}

// readFieldList reads the fields of a structure. Of a kind that is unknown it is
// not known how long it is: what follows is not read.
func readFieldList(r *cursor, typ *cType) {
	for r.left() >= 4 && len(typ.fields) < maxFields {
		if b := r.data[r.pos]; b >= 0xF0 { // padding
			r.skip(max(int(b&0xF), 1))
			continue
		}
		kind, attributes := r.u16(), r.u16()
		switch kind {
		case leafMember, leafBase:
			f := cField{typ: typeID(r.u32()), offset: r.numeric()}
			if kind == leafMember {
				f.name = r.cstring()
			}
			if r.bad {
				return
			}
			typ.fields = append(typ.fields, f)
		case leafIndex:
			typ.of = typeID(r.u32())
		case leafVBase, leafIVBase:
			r.skip(8)
			r.numeric()
			r.numeric()
		case leafVFuncTab:
			typ.fields = append(typ.fields, cField{name: "__vfptr", typ: typeID(r.u32())})
		case leafEnumerate:
			r.numeric()
			r.cstring()
		case leafStatic, leafMethod, leafNested:
			r.skip(4)
			r.cstring()
		case leafOneMethod:
			r.skip(4)
			if attributes>>2&virtualMethods != 0 {
				r.skip(4)
			}
			r.cstring()
		default:
			return
		}
	}
}

// numeric reads a number: itself if it is small, else its kind and then itself.
func (c *cursor) numeric() uint64 {
	switch n := c.u16(); n {
	case 0x8000: // char
		return uint64(int64(int8(c.u8())))
	case 0x8001: // short
		return uint64(int64(int16(c.u16())))
	case 0x8002:
		return uint64(c.u16())
	case 0x8003: // long
		return uint64(int64(int32(c.u32())))
	case 0x8004:
		return uint64(c.u32())
	case 0x8009, 0x800A:
		return c.u64()
	default:
		if n >= 0x8000 {
			c.bad = true
		}
		return uint64(n)
	}
}
