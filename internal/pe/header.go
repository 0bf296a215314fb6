package pe

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Directories that matter here, by index ("Optional Header Data Directories").
const (
	dirExport      = 0
	dirImport      = 1
	dirResource    = 2
	dirException   = 3
	dirSecurity    = 4
	dirReloc       = 5
	dirDebug       = 6
	dirTLS         = 9
	dirLoadConfig  = 10
	dirDelayImport = 13
	dirCLR         = 14
	numDirectories = 16
)

// directory is a place in the image; the security directory has a file offset.
type directory struct{ rva, size uint32 }

// Bits of Characteristics and DLLCharacteristics.
const (
	relocsStripped  = 0x0001
	executableImage = 0x0002

	GuardCF = 0x4000 // DLLCharacteristics: built with control flow guard
)

const (
	machineAMD64    = 0x8664
	magicPE32       = 0x10B
	magicPE32Plus   = 0x20B
	subsystemNative = 1

	coffHeader     = 20
	optionalHeader = 112 // without the directories
	sectionHeader  = 40
)

var machines = map[uint16]string{
	0x014C: "32-bit x86", 0x01C4: "32-bit ARM", 0x01C0: "32-bit ARM", 0xAA64: "ARM64", 0xA641: "ARM64EC",
	0xA64E: "ARM64X", 0x0200: "Itanium", 0x0EBC: "EFI byte code", 0x5032: "32-bit RISC-V", 0x5064: "64-bit RISC-V",
	0x6264: "LoongArch64", 0x01F0: "PowerPC", 0x0166: "MIPS", 0x01A2: "SuperH",
}

// parseHeaders reads the DOS, COFF and optional headers.
func (f *File) parseHeaders() *Error {
	if len(f.data) > MaxFile {
		return f.fail(-1, "is it really a driver?", "the file has %d bytes, more than dirql reads (%d)", len(f.data), MaxFile)
	}
	pe, err := f.findPE()
	if err != nil {
		return err
	}
	c := cursor{data: f.data, pos: pe + 4}
	machine := c.u16()
	sections := c.u16()
	f.TimeDateStamp, f.symtab, f.symbols = c.u32(), c.u32(), c.u32()
	optional := int(c.u16())
	f.Characteristics = c.u16()
	magic := c.u16()
	if c.bad {
		return f.fail(int64(pe), hintCopy, "the file ends inside its headers")
	}
	if err := f.checkMachine(pe, machine, magic); err != nil {
		return err
	}
	if f.Characteristics&executableImage == 0 {
		return f.fail(int64(pe)+22, "look at the linker's messages: it marks an image with errors so", "the image is marked as not executable")
	}
	if optional < optionalHeader || optional-2 > c.left() {
		return f.fail(int64(pe)+20, hintCopy, "the optional header has %d bytes, it needs %d or more and the file has %d",
			optional, optionalHeader, c.left()+2)
	}
	table := c.pos - 2 + optional
	if err := f.parseOptional(cursor{data: f.data[:table], pos: c.pos}); err != nil {
		return err
	}
	return f.readSections(table, int(sections))
}

// findPE returns the offset of the PE signature.
func (f *File) findPE() (int, *Error) {
	if len(f.data) == 0 {
		return 0, f.fail(-1, hintCopy, "the file is empty")
	}
	if !bytes.HasPrefix(f.data, []byte("MZ")) {
		what, hint := describe(f.data)
		return 0, f.fail(0, hint, "not a driver: %s", what)
	}
	if len(f.data) < 64 {
		return 0, f.fail(-1, hintCopy, "the file has only %d bytes of its first header", len(f.data))
	}
	at := binary.LittleEndian.Uint32(f.data[60:])
	if uint64(at)+4+coffHeader > uint64(len(f.data)) {
		if at == 0 || at > 1<<20 {
			return 0, f.fail(60, "give the .sys file of a Windows driver for x86-64", "not a driver: a DOS program")
		}
		return 0, f.fail(60, hintCopy, "the file ends before its PE header at offset 0x%X", at)
	}
	if sig := f.data[at : at+4]; string(sig) != "PE\x00\x00" {
		what := "a DOS program"
		switch string(sig[:2]) {
		case "NE":
			what = "a program for 16-bit Windows or OS/2 (NE)"
		case "LE":
			what = "a virtual device driver of Windows 95 (LE)"
		case "LX":
			what = "a program for OS/2 (LX)"
		}
		return 0, f.fail(int64(at), "give the .sys file of a Windows driver for x86-64", "not a driver: %s", what)
	}
	return int(at), nil
}

