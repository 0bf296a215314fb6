package pe

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

// Summary is what there is to know about a driver file without running it.
type Summary struct {
	Kind        Kind
	Description string // one sentence
	KMDF        *Binding
	Sections    []SectionSummary
	Imports     []ImportSummary // in the order of the file
	Pageable    uint32          // bytes of pageable code
	Discardable uint32          // bytes of code that is freed after DriverEntry
	Code        uint32          // bytes of all code
	GuardCF     bool            // built with control flow guard
	Functions   int             // entries of the exception directory
	Relocations int
	PDB         string // name of the PDB, without folder; "" if none is named
	Warnings    []*Error
}

// SectionSummary is a section with its attributes as one letter each.
type SectionSummary struct {
	*Section
	Flags string // of "rwx", and P pageable, D discardable; - for what it is not
}

// ImportSummary is what is imported from one image.
type ImportSummary struct {
	DLL   string
	Names []string // sorted; #12 for an ordinal
}

// Summary collects what dirql inspect shows.
func (f *File) Summary() Summary {
	s := Summary{
		Kind: f.Kind(), Description: f.Describe(), GuardCF: f.DLLCharacteristics&GuardCF != 0,
		Functions: len(f.functions), Relocations: len(f.relocs), Warnings: f.Warnings,
	}
	if s.Kind == KMDF {
		s.KMDF = f.Binding()
	}
	if f.CodeView != nil {
		s.PDB = f.CodeView.Base()
	}
	for i := range f.Sections {
		sec := &f.Sections[i]
		s.Sections = append(s.Sections, SectionSummary{sec, sec.flags()})
		if !sec.Executable() {
			continue
		}
		s.Code += sec.Size
		if sec.Pageable() {
			s.Pageable += sec.Size
		}
		if sec.Discardable() {
			s.Discardable += sec.Size
		}
	}
	s.Imports = f.importSummary()
	return s
}

func (s *Section) flags() string {
	flags := []byte("r----")
	for i, set := range []bool{true, s.Writable(), s.Executable(), s.Pageable(), s.Discardable()} {
		if set {
			flags[i] = "rwxPD"[i]
		}
	}
	return string(flags)
}

func (f *File) importSummary() []ImportSummary {
	var list []ImportSummary
	index := map[string]int{}
	for i := range f.Imports {
		im := &f.Imports[i]
		key := strings.ToLower(im.DLL)
		n, found := index[key]
		if !found {
			n = len(list)
			index[key] = n
			list = append(list, ImportSummary{DLL: im.DLL})
		}
		list[n].Names = append(list[n].Names, im.label())
	}
	for i := range list {
		slices.Sort(list[i].Names)
	}
	return list
}

// Binding is the driver's WDF_BIND_INFO as it lies in the file.
type Binding struct {
	Major, Minor, Build uint32
	Functions           uint32 // length of the function table that the driver knows
	RVA                 uint32
	Table               uint32 // RVA of the function table, or of the pointer to it; 0 if the file does not tell
}

// Bytes returns the file's bytes from an RVA to the one behind, fewer where the
// section ends before.
func (f *File) Bytes(begin, end uint32) []byte {
	b := f.at(begin)
	if end < begin {
		return nil
	}
	return b[:min(len(b), int(end-begin))]
}

// Binding looks for the WDF_BIND_INFO of a KMDF driver: a structure with its
// size, then a pointer to the text "KmdfLibrary", then the version. nil if
// there is none.
func (f *File) Binding() *Binding {
	text := utf16Bytes("KmdfLibrary\x00")
	for _, rva := range f.relocs {
		target, ok := f.pointerAt(rva)
		if !ok || !bytes.HasPrefix(f.at(target), text) || rva < 8 {
			continue
		}
		b := f.at(rva - 8)
		if len(b) < 0x20 {
			continue
		}
		word := func(n int) uint32 { return binary.LittleEndian.Uint32(b[n:]) }
		if size := word(0); size < 0x30 || size > 0x100 {
			continue
		}
		table, _ := f.pointerAt(rva - 8 + 0x20)
		return &Binding{Major: word(0x10), Minor: word(0x14), Build: word(0x18), Functions: word(0x1C), RVA: rva - 8, Table: table}
	}
	return nil
}

// holdsUTF16 reports whether a text occurs in a section that is loaded.
func (f *File) holdsUTF16(text string) bool {
	want := utf16Bytes(text)
	for i := range f.Sections {
		if s := &f.Sections[i]; !s.Debug() && bytes.Contains(f.data[s.offset:s.offset+s.fileSize], want) {
			return true
		}
	}
	return false
}

func utf16Bytes(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}
