package pe

import (
	"bytes"
	"fmt"
	"strings"
)

// CodeView names the PDB that belongs to the image.
type CodeView struct {
	GUID GUID
	Age  uint32
	Path string // where the linker wrote it
}

// GUID is a globally unique identifier as it is stored.
type GUID [16]byte

// String returns the usual form.
func (g GUID) String() string {
	return fmt.Sprintf("{%02X%02X%02X%02X-%02X%02X-%02X%02X-%X-%X}", g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8:10], g[10:])
}

// Base returns the last part of Path, "" if there is none.
func (v *CodeView) Base() string {
	name := v.Path[strings.LastIndexAny(v.Path, `\/`)+1:]
	if name == "." || name == ".." {
		return ""
	}
	return name
}

const (
	debugEntry    = 28
	debugCodeView = 2
	maxDebug      = 64
)

// parseDebugDirectory looks for the entry that names the PDB ("Debug
// Directory"); others (POGO, REPRO and the like) are of no use here.
func (f *File) parseDebugDirectory() *Error {
	d := f.dirs[dirDebug]
	if d.rva == 0 || d.size == 0 {
		return nil
	}
	c := cursor{data: f.at(d.rva)}
	for range min(d.size/debugEntry, maxDebug) {
		at := d.rva + uint32(c.pos)
		c.skip(12)
		kind, size := c.u32(), c.u32()
		c.skip(4)
		offset := c.u32()
		if c.bad {
			return f.damaged(at, "the debug directory is not in the file")
		}
		if kind != debugCodeView || f.CodeView != nil {
			continue
		}
		if uint64(offset)+uint64(size) > uint64(len(f.data)) {
			return f.damaged(at, "the name of the PDB (%d bytes at offset 0x%X) is not in the file", size, offset)
		}
		f.CodeView = parseCodeView(f.data[offset : offset+size])
	}
	return nil
}

func parseCodeView(data []byte) *CodeView {
	if !bytes.HasPrefix(data, []byte("RSDS")) {
		return nil // NB10 and older: no compiler for x86-64 wrote them
	}
	c := cursor{data: data, pos: 4}
	v := &CodeView{GUID: c.guid(), Age: c.u32()}
	name, _, _ := bytes.Cut(data[min(24, len(data)):], []byte{0})
	if v.Path = printable(string(name)); c.bad || v.Path == "" {
		return nil
	}
	return v
}
