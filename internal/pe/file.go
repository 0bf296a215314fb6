package pe

import (
	"bytes"
	"slices"
)

// Limits on what a driver file may contain.
const (
	MaxImage    = 256 << 20 // bytes mapped
	MaxFile     = 1 << 30
	maxSections = 96 // as the Windows loader allows
	maxImports  = 1 << 16
	maxExports  = 1 << 16
	maxDLLs     = 512
)

const pageSize = 4096

// File is a driver file. Addresses in it are RVAs (relative to the base of the
// image), unless they are called addresses.
type File struct {
	Name string

	ImageBase          uint64 // where the linker assumed it would be
	Size               uint32 // of the image, in bytes, whole pages
	EntryRVA           uint32
	HeaderSize         uint32
	TimeDateStamp      uint32
	Checksum           uint32 // as the header says; 0: none. See ChecksumOK
	Characteristics    uint16
	DLLCharacteristics uint16
	Linker             [2]uint8  // version: major, minor
	OSVersion          [2]uint16 // lowest version of Windows: subsystem version, major, minor
	Subsystem          uint16

	Sections []Section
	Imports  []Import
	Exports  []Export
	Config   LoadConfig
	CodeView *CodeView    // nil: the file names no PDB
	Version  *VersionInfo // nil: no version resource
	Signed   bool         // there is a certificate table; nobody checks it

	// Warnings are mistakes in parts that a driver runs without.
	Warnings []*Error

	data      []byte
	dirs      [numDirectories]directory
	alignment uint32 // of sections
	relocs    []uint32
	functions []RuntimeFunction
	symtab    uint32 // file offset of the COFF symbol table; 0: none
	symbols   uint32 // its length in records
	text      int    // bytes of names read so far
}

// Parse reads a driver file. data must not change afterwards. An error is an
// *Error.
func Parse(name string, data []byte) (*File, error) {
	f := &File{Name: name, data: data}
	if err := f.parse(); err != nil {
		return nil, err
	}
	return f, nil
}

// parse returns error, not *Error, so that nil stays nil.
func (f *File) parse() error {
	steps := []func() *Error{
		f.parseHeaders, f.parseSections, f.checkLayout, f.checkKind, f.checkEntry,
		f.parseImports, f.parseExports, f.parseRelocations, f.parseLoadConfig,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	// Windows runs drivers with mistakes in these.
	for _, step := range []func() *Error{f.parseFunctions, f.parseDebugDirectory, f.parseVersion, f.checkRest} {
		f.warn(step())
	}
	return nil
}

// checkRest looks at what is present but of no use here.
func (f *File) checkRest() *Error {
	f.Signed = f.dirs[dirSecurity].size != 0
	if d := f.dirs[dirTLS]; d.rva != 0 {
		return f.fail(f.fileOffset(d.rva), "keep per-thread data elsewhere",
			"the driver has thread-local storage, which Windows does not set up for drivers")
	}
	if f.Checksum != 0 && !f.ChecksumOK() {
		return f.fail(int64(f.checksumAt()), "Windows refuses it at boot; link with /release, or sign it again",
			"the checksum in the header is 0x%X, that of the file is 0x%X", f.Checksum, f.fileChecksum())
	}
	return nil
}

// SectionAt returns the section that holds rva, nil if there is none.
func (f *File) SectionAt(rva uint32) *Section {
	i, found := slices.BinarySearchFunc(f.Sections, rva, func(s Section, rva uint32) int {
		switch {
		case rva < s.RVA:
			return 1
		case rva-s.RVA >= s.Size:
			return -1
		}
		return 0
	})
	if !found {
		return nil
	}
	return &f.Sections[i]
}

// at returns what the file holds from rva to the end of its section; nil if
// the file holds nothing there.
func (f *File) at(rva uint32) []byte {
	if rva < f.HeaderSize {
		return f.data[rva:f.HeaderSize:f.HeaderSize]
	}
	s := f.SectionAt(rva)
	if s == nil || rva-s.RVA >= s.fileSize {
		return nil
	}
	end := s.offset + s.fileSize
	return f.data[s.offset+rva-s.RVA : end : end]
}

// within reports whether n bytes at rva lie in one section.
func (f *File) within(rva, n uint32) bool {
	s := f.SectionAt(rva)
	return s != nil && n <= s.Size-(rva-s.RVA)
}

// loaded reports whether n bytes at rva lie in one section that Load maps.
func (f *File) loaded(rva, n uint32) bool { return f.within(rva, n) && !f.SectionAt(rva).Debug() }

// stringAt returns the string at rva if it is one. What the section has beyond
// the file is zero and ends it. All strings together are not much longer than
// the file, unless it uses one many times.
func (f *File) stringAt(rva uint32) (string, bool) {
	b := f.at(rva)
	n := bytes.IndexByte(b[:min(len(b), maxName+1)], 0)
	if n < 0 {
		s := f.SectionAt(rva)
		if s == nil || len(b) > maxName || s.Size <= s.fileSize {
			return "", false
		}
		n = len(b)
	}
	if f.text += n; f.text > 4*len(f.data) {
		return "", false
	}
	return string(b[:n]), true
}

// fileOffset returns where in the file rva is, -1 if it is not there.
func (f *File) fileOffset(rva uint32) int64 {
	if rva < f.HeaderSize {
		return int64(rva)
	}
	if s := f.SectionAt(rva); s != nil && rva-s.RVA < s.fileSize {
		return int64(s.offset) + int64(rva-s.RVA)
	}
	return -1
}
