package pe

import "fmt"

// Error is a mistake in a driver or symbol file: it is the user's to mend.
type Error struct {
	File   string
	What   string // the fact
	Offset int64  // where in the file; negative: the file as a whole
	Hint   string // what to do about it; may be empty
}

// Error returns "file: what (offset 0x..); hint".
func (e *Error) Error() string {
	text := e.File + ": " + e.What
	if e.Offset >= 0 {
		text += fmt.Sprintf(" (file offset 0x%X)", e.Offset)
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Hints that several mistakes share.
const (
	hintDamaged = "the file is damaged or was not made by a Windows linker: get or build it again"
	hintCopy    = "the file is incomplete: copy or build it again"
)

// fail makes an error about a place in the file.
func (f *File) fail(offset int64, hint, format string, args ...any) *Error {
	return &Error{File: f.Name, What: fmt.Sprintf(format, args...), Offset: offset, Hint: hint}
}

// damaged makes an error about a place in the image.
func (f *File) damaged(rva uint32, format string, args ...any) *Error {
	return f.fail(f.fileOffset(rva), hintDamaged, format, args...)
}

// warn notes a mistake that does not keep the driver from running.
func (f *File) warn(e *Error) {
	if e != nil && len(f.Warnings) < maxWarnings {
		f.Warnings = append(f.Warnings, e)
	}
}

// maxWarnings bounds what a hostile file can make us say.
const maxWarnings = 32
