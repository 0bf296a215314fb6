package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dirql/dirql/internal/ddi"
)

// layouts are the layouts of one structure, by the minor version of KMDF.
type layouts struct {
	name   string
	older  []olderLayout // oldest first
	newest ddi.StructType
}

// olderLayout is the layout up to a minor version.
type olderLayout struct {
	last   int
	layout ddi.StructType
}

var versioned = regexp.MustCompile(`^(.*)_V1_(\d+)(_BETA)?$`)

// allLayouts collects the KMDF structures of the tables. Layouts that no
// version from oldest on has are left out.
func allLayouts() []layouts {
	var list []layouts
	for _, s := range ddi.Structs() {
		if !isKMDF(s) {
			continue
		}
		m := versioned.FindStringSubmatch(s.Name)
		if m == nil {
			list = append(list, layouts{name: s.Name, newest: s})
			continue
		}
		minor, _ := strconv.Atoi(m[2])
		i := slices.IndexFunc(list, func(l layouts) bool { return l.name == m[1] })
		if minor < oldest || m[3] != "" || i < 0 || s.Size == list[i].newest.Size {
			continue
		}
		list[i].older = append(list[i].older, olderLayout{minor, s})
	}
	for _, l := range list {
		slices.SortFunc(l.older, func(a, b olderLayout) int { return a.last - b.last })
	}
	return list
}

// byVersion writes one text per layout, with the conditions between them.
func (l layouts) byVersion(w *strings.Builder, text func(ddi.StructType) string) {
	for i, o := range l.older {
		fmt.Fprintf(w, "#%s KMDF_VERSION_MINOR <= %d\n%s", []string{"if", "elif"}[min(i, 1)], o.last, text(o.layout))
	}
	if len(l.older) > 0 {
		w.WriteString("#else\n")
	}
	w.WriteString(text(l.newest))
	if len(l.older) > 0 {
		w.WriteString("#endif\n")
	}
}

// keyword is what the structure is in C.
func (l layouts) keyword() string {
	if isUnion(children(l.newest, "")) {
		return "union"
	}
	return "struct"
}

// structText is the definition of a structure under the name of its newest
// version.
func (l layouts) structText(s ddi.StructType) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s _%s {\n", l.keyword(), l.name)
	writeFields(&w, s, "", 1)
	w.WriteString("};\n")
	return w.String()
}

// children are the fields directly below a (dotted) name.
func children(s ddi.StructType, parent string) []ddi.Field {
	var list []ddi.Field
	for _, f := range s.Fields {
		if below, ok := strings.CutPrefix(f.Name, parent); ok && below != "" && !strings.Contains(below, ".") {
			list = append(list, f)
		}
	}
	return list
}

// isUnion tells whether fields that have no structure around them in the table
// overlap.
func isUnion(fields []ddi.Field) bool {
	for _, f := range fields[1:] {
		if f.Offset != fields[0].Offset || f.IsBits {
			return false
		}
	}
	return len(fields) > 1
}

// writeFields writes the fields below a name that ends in a dot, or all.
func writeFields(w *strings.Builder, s ddi.StructType, parent string, depth int) {
	indent := strings.Repeat("    ", depth)
	fields := children(s, parent)
	for i, f := range fields {
		w.WriteString(indent)
		if i > 0 && padded(s, fields[i-1], f) {
			w.WriteString("DECLSPEC_ALIGN(8) ")
		}
		name := f.Name[len(parent):]
		if isInline(f) {
			fmt.Fprintf(w, "%s {\n", strings.Trim(f.Type[len("(inline "):], ")"))
			writeFields(w, s, f.Name+".", depth+1)
			fmt.Fprintf(w, "%s} %s;\n", indent, name)
			continue
		}
		base, array := plainType(f.Type)
		if f.IsBits {
			array = fmt.Sprintf(" : %d", f.LastBit-f.FirstBit+1)
		}
		fmt.Fprintf(w, "%s%s%s;\n", spaced(base), name, array)
	}
}

func isInline(f ddi.Field) bool { return strings.HasPrefix(f.Type, "(inline ") }

// padded tells whether a field lies further behind the one before than its own
// alignment explains: the public header aligns some small fields to 8.
func padded(s ddi.StructType, before, f ddi.Field) bool {
	if f.IsBits || before.IsBits || f.Offset <= before.Offset {
		return false
	}
	align := alignOf(s, f)
	return f.Offset > (before.Offset+before.Size+align-1)/align*align
}

// alignOf is the natural alignment of a field in bytes.
func alignOf(s ddi.StructType, f ddi.Field) uint64 {
	if isInline(f) {
		align := uint64(1)
		for _, c := range children(s, f.Name+".") {
			align = max(align, alignOf(s, c))
		}
		return align
	}
	base, array := plainType(f.Type)
	if t, ok := ddi.Struct(strings.TrimPrefix(strings.TrimPrefix(base, "struct _"), "union _")); ok {
		return t.Align
	}
	if strings.HasPrefix(base, "struct _") && !strings.HasSuffix(base, "*") {
		return 4 // _USBD_VERSION_INFORMATION
	}
	if n, err := strconv.ParseUint(strings.Trim(array, "[]"), 10, 32); err == nil {
		return f.Size / n
	}
	return max(f.Size, 1)
}

// spaced is a type with what belongs between it and a name.
func spaced(t string) string {
	if strings.HasSuffix(t, "*") {
		return t
	}
	return t + " "
}

// checks are the assertions about one layout.
func checks(name string, s ddi.StructType, has func(field string) bool) string {
	var w strings.Builder
	fmt.Fprintf(&w, "SIZE(%s, %d, %d)\n", name, s.Size, s.Align)
	for _, f := range s.Fields {
		if !f.IsBits && has(f.Name) {
			fmt.Fprintf(&w, "FIELD(%s, %s, %d, %d)\n", name, f.Name, f.Offset, f.Size)
		}
	}
	return w.String()
}
