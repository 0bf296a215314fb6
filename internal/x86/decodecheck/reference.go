package main

import (
	"bufio"
	"debug/elf"
	"debug/pe"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"github.com/dirql/dirql/internal/x86"
)

// instruction is what a disassembler says is at an address. Text is in Intel's
// syntax, "(bad)" for bytes that are no instruction.
type instruction struct {
	addr uint64
	code []byte
	text string
}

// reference is another disassembler.
type reference interface {
	name() string
	// disassemble calls f for each instruction of the executable sections, until it
	// returns false.
	disassemble(file string, f func(instruction) bool) error
}

// gnu is GNU objdump.
type gnu struct {
	program string
	options []string // what to disassemble
}

func (g gnu) name() string { return "objdump" }

func (g gnu) disassemble(file string, f func(instruction) bool) error {
	cmd := exec.Command(g.program, append(slices.Clone(g.options), "-w", "-M", "intel", file)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if in, ok := parseLine(lines.Text()); ok && !f(in) {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return nil
		}
	}
	return cmd.Wait()
}

// parseLine parses a line like "  401000:	48 89 e5 	mov    rbp,rsp".
func parseLine(line string) (instruction, bool) {
	column := strings.SplitN(line, "\t", 3)
	if len(column) < 3 {
		return instruction{}, false
	}
	addr, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(column[0]), ":"), 16, 64)
	if err != nil {
		return instruction{}, false
	}
	code, err := hex.DecodeString(strings.ReplaceAll(column[1], " ", ""))
	return instruction{addr, code, column[2]}, err == nil && len(code) > 0
}

// arch is golang.org/x/arch/x86/x86asm.
type arch struct{}

func (arch) name() string { return "golang.org/x/arch" }

func (arch) disassemble(file string, f func(instruction) bool) error {
	sections, err := code(file)
	if err != nil {
		return err
	}
	for _, s := range sections {
		for at := 0; at+16 <= len(s.data); {
			window := s.data[at : at+16]
			in, err := x86asm.Decode(window, 64)
			if err != nil || mistaken(window) {
				at += lengthOf(window)
				continue
			}
			addr := s.addr + uint64(at)
			if !f(instruction{addr, window[:in.Len], x86asm.IntelSyntax(in, addr, nil)}) {
				return nil
			}
			at += in.Len
		}
	}
	return nil
}

// lengthOf is the length of an instruction that x86asm does not know: ours, or 1.
func lengthOf(window []byte) int {
	if in, err := x86.Decode(window, 0); err == nil || in.Name != "" {
		return in.Len
	}
	return 1
}

// mistakes are first bytes of instructions (behind prefixes) whose
// length x86asm gets wrong, without an error.
var mistakes = []string{
	"\x0F\x1E",             // ENDBR64, RDSSP: hint space
	"\x0F\x38\xF6",         // ADCX, ADOX
	"\x0F\x38\xF5",         // WRUSS
	"\x0F\xC7",             // RDPID, RDSEED
	"\x0F\x20", "\x0F\x21", // moves of control and debug registers, whose mod
	"\x0F\x22", "\x0F\x23", // does not count
	"\x0F\x01",             // RDPKRU, WRPKRU, CLAC, STAC, MONITOR, MWAIT
	"\x0F\xAE",             // CLWB, INCSSP
	"\x0F\x1A", "\x0F\x1B", // BND
	"\x0F\x19", "\x0F\x1C", "\x0F\x1D", // hint space
}

// mistaken reports whether x86asm is no reference for an instruction: those
// above, and VEX and EVEX.
func mistaken(code []byte) bool {
	for len(code) > 4 && (strings.IndexByte("\x66\xF2\xF3\x64\x65\x26\x2E\x36\x3E", code[0]) >= 0 || code[0]&0xF0 == 0x40) {
		code = code[1:]
	}
	if code[0] == 0xC4 || code[0] == 0xC5 || code[0] == 0x62 {
		return true
	}
	for _, m := range mistakes {
		if strings.HasPrefix(string(code), m) {
			return true
		}
	}
	return false
}

// section is a part of a file with code.
type section struct {
	addr uint64
	data []byte
}

// code returns the executable sections of a program.
func code(file string) ([]section, error) {
	if f, err := elf.Open(file); err == nil {
		defer f.Close()
		return elfCode(f)
	}
	f, err := pe.Open(file)
	if err != nil {
		return nil, fmt.Errorf("neither an ELF nor a PE file")
	}
	defer f.Close()
	return peCode(f)
}

func elfCode(f *elf.File) (sections []section, err error) {
	if f.Machine != elf.EM_X86_64 {
		return nil, fmt.Errorf("for %s", f.Machine)
	}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_EXECINSTR == 0 || s.Type == elf.SHT_NOBITS {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return nil, err
		}
		sections = append(sections, section{s.Addr, data})
	}
	return sections, nil
}

func peCode(f *pe.File) (sections []section, err error) {
	h, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 {
		return nil, fmt.Errorf("for another processor")
	}
	for _, s := range f.Sections {
		if s.Characteristics&pe.IMAGE_SCN_CNT_CODE == 0 {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return nil, err
		}
		sections = append(sections, section{h.ImageBase + uint64(s.VirtualAddress), data})
	}
	return sections, nil
}

// span is a range of addresses.
type span struct{ from, to uint64 }

// functions returns the functions of a PE file that its unwind information
// names: between them are tables and strings, too. nil for an ELF file, which
// has only code in such sections.
func functions(file string) ([]span, error) {
	f, err := pe.Open(file)
	if err != nil {
		return nil, nil // an ELF file
	}
	defer f.Close()
	h, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || len(h.DataDirectory) <= pe.IMAGE_DIRECTORY_ENTRY_EXCEPTION {
		return nil, fmt.Errorf("for another processor")
	}
	dir := h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXCEPTION]
	spans := []span{}
	for _, s := range f.Sections {
		if dir.VirtualAddress < s.VirtualAddress || dir.VirtualAddress >= s.VirtualAddress+s.VirtualSize {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return nil, err
		}
		data = data[min(int(dir.VirtualAddress-s.VirtualAddress), len(data)):]
		for data = data[:min(int(dir.Size), len(data))]; len(data) >= 12; data = data[12:] {
			from, to := binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint32(data[4:])
			spans = append(spans, span{h.ImageBase + uint64(from), h.ImageBase + uint64(to)})
		}
	}
	return spans, nil
}
