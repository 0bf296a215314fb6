package pe

import (
	"fmt"
	"strings"
)

// Place is a variable, or a part of one, as a C programmer names it.
type Place struct {
	Name string // "EDU_DEVICE.Slots[3].Next"
	// Kind is the same for all elements of an array, for all that a union has in one
	// place, and for the bit fields of one unit: "EDU_DEVICE.Slots[].Next".
	Kind string
}

// typeID is the number of a type: in the debug information, until link makes it
// an index into typeTable.types. 0 is none.
type typeID uint32

type typeKind uint8

const (
	typeWhole  typeKind = iota // a number, a pointer: nothing in it has a name
	typeFields                 // a structure, a union, or a list of fields that they share
	typeArray
	typeAlias // a typedef, a qualifier, an enumeration, a declaration: see of
	typeBits  // of a bit field, in a PDB
)

// cType is a C type, as far as it takes to name its bytes.
type cType struct {
	name     string
	size     uint64 // bytes; 0: see sizeOf
	count    uint64 // elements of an array, 0: any number
	fields   []cField
	of       typeID // of an alias what it stands for, of an array the element, of fields those that follow
	kind     typeKind
	declared bool  // only: the type of the same name that is not stands for it
	pos      uint8 // of typeBits; the number of bits is size
}

// cField is a field of a structure.
type cField struct {
	name      string
	offset    uint64 // bytes
	typ       typeID
	bit, bits uint8 // of a bit field: the first bit, from offset on, and how many
}

// Limits on types in debug information.
const (
	maxTypes  = 1 << 20
	maxFields = 1 << 21
)

// typeTable is all types of a driver.
type typeTable struct {
	types  []cType // index 0 is unused
	ids    map[typeID]typeID
	byName map[string]typeID
	fields int // of all types
}

func newTypeTable() *typeTable {
	return &typeTable{types: make([]cType, 1), ids: map[typeID]typeID{}, byName: map[string]typeID{}}
}

// full reports whether a hostile file has enough.
func (t *typeTable) full() bool { return len(t.types) >= maxTypes || t.fields >= maxFields }

// add takes a type with the number that others refer to it by, 0 for none, and
// returns its index.
func (t *typeTable) add(number typeID, c cType) typeID {
	id := typeID(len(t.types))
	t.types = append(t.types, c)
	t.fields += len(c.fields)
	if number != 0 {
		t.ids[number] = id
	}
	return id
}

// name lets a type be found; the first of a name counts.
func (t *typeTable) name(name string, id typeID) {
	if _, known := t.byName[name]; !known && name != "" {
		t.byName[name] = id
	}
}

// link turns numbers into indexes, finds the definitions of what is only
// declared, and moves what a PDB says of the type of a bit field into the field.
func (t *typeTable) link() {
	for i := range t.types {
		c := &t.types[i]
		c.of = t.ids[c.of]
		for k := range c.fields {
			c.fields[k].typ = t.ids[c.fields[k].typ]
		}
		if c.kind == typeFields && !c.declared {
			t.name(c.name, typeID(i))
		}
	}
	for i := range t.types {
		c := &t.types[i]
		if c.declared {
			c.kind, c.of = typeAlias, t.byName[c.name]
		}
		for k := range c.fields {
			if f := &c.fields[k]; t.types[f.typ].kind == typeBits {
				bits := &t.types[f.typ]
				f.typ, f.bit, f.bits = bits.of, bits.pos, uint8(min(bits.size, 64))
			}
		}
	}
}

// maxNesting bounds how deep types are followed: those of a hostile file may
// contain themselves.
const maxNesting = 32

// plain returns what an alias stands for in the end.
func (t *typeTable) plain(id typeID) *cType {
	for range maxNesting {
		if t.types[id].kind != typeAlias {
			return &t.types[id]
		}
		id = t.types[id].of
	}
	return &t.types[0]
}

// sizeOf returns the size of a type, 0 if it is not known.
func (t *typeTable) sizeOf(id typeID) uint64 {
	n := uint64(1)
	for range maxNesting {
		c := t.plain(id)
		switch {
		case c.size > 0:
			return n * min(c.size, 1<<31)
		case c.kind != typeArray:
			return 0
		}
		n, id = min(n*min(c.count, 1<<31), 1<<31), c.of
	}
	return 0
}

// find returns the type of a name, as a driver's source says it or with the tag
// that is usual for it.
func (t *typeTable) find(name string) (typeID, bool) {
	for _, n := range []string{name, "_" + name, "tag" + name} {
		if id, ok := t.byName[n]; ok {
			return id, true
		}
	}
	return 0, false
}

// path names size bytes at an offset of a type that is called name.
func (t *typeTable) path(name string, id typeID, offset, size uint64) Place {
	w := pathWalk{t: t, steps: 1 << 12, size: max(size, 1)}
	best := w.into(id, offset, maxNesting)
	return Place{printable(name) + best.text, printable(name) + best.kind}
}

// pathWalk looks for the name of some bytes.
type pathWalk struct {
	t     *typeTable
	size  uint64
	steps int // fields that may still be looked at
}

// part is a way into a type.
type part struct {
	text, kind string
	fit        fit
}

// fit says how well a name fits some bytes.
type fit int8

