package pe

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Bits of a section's characteristics ("Section Flags").
const (
	scnCode        = 0x00000020
	scnDiscardable = 0x02000000
	scnExecute     = 0x20000000
	scnRead        = 0x40000000
	scnWrite       = 0x80000000
)

// Section is a part of the image with one protection.
type Section struct {
	Name            string
	RVA             uint32
	Size            uint32 // in memory
	Characteristics uint32

	offset   uint32 // in the file
	rawSize  uint32 // in the file, as the header says
	fileSize uint32 // of what is mapped: at most Size
}

// Executable says that code may run in the section.
func (s *Section) Executable() bool { return s.Characteristics&scnExecute != 0 }

// Writable says that the driver may store to the section.
func (s *Section) Writable() bool { return s.Characteristics&scnWrite != 0 }

// Discardable says that Windows frees the section when DriverEntry has
// returned.
func (s *Section) Discardable() bool { return s.Characteristics&scnDiscardable != 0 }

// Pageable says that Windows may page the section out: its name starts with
// PAGE ("Making Drivers Pageable").
func (s *Section) Pageable() bool { return strings.HasPrefix(s.Name, "PAGE") }

// Code says that the section holds instructions.
func (s *Section) Code() bool { return s.Characteristics&(scnCode|scnExecute) != 0 }

// Debug says that the section holds debug information (mingw-w64, clang), which
// no driver reads.
func (s *Section) Debug() bool {
	return s.Discardable() && (strings.HasPrefix(s.Name, ".debug_") || strings.HasPrefix(s.Name, ".zdebug_"))
}

// readSections reads the section headers, which start at file offset table.
func (f *File) readSections(table, count int) *Error {
	if count == 0 || count > maxSections {
		return f.fail(int64(table), hintDamaged, "the file has %d sections, a driver has 1 to %d", count, maxSections)
	}
	end := table + count*sectionHeader
	if end > len(f.data) {
		return f.fail(int64(table), hintCopy, "the file ends inside its section headers")
	}
	if end > int(f.HeaderSize) {
		return f.fail(int64(table), hintDamaged, "the section headers end at 0x%X, beyond the headers (0x%X bytes)", end, f.HeaderSize)
	}
	names := f.stringTable()
	c := cursor{data: f.data[:end], pos: table}
	for range count {
		name := c.take(8)
		s := Section{Name: f.sectionName(name, names), Size: c.u32(), RVA: c.u32(), rawSize: c.u32(), offset: c.u32()}
		c.skip(12)
		s.Characteristics = c.u32()
		if s.Size == 0 {
			s.Size = s.rawSize
		}
		if s.offset == 0 || s.rawSize == 0 { // nothing in the file: zeros
			s.offset, s.rawSize = 0, 0
		}
		s.fileSize = min(s.rawSize, s.Size)
		f.Sections = append(f.Sections, s)
	}
	return nil
}

// sectionName resolves /123, an offset into the string table behind the COFF
// symbols, which mingw-w64 uses for names longer than eight characters.
func (f *File) sectionName(raw []byte, names string) string {
	raw, _, _ = bytes.Cut(raw, []byte{0})
	name := string(raw)
	if rest, ok := strings.CutPrefix(name, "/"); ok {
		if n, err := strconv.ParseUint(rest, 10, 32); err == nil {
			if long := nameAt(names, n); long != "" {
				name = long
			}
		}
	}
	return printable(name)
}

// stringTable returns the strings behind the COFF symbols; offsets count from
// its length field. "" if there is none.
func (f *File) stringTable() string {
	at := uint64(f.symtab) + uint64(f.symbols)*coffSymbol
	if f.symtab == 0 || at+4 > uint64(len(f.data)) {
		return ""
	}
	c := cursor{data: f.data, pos: int(at)}
	size := uint64(c.u32())
	return string(f.data[at:min(at+size, uint64(len(f.data)))])
}

// parseSections checks each section by itself.
func (f *File) parseSections() *Error {
	for i := range f.Sections {
		s := &f.Sections[i]
		switch {
		case s.RVA%f.alignment != 0 || s.RVA < f.HeaderSize:
			return f.fail(-1, hintDamaged, "section %s starts at 0x%X, inside the headers or not at a multiple of 0x%X", s.Name, s.RVA, f.alignment)
		case uint64(s.RVA)+uint64(s.Size) > uint64(f.Size):
			return f.fail(-1, hintDamaged, "section %s (0x%X bytes at 0x%X) does not fit into the image of 0x%X bytes", s.Name, s.Size, s.RVA, f.Size)
		case s.rawSize == 0:
		case uint64(s.offset)+uint64(s.rawSize) > uint64(len(f.data)):
			return f.fail(int64(len(f.data)), hintCopy, "section %s takes 0x%X bytes at offset 0x%X, the file ends at 0x%X", s.Name, s.rawSize, s.offset, len(f.data))
		case s.offset%min(f.alignment, 512) != 0:
			return f.fail(int64(s.offset), hintDamaged, "section %s starts at file offset 0x%X, not at the start of a disk sector", s.Name, s.offset)
		}
	}
	return nil
}

// checkLayout checks sections against each other: in memory each starts where
// the one before ends, as the Windows loader demands; in the file they do not
// overlap.
func (f *File) checkLayout() *Error {
	up := func(n uint32) uint32 { return (n + f.alignment - 1) &^ (f.alignment - 1) }
	next := up(f.HeaderSize)
	for i := range f.Sections {
		s := &f.Sections[i]
		if s.RVA < next {
			return f.fail(-1, hintDamaged, "section %s at 0x%X overlaps what is before it, which ends at 0x%X", s.Name, s.RVA, next)
		}
		if s.RVA > next {
			return f.fail(-1, "Windows refuses such an image; do not remove sections after linking",
				"there is a gap in the image before section %s: 0x%X to 0x%X", s.Name, next, s.RVA)
		}
		next = up(s.RVA + s.Size)
	}
	order := make([]*Section, 0, len(f.Sections))
	for i := range f.Sections {
		if s := &f.Sections[i]; s.fileSize > 0 {
			order = append(order, s)
		}
	}
	slices.SortStableFunc(order, func(a, b *Section) int { return cmp.Compare(a.offset, b.offset) })
	for i := 1; i < len(order); i++ {
		if a, b := order[i-1], order[i]; b.offset-a.offset < a.fileSize {
			return f.fail(int64(b.offset), hintDamaged, "sections %s and %s overlap in the file", a.Name, b.Name)
		}
	}
	return nil
}

// checkEntry makes sure that the image can be entered.
func (f *File) checkEntry() *Error {
	if f.EntryRVA == 0 {
		return f.fail(-1, "name DriverEntry (or GsDriverEntry, FxDriverEntry) to the linker: /entry", "the image has no entry point")
	}
	s := f.SectionAt(f.EntryRVA)
	if s == nil {
		return f.fail(-1, hintDamaged, "the entry point 0x%X is in no section", f.EntryRVA)
	}
	if !s.Executable() || s.Debug() || f.EntryRVA-s.RVA >= s.fileSize {
		return f.fail(f.fileOffset(f.EntryRVA), hintDamaged, "the entry point 0x%X is in section %s, where no code is", f.EntryRVA, s.Name)
	}
	return nil
}
