package ddi

import (
	"strconv"
	"strings"
	"sync"
)

// StructType is the x64 layout of a structure that drivers see.
type StructType struct {
	Name   string
	Size   uint64 // bytes
	Align  uint64 // bytes
	Source string // which headers the layout was computed from
	Fields []Field
}

// Field is one member of a structure. Members of unnamed nested structures and
// unions have dotted names and follow their parent.
type Field struct {
	Name   string
	Type   string
	Offset uint64 // bytes from the start of the structure
	Size   uint64 // bytes; 0 for a bit field
	// IsBits is set for a bit field: bits FirstBit to LastBit of the unit at Offset.
	IsBits            bool
	FirstBit, LastBit uint8
}

// Struct returns the layout of a structure, and false if the tables do not have it.
func Struct(name string) (StructType, bool) {
	s, ok := structs().byName[name]
	return s, ok
}

// Structs returns all layouts in the order of the table.
func Structs() []StructType {
	t := structs()
	list := make([]StructType, len(t.names))
	for i, name := range t.names {
		list[i] = t.byName[name]
	}
	return list
}

// Field returns a member by its (dotted) name.
func (s StructType) Field(name string) (Field, bool) {
	for _, f := range s.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Offset returns the offset of a field in bytes, for instance of
// ("KDPC", "DeferredRoutine"). Both names are constants of our own code: an
// unknown one is a bug. It searches; keep the result where speed matters.
func Offset(structName, field string) uint64 {
	f, ok := mustStruct(structName).Field(field)
	if !ok {
		bug("structure %s has no field %q", structName, field)
	}
	return f.Offset
}

// SizeOf returns the size of a structure in bytes (of KMDF 1.33 where versions
// differ). An unknown name is a bug.
func SizeOf(structName string) uint64 { return mustStruct(structName).Size }

func mustStruct(name string) StructType {
	s, ok := Struct(name)
	if !ok {
		bug("no structure %q", name)
	}
	return s
}

type structTable struct {
	names  []string
	byName map[string]StructType
}

const structFile = "kmdf-structs.csv"

var structs = sync.OnceValue(func() structTable { return parseStructs(dataFile(structFile)) })

func parseStructs(text string) structTable {
	rows := readTable(structFile, text, "struct", "field", "offset", "size", "bits", "type", "struct_size",
		"struct_align", "source")
	t := structTable{byName: make(map[string]StructType)}
	var s StructType
	seen := make(map[string]bool) // fields of s
	for _, r := range rows {
		if r.text("field") == "(whole)" {
			s = structOf(r)
			if _, ok := t.byName[s.Name]; ok {
				r.bug("%s occurs twice", s.Name)
			}
			t.names = append(t.names, s.Name)
			clear(seen)
		} else {
			f := fieldOf(r, s)
			if seen[f.Name] {
				r.bug("%s.%s occurs twice", s.Name, f.Name)
			}
			seen[f.Name] = true
			s.Fields = append(s.Fields, f)
		}
		t.byName[s.Name] = s
	}
	return t
}

func structOf(r row) StructType {
	s := StructType{
		Name:   r.name("struct"),
		Size:   r.size("size"),
		Align:  r.size("struct_align"),
		Source: r.name("source"),
	}
	if s.Size != r.size("struct_size") || s.Align == 0 || s.Size%s.Align != 0 {
		r.bug("size %d, struct_size %s, alignment %d do not fit together", s.Size, r.text("struct_size"), s.Align)
	}
	return s
}

// fieldOf reads a field row of structure s, whose "(whole)" row came before.
func fieldOf(r row, s StructType) Field {
	if r.text("struct") != s.Name || r.size("struct_size") != s.Size || r.size("struct_align") != s.Align {
		r.bug("field does not belong to %s (%d bytes)", s.Name, s.Size)
	}
	f := Field{Name: r.name("field"), Type: r.name("type"), Offset: r.size("offset")}
	if bits := r.text("bits"); bits != "" {
		f.IsBits = true
		f.FirstBit, f.LastBit = bitsOf(r, bits)
	} else {
		f.Size = r.size("size")
	}
	if f.Offset+f.Size > s.Size || f.IsBits && f.Offset >= s.Size {
		r.bug("field at %d, %d bytes, is outside the structure of %d bytes", f.Offset, f.Size, s.Size)
	}
	return f
}

// bitsOf reads "3-7".
func bitsOf(r row, s string) (first, last uint8) {
	a, b, _ := strings.Cut(s, "-")
	lo, errLo := strconv.ParseUint(a, 10, 8)
	hi, errHi := strconv.ParseUint(b, 10, 8)
	if errLo != nil || errHi != nil || lo > hi || hi > 63 {
		r.bug("bits are %q, want for instance 3-7", s)
	}
	return uint8(lo), uint8(hi)
}
