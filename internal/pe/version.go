package pe

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
)

// VersionInfo is what the version resource says.
type VersionInfo struct {
	File, Product [4]uint16
	Strings       []VersionString // in the order of the file: CompanyName, FileDescription, ...
}

// VersionString is one named text of the version resource.
type VersionString struct{ Name, Value string }

// Text returns a text of the version resource, "" if there is none.
func (v *VersionInfo) Text(name string) string {
	for _, s := range v.Strings {
		if s.Name == name {
			return s.Value
		}
	}
	return ""
}

// FileVersion returns the file version with dots.
func (v *VersionInfo) FileVersion() string {
	return fmt.Sprintf("%d.%d.%d.%d", v.File[0], v.File[1], v.File[2], v.File[3])
}

const (
	resourceVersion = 16 // type of a version resource
	resourceSubdir  = 1 << 31
	maxStrings      = 64
)

// parseVersion finds the version resource: three levels of directories (type,
// name, language) down to the data ("The .rsrc Section").
func (f *File) parseVersion() *Error {
	d := f.dirs[dirResource]
	if d.rva == 0 || d.size == 0 {
		return nil
	}
	data := f.at(d.rva)
	at, ok := resourceEntry(data, 0, resourceVersion)
	for level := 0; ok && level < 2; level++ {
		if at&resourceSubdir == 0 {
			return f.damaged(d.rva, "the version resource is not where it should be")
		}
		at, ok = resourceEntry(data, at&^resourceSubdir, -1)
	}
	if !ok {
		return nil // no version resource
	}
	c := cursor{data: data}
	c.seek(int(at))
	rva, size := c.u32(), c.u32()
	info := f.at(rva)
	if c.bad || int64(size) > int64(len(info)) {
		return f.damaged(d.rva, "the version resource is not in the file")
	}
	var v VersionInfo
	if !v.parse(info[:size]) {
		return f.damaged(rva, "the version resource makes no sense")
	}
	f.Version = &v
	return nil
}

// resourceEntry returns what the entry with an id refers to in the directory at
// offset at; any entry if id is negative.
func resourceEntry(data []byte, at uint32, id int64) (uint32, bool) {
	c := cursor{data: data}
	c.seek(int(at))
	c.skip(12)
	count := int(c.u16()) + int(c.u16())
	for range count {
		name, to := c.u32(), c.u32()
		if c.bad {
			return 0, false
		}
		if id < 0 || int64(name) == id {
			return to, true
		}
	}
	return 0, false
}

// parse reads VS_VERSIONINFO: a node whose value is VS_FIXEDFILEINFO, and below
// it StringFileInfo, StringTable, String.
func (v *VersionInfo) parse(data []byte) bool {
	root, ok := readNode(&cursor{data: data})
	if !ok || root.key != "VS_VERSION_INFO" || len(root.value) < 52 || binary.LittleEndian.Uint32(root.value) != 0xFEEF04BD {
		return false
	}
	word := func(n int) uint16 { return binary.LittleEndian.Uint16(root.value[n:]) }
	v.File = [4]uint16{word(10), word(8), word(14), word(12)}
	v.Product = [4]uint16{word(18), word(16), word(22), word(20)}
	for _, info := range root.children() {
		if info.key != "StringFileInfo" {
			continue
		}
		for _, table := range info.children() {
			for _, s := range table.children() {
				if len(v.Strings) < maxStrings {
					v.Strings = append(v.Strings, VersionString{printable(s.key), printable(s.text())})
				}
			}
		}
	}
	return true
}

// versionNode is a node of the version resource: length, length of the value,
// kind, key, value, children, each aligned to 4 bytes.
type versionNode struct {
	key   string
	value []byte
	rest  []byte // the children
}

// readNode reads the node at c and leaves c behind it.
func readNode(c *cursor) (versionNode, bool) {
	n := cursor{data: c.data[c.pos:]}
	length, size, kind := n.u16(), int(n.u16()), n.u16()
	if n.bad || length < 6 || int(length) > len(n.data) {
		return versionNode{}, false
	}
	n.data = n.data[:length]
	key := n.utf16()
	n.align(4)
	if kind == 1 { // text: the size counts characters; some compilers count bytes
		size = min(size*2, n.left())
	}
	value := n.take(size)
	n.align(4)
	if n.bad {
		return versionNode{}, false
	}
	c.skip(int(length))
	c.align(4)
	return versionNode{key, value, n.data[n.pos:]}, true
}

func (n versionNode) children() (list []versionNode) {
	c := cursor{data: n.rest}
	for c.left() > 0 && len(list) < maxStrings {
		child, ok := readNode(&c)
		if !ok {
			break
		}
		list = append(list, child)
	}
	return list
}

func (n versionNode) text() string { return (&cursor{data: n.value}).utf16() }

// utf16 reads text up to a zero character or the end.
func (c *cursor) utf16() string {
	var text []uint16
	for c.left() >= 2 && len(text) < maxName {
		u := c.u16()
		if u == 0 {
			break
		}
		text = append(text, u)
	}
	return string(utf16.Decode(text))
}
