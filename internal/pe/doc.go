// Package pe reads Windows driver files (.sys): PE32+ images for x86-64 with
// the native subsystem. It parses them, maps them into simulated memory, finds
// names and source lines for addresses in them, and unwinds their stack frames.
//
// Read first: File and Parse (file.go) with the checks in header.go and
// section.go, then load.go (how a File becomes an Image in memory). The parts
// behind them are one file each:
//
//	imports.go exports.go reloc.go loadconfig.go debugdir.go version.go
//	    one data directory each
//	pdata.go unwind.go epilogue.go
//	    functions, unwind codes, one stack frame up
//	symbols.go  what a name and a line are; merges what the readers below find
//	    coff.go dwarf*.go  mingw-w64 and clang: symbol table, debugging entries, line programs
//	    msf.go pdb*.go     MSVC and clang: the container, symbols, lines, types
//	types.go  the name of a field at an offset of a type, of a part of a variable
//	summary.go kind.go     what `dirql inspect` shows
//
// Rules that hold inside:
//   - A file is hostile until shown otherwise. Every count and offset in it is
//     checked against what it indexes before use; nothing panics, every loop
//     consumes input or a bounded count, and memory is bounded by a small
//     multiple of the file size (the mapped image by MaxImage).
//   - What makes a driver unloadable is an *Error from Parse: file, fact, offset,
//     hint. What only makes reports poorer (debug information, version resource,
//     unwind data) is a warning in File.Warnings and does not stop anybody.
//   - Nothing here executes or interprets guest code; epilogue.go recognises the
//     few instructions of an epilogue by their bytes.
//   - The File does not change after Parse; an Image adds addresses to it.
//
// The format is that of "PE Format" and "x64 exception handling" in the
// Windows documentation; PDB facts are those of microsoft-pdb (cvinfo.h) and
// of LLVM's "The PDB File Format".
package pe