func (f *File) checkMachine(pe int, machine, magic uint16) *Error {
	const hint = "build the driver for x64 (msbuild /p:Platform=x64), or take the file from its amd64 folder"
	if machine != machineAMD64 {
		name := machines[machine]
		if name == "" {
			name = "an unknown machine"
		}
		return f.fail(int64(pe)+4, hint, "the driver is for %s (machine 0x%04X), dirql runs x86-64", name, machine)
	}
	if magic == magicPE32 {
		return f.fail(int64(pe)+24, hint, "the image is 32-bit (PE32), dirql runs x86-64 (PE32+)")
	}
	if magic != magicPE32Plus {
		return f.fail(int64(pe)+24, hintDamaged, "unknown kind of optional header: 0x%X", magic)
	}
	return nil
}

// parseOptional reads the optional header; c is behind its magic number.
func (f *File) parseOptional(c cursor) *Error {
	start := int64(c.pos) - 2
	f.Linker = [2]uint8{c.u8(), c.u8()}
	c.skip(12)
	f.EntryRVA = c.u32()
	c.skip(4)
	f.ImageBase = c.u64()
	f.alignment = c.u32()
	fileAlignment := c.u32()
	c.skip(8)
	f.OSVersion = [2]uint16{c.u16(), c.u16()}
	c.skip(4)
	size := c.u32()
	f.HeaderSize = c.u32()
	f.Checksum = c.u32()
	f.Subsystem, f.DLLCharacteristics = c.u16(), c.u16()
	c.skip(36)
	count := c.u32()
	if count > numDirectories || int(count)*8 > c.left() {
		return f.fail(start+108, hintDamaged, "the header announces %d data directories, there is room for %d", count, min(c.left()/8, numDirectories))
	}
	for i := range count {
		f.dirs[i] = directory{c.u32(), c.u32()}
	}
	switch {
	case !powerOfTwo(f.alignment) || !powerOfTwo(fileAlignment) || fileAlignment > f.alignment,
		f.alignment < pageSize && f.alignment != fileAlignment, f.alignment > MaxImage, fileAlignment > 1<<16:
		return f.fail(start+32, hintDamaged, "impossible alignment of sections: %d in memory, %d in the file", f.alignment, fileAlignment)
	case f.ImageBase&0xFFFF != 0:
		return f.fail(start+24, "link with a base that is a multiple of 64 KB", "the image base 0x%X is not a multiple of 64 KB", f.ImageBase)
	case size == 0 || size > MaxImage:
		return f.fail(start+56, "dirql maps images of up to 256 MB", "the image would take %d bytes of memory", size)
	case f.HeaderSize > size || int64(f.HeaderSize) > int64(len(f.data)):
		return f.fail(start+60, hintCopy, "the headers take 0x%X bytes, more than the file (0x%X) or the image (0x%X) has",
			f.HeaderSize, len(f.data), size)
	}
	f.Size = (size + pageSize - 1) &^ (pageSize - 1)
	return nil
}

func powerOfTwo(n uint32) bool { return n != 0 && n&(n-1) == 0 }

// describe says what a file is that does not start with MZ, and what to give
// instead.
func describe(data []byte) (what, hint string) {
	hint = "give the .sys file of a Windows driver for x86-64"
	has := func(prefix string) bool { return bytes.HasPrefix(data, []byte(prefix)) }
	switch {
	case has("\x7fELF"):
		return "an ELF file (Linux)", hint
	case has("\xCF\xFA\xED\xFE") || has("\xCA\xFE\xBA\xBE"):
		return "a Mach-O file (macOS)", hint
	case has(msfMagic):
		return "a PDB (debug information)", "give the .sys file; the PDB next to it is found by itself"
	case has("!<arch>\n"):
		return "a library", "link it into a driver first"
	case has("\x64\x86"):
		return "an object file for x86-64", "link it into a driver first"
	case has("\x4C\x01") || has("\x64\xAA"):
		return "an object file for another machine", "build the driver for x64 and link it"
	case has("PK\x03\x04"):
		return "a ZIP archive", "unpack it and give the .sys file in it"
	case has("MSCF"):
		return "a cabinet", "unpack it (expand, cabextract) and give the .sys file in it"
	case has("\x30\x82") || has("\x30\x83"):
		return "a security catalogue or certificate", hint
	case textual(data):
		return "a text file", hint + ", not its .inf or source"
	}
	return fmt.Sprintf("it starts with bytes % X, not with MZ", data[:min(len(data), 4)]), hint
}

// textual reports whether data looks like text (ASCII, UTF-8, or UTF-16 as .inf
// files often are).
func textual(data []byte) bool {
	if bytes.HasPrefix(data, []byte("\xFF\xFE")) || bytes.HasPrefix(data, []byte("\xEF\xBB\xBF")) {
		return true
	}
	for _, b := range data[:min(len(data), 64)] {
		if b < 0x20 && b != '\t' && b != '\r' && b != '\n' || b >= 0x7F {
			return false
		}
	}
	return true
}
