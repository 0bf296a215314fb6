package x86

import (
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// Text returns the first instruction of some code in Intel's syntax, and its
// length. It is for reports: also what is not executed has a text. Operands come
// from golang.org/x/arch, where it agrees on the length; else there is only the
// mnemonic, and of AVX and its like only the name of the extension.
func Text(code []byte, addr uint64) (string, int) {
	in, err := Decode(code, addr)
	if in.Name == "" {
		return extension(code, err), min(len(code), maxLength)
	}
	theirs, err := x86asm.Decode(code[:min(len(code), maxLength)], 64)
	if err != nil || theirs.Len != in.Len {
		return strings.ToLower(in.Name), in.Len
	}
	return x86asm.IntelSyntax(theirs, addr, nil), in.Len
}

// extension names what bytes belong to that the table has no row for.
func extension(code []byte, err error) string {
	for len(code) > 1 && isPrefix(code[0]) {
		code = code[1:]
	}
	switch {
	case err != ErrUnsupported || len(code) == 0:
		return "no instruction"
	case code[0] == 0x62:
		return "AVX-512"
	case code[0] == 0x8F:
		return "XOP"
	}
	return "AVX"
}