const (
	nothing fit = iota - 1
	padding     // there is nothing
	within      // they lie somewhere in it, or go on behind it
	begins      // they begin where it begins
	exact       // and end where it ends
)

// into names bytes of a type.
func (w *pathWalk) into(id typeID, offset uint64, depth int) part {
	c := w.t.plain(id)
	switch {
	case depth == 0:
	case c.kind == typeArray:
		if n := w.t.sizeOf(c.of); n > 0 {
			p := w.into(c.of, offset%n, depth-1)
			return part{fmt.Sprintf("[%d]", offset/n) + p.text, "[]" + p.kind, p.fit}
		}
	case c.kind == typeFields:
		return w.among(c, offset, depth)
	}
	switch {
	case offset > 0:
		return part{fit: within}
	case c.size == w.size:
		return part{fit: exact}
	}
	return part{fit: begins}
}

// among names bytes of a structure or union: by the field that fits best, and of
// those by the first.
func (w *pathWalk) among(c *cType, offset uint64, depth int) part {
	best, found := part{fit: nothing}, 0
	bits := bitNames{}
	w.each(c, func(f *cField) {
		if f.bits > 0 {
			bits.add(f, offset, w.size, w.t.sizeOf(f.typ))
			return
		}
		n := w.t.sizeOf(f.typ)
		open := n == 0 && w.t.plain(f.typ).kind == typeArray // takes what is behind the structure
		if offset < f.offset || offset-f.offset >= n && !open {
			return
		}
		p := w.into(f.typ, offset-f.offset, depth-1)
		if name := f.name; !anonymous(name) {
			p.text, p.kind = "."+printable(name)+p.text, "."+printable(name)+p.kind
		}
		if offset+w.size > f.offset+n && !open && p.fit > within {
			p.text, p.fit = p.text+" and what follows", within
		}
		if found++; found == 1 {
			best.kind = p.kind
		}
		if p.fit > best.fit {
			best.text, best.fit = p.text, p.fit
		}
	})
	switch {
	case found == 0 && bits.first != "":
		return part{bits.text(), "." + bits.first, begins}
	case found == 0 && offset >= c.size:
		return part{fmt.Sprintf("+0x%X (behind its end)", offset), fmt.Sprintf("+0x%X", offset), padding}
	case found == 0:
		return part{fmt.Sprintf("+0x%X (padding)", offset), fmt.Sprintf("+0x%X", offset), padding}
	case found > 1 && !strings.HasSuffix(best.text, unionMark):
		best.text += unionMark
	}
	return best
}

// unionMark says that other fields lie there, too.
const unionMark = " (union)"

// each yields the fields of a structure, in their order.
func (w *pathWalk) each(c *cType, do func(*cField)) {
	for range maxNesting {
		for i := range c.fields {
			if w.steps--; w.steps < 0 {
				return
			}
			do(&c.fields[i])
		}
		if c.of == 0 {
			return
		}
		c = &w.t.types[c.of]
	}
}

// anonymous reports whether a field has no name: its own fields are reached
// without one.
func anonymous(name string) bool { return name == "" || strings.HasPrefix(name, "<") }

// bitNames collects bit fields.
type bitNames struct {
	first string // of the unit in which the bytes lie
	names []string
}

// add looks at a bit field whose unit has unit bytes.
func (b *bitNames) add(f *cField, offset, size, unit uint64) {
	if unit = max(unit, 1); b.first == "" && (f.offset*8+uint64(f.bit))/(8*unit) == offset/unit {
		b.first = printable(f.name)
	}
	from := f.offset*8 + uint64(f.bit)
	if from < (offset+size)*8 && offset*8 < from+uint64(f.bits) {
		b.names = append(b.names, printable(f.name))
		if b.first == "" {
			b.first = b.names[0]
		}
	}
}

// text names up to three of them.
func (b *bitNames) text() string {
	const shown = 3
	names, more := b.names, ""
	if len(names) > shown {
		names, more = names[:shown], ", ..."
	}
	if len(names) == 0 {
		return "." + b.first + " (rest of its bits)"
	}
	s := " (bit field)"
	if len(b.names) > 1 {
		s = " (bit fields)"
	}
	return "." + strings.Join(names, ", ") + more + s
}

// Field names size bytes at an offset of a structure of a type, by the name that
// the source has for it.
func (t *SymbolTable) Field(typeName string, offset, size uint64) (Place, bool) {
	types := t.types()
	id, ok := types.find(typeName)
	if !ok {
		return Place{}, false
	}
	return types.path(typeName, id, offset, size), true
}

// Variable names size bytes at an RVA that belong to a variable.
func (t *SymbolTable) Variable(rva uint32, size uint64) (Place, bool) {
	i, ok := t.lookup(rva)
	if !ok {
		return Place{}, false
	}
	s := &t.syms[i]
	types := t.types()
	id, known := types.ids[s.typ]
	if offset := uint64(rva - s.rva); known && offset < max(types.sizeOf(id), 1) {
		return types.path(s.name, id, offset, size), true
	}
	return Place{}, false
}

// types reads the types of a driver when they are first asked for: most runs do
// not need them.
func (t *SymbolTable) types() *typeTable {
	if t.typeTable == nil {
		t.typeTable = newTypeTable()
		if t.readTypes != nil {
			t.readTypes(t.typeTable)
		}
		t.typeTable.link()
	}
	return t.typeTable
}
