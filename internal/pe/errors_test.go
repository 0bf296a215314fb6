package pe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/mem"
)

// patch is a test driver that is changed at places that have names.
type patch struct {
	t    testing.TB
	data []byte
	f    *File // as it was before
}

func (p *patch) pe() int { return int(binary.LittleEndian.Uint32(p.data[60:])) }

// header sets n bytes at an offset from the PE signature: 4 the machine, 24 the
// optional header.
func (p *patch) header(offset, n int, v uint64) { p.put(p.pe()+offset, n, v) }

func (p *patch) put(at, n int, v uint64) {
	for i := range n {
		p.data[at+i] = byte(v >> (8 * i))
	}
}

// directory sets a data directory.
func (p *patch) directory(i int, rva, size uint64) {
	p.header(24+optionalHeader+8*i, 4, rva)
	p.header(24+optionalHeader+8*i+4, 4, size)
}

// section sets a field of a section header: 8 size, 12 rva, 16 raw size, 20 offset, 36 flags.
func (p *patch) section(name string, field int, v uint64) {
	p.t.Helper()
	for i := range p.f.Sections {
		if p.f.Sections[i].Name == name {
			p.header(24+240+40*i+field, 4, v)
			return
		}
	}
	p.t.Fatal("no section", name)
}

// image sets n bytes at an RVA.
func (p *patch) image(rva uint32, n int, v uint64) { p.put(int(p.f.fileOffset(rva)), n, v) }

// dir returns the RVA of a data directory.
func (p *patch) dir(i int) uint32 { return p.f.dirs[i].rva }

func (p *patch) replace(from, to string) {
	if len(from) != len(to) || !bytes.Contains(p.data, []byte(from)) {
		p.t.Fatal("cannot replace", from)
	}
	p.data = bytes.ReplaceAll(p.data, []byte(from), []byte(to))
}

// attacks are changes of a driver and a part of the message that each gives.
var attacks = []struct {
	name    string
	fixture string
	do      func(p *patch)
	want    string
}{
	{"ARM64", "clang", func(p *patch) { p.header(4, 2, 0xAA64) }, "is for ARM64 (machine 0xAA64), dirql runs x86-64 (file offset 0x7C); build the driver for x64"},
	{"x86", "clang", func(p *patch) { p.header(4, 2, 0x14C) }, "is for 32-bit x86"},
	{"unknown machine", "clang", func(p *patch) { p.header(4, 2, 0x1234) }, "is for an unknown machine (machine 0x1234)"},
	{"PE32", "clang", func(p *patch) { p.header(24, 2, 0x10B) }, "32-bit (PE32)"},
	{"magic", "clang", func(p *patch) { p.header(24, 2, 0x107) }, "unknown kind of optional header: 0x107"},
	{"not linked", "clang", func(p *patch) { p.header(22, 2, 0x20) }, "marked as not executable"},
	{"no optional header", "clang", func(p *patch) { p.header(20, 2, 0) }, "the optional header has 0 bytes"},
	{"long optional header", "clang", func(p *patch) { p.header(20, 2, 0xFFFF) }, "the optional header has 65535 bytes"},
	{"directories", "clang", func(p *patch) { p.header(24+108, 4, 1<<31) }, "announces 2147483648 data directories"},
	{"no sections", "clang", func(p *patch) { p.header(6, 2, 0) }, "has 0 sections"},
	{"many sections", "clang", func(p *patch) { p.header(6, 2, 97) }, "has 97 sections"},
	{"sections beyond headers", "clang", func(p *patch) { p.header(6, 2, 96) }, "beyond the headers"},
	{"section alignment", "clang", func(p *patch) { p.header(24+32, 4, 3) }, "impossible alignment of sections: 3"},
	{"no alignment", "clang", func(p *patch) { p.header(24+32, 4, 0) }, "impossible alignment"},
	{"base", "clang", func(p *patch) { p.header(24+24, 8, 0x1234) }, "not a multiple of 64 KB"},
	{"huge image", "clang", func(p *patch) { p.header(24+56, 4, 0xFFFFFFFF) }, "would take 4294967295 bytes"},
	{"empty image", "clang", func(p *patch) { p.header(24+56, 4, 0) }, "would take 0 bytes"},
	{"huge headers", "clang", func(p *patch) { p.header(24+60, 4, 0x8000) }, "the headers take 0x8000 bytes"},
	{"section in headers", "clang", func(p *patch) { p.section(".text", 12, 0) }, "section .text starts at 0x0, inside the headers"},
	{"section not aligned", "clang", func(p *patch) { p.section(".text", 12, 0x1010) }, "not at a multiple of 0x1000"},
	{"section beyond image", "clang", func(p *patch) { p.section(".reloc", 8, 0xFFFFF000) }, "does not fit into the image"},
	{"section beyond file", "clang", func(p *patch) { p.section(".data", 16, 1<<24) }, "the file ends at"},
	{"section far beyond file", "clang", func(p *patch) { p.section(".data", 20, 0xFFFFFE00) }, "the file ends at"},
	{"section not at a sector", "clang", func(p *patch) { p.section(".data", 20, 0x601) }, "not at the start of a disk sector"},
	{"sections overlap", "clang", func(p *patch) { p.section(".data", 12, 0x2000) }, "section .data at 0x2000 overlaps"},
	{"sections overlap by size", "clang", func(p *patch) { p.section(".text", 8, 0x1001) }, "section .rdata at 0x2000 overlaps"},
	{"sections overlap in file", "clang", func(p *patch) { p.section(".data", 20, 0x400) }, "overlap in the file"},
	{"gap", "clang", func(p *patch) { p.section(".text", 12, 0x2000); p.section(".rdata", 12, 0x4000) }, "gap in the image before section .text"},
	{"no entry", "clang", func(p *patch) { p.header(24+16, 4, 0) }, "no entry point"},
	{"entry nowhere", "clang", func(p *patch) { p.header(24+16, 4, 0x7FFFFFFF) }, "the entry point 0x7FFFFFFF is in no section"},
	{"entry in data", "clang", func(p *patch) { p.header(24+16, 4, 0x3000) }, "in section .data, where no code is"},
	{"entry behind code", "clang", func(p *patch) { p.header(24+16, 4, 0x1000+0xFF0) }, "in no section"},
	{"windows program", "clang", func(p *patch) { p.header(24+68, 2, 2) }, "not a driver: a user-mode program with windows"},
	{"console program", "clang", func(p *patch) { p.header(24+68, 2, 3) }, "a user-mode console program"},
	{"DLL", "gcc4", func(p *patch) { p.header(24+68, 2, 3) }, "a user-mode DLL"},
	{"EFI", "clang", func(p *patch) { p.header(24+68, 2, 11) }, "an EFI boot service driver"},
	{"unknown subsystem", "clang", func(p *patch) { p.header(24+68, 2, 77) }, "subsystem 77"},
	{"UMDF", "gcc4", func(p *patch) { p.header(24+68, 2, 2); p.replace("__security_cookie\x00", "FxDriverEntryUm__\x00") }, "a UMDF driver"},
	{"native program", "clang", func(p *patch) { p.replace("ntoskrnl.exe", "ntdll.dll\x00\x00\x00") }, "a native user-mode program (it imports ntdll.dll)"},
	{"imports nowhere", "clang", func(p *patch) { p.directory(dirImport, 0x7FFFFFF0, 8) }, "the import directory (at 0x7FFFFFF0) is not in the file"},
	{"imports without end", "clang", func(p *patch) { p.directory(dirImport, 0x2000+0x3F0, 8) }, "import directory"},
	{"import without name", "clang", func(p *patch) { p.image(p.dir(dirImport)+12, 4, 0x12345678) }, "import descriptor 0 has no name"},
	{"import list nowhere", "clang", func(p *patch) { p.image(p.dir(dirImport), 4, 0x12345678) }, "the list of imports from ntoskrnl.exe (at 0x12345678)"},
	{"import loop", "clang", func(p *patch) {
		for n := range uint32(2) { // both descriptors with the lists of the first
			p.image(p.dir(dirImport)+20*n, 4, uint64(binary.LittleEndian.Uint32(p.f.at(p.dir(dirImport)))))
			p.image(p.dir(dirImport)+20*n+16, 4, uint64(p.f.Imports[0].Slot))
		}
	}, "impossible slot"},
	{"import slot nowhere", "clang", func(p *patch) { p.image(p.dir(dirImport)+16, 4, 0x9000) }, "impossible slot, 0x9000"},
	{"import slot not aligned", "clang", func(p *patch) { p.image(p.dir(dirImport)+16, 4, 0x3001) }, "impossible slot, 0x3001"},
	{"import slot not loaded", "clang", func(p *patch) {
		p.replace(".rdata\x00\x00", ".debug_x")
		p.section(".rdata", 36, scnRead|scnDiscardable)
	}, "impossible slot, 0x21D8"},
	{"cookie not loaded", "clang", func(p *patch) {
		p.replace(".data\x00\x00\x00", ".debug_x")
		p.section(".data", 36, scnRead|scnDiscardable)
	}, "places the security cookie outside"},
	{"entry not loaded", "clang", func(p *patch) {
		p.replace("INIT\x00\x00\x00\x00", ".debug_x")
	}, "in section .debug_x, where no code is"},
	{"import name nowhere", "clang", func(p *patch) {
		p.image(binary.LittleEndian.Uint32(p.f.at(p.dir(dirImport))), 8, 0x7F000000)
	}, "has no name (entry 0x7F000000)"},
	{"import name with escape", "clang", func(p *patch) { p.replace("DbgPrint\x00", "Dbg\x1b[2J\x07\x00") }, "has no name"},
	{"exports nowhere", "gcc4", func(p *patch) { p.directory(dirExport, 0x7FFFFFF0, 40) }, "export directory"},
	{"many exports", "gcc4", func(p *patch) { p.image(p.dir(dirExport)+20, 4, 0xFFFFFFFF) }, "announces 4294967295 functions"},
	{"many export names", "gcc4", func(p *patch) { p.image(p.dir(dirExport)+24, 4, 0xFFFF) }, "announces 65535 names"},
	{"export nowhere", "gcc4", func(p *patch) { p.image(p.dir(dirExport)+40, 4, 0x100) }, "export DriverEntry lies outside the image"},
	{"export forwarded", "gcc4", func(p *patch) { p.image(p.dir(dirExport)+40, 4, uint64(p.dir(dirExport))) }, "is forwarded to nowhere"},
	{"relocations nowhere", "clang", func(p *patch) { p.directory(dirReloc, 0x8000, 0x10000) }, "the relocations (0x10000 bytes at 0x8000) are not in the file"},
	{"relocation block of no size", "clang", func(p *patch) { p.image(p.dir(dirReloc)+4, 4, 0) }, "a block of relocations has a size of 0 bytes"},
	{"relocation block too long", "clang", func(p *patch) { p.image(p.dir(dirReloc)+4, 4, 0xFFFFFFFE) }, "a size of 4294967294 bytes"},
	{"relocation HIGHLOW", "clang", func(p *patch) { p.image(p.dir(dirReloc)+8, 2, 0x3058) }, "a kind that does not occur on x86-64: HIGHLOW"},
	{"relocation of unknown kind", "clang", func(p *patch) { p.image(p.dir(dirReloc)+8, 2, 0xF058) }, "type 15"},
	{"relocation in header", "clang", func(p *patch) { p.image(p.dir(dirReloc), 4, 0) }, "outside the sections of the image, at 0x58"},
	{"relocation over the end", "clang", func(p *patch) { p.image(p.dir(dirReloc)+8, 2, 0xAFFC) }, "outside the sections"},
	{"configuration nowhere", "clang", func(p *patch) { p.directory(dirLoadConfig, 0x7FFFF000, 8) }, "load configuration"},
	{"configuration too long", "clang", func(p *patch) { p.image(p.dir(dirLoadConfig), 4, 0x7FFFFFFF) }, "load configuration (2147483647 bytes"},
	{"cookie nowhere", "clang", func(p *patch) { p.image(p.dir(dirLoadConfig)+0x58, 8, 0x140FFFFFF) }, "places the security cookie outside the image, at 0x140FFFFFF"},
	{"cookie over the end", "clang", func(p *patch) { p.image(p.dir(dirLoadConfig)+0x58, 8, 0x140003CBC) }, "places the security cookie outside"},
}

func TestAttacks(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			p := &patch{t: t, data: fixture(t, a.fixture+".sys"), f: parseFixture(t, a.fixture+".sys")}
			a.do(p)
			checkError(t, p.data, a.want)
		})
	}
}

func checkError(t *testing.T, data []byte, want string) {
	t.Helper()
	_, err := Parse("some.sys", data)
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "some.sys: ") {
		t.Errorf("got %v\nwant ...%s...", err, want)
	}
	if e != nil && e.Hint == "" {
		t.Error("no hint:", err)
	}
}

// TestNotDrivers gives files that do not even start like one.
func TestNotDrivers(t *testing.T) {
	dos := append([]byte("MZ"), make([]byte, 200)...)
	with := func(sig string) []byte {
		b := bytes.Clone(dos)
		b[60] = 64
		copy(b[64:], sig)
		return b
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "the file is empty"},
		{[]byte("MZ"), "only 2 bytes of its first header"},
		{dos, "a DOS program"},
		{with("NE"), "16-bit Windows"},
		{with("LE"), "Windows 95"},
		{with("LX"), "OS/2"},
		{with("XX"), "a DOS program"},
		{with("PE\x00\x00"), "is for an unknown machine"},
		{[]byte("\x7fELF\x02\x01"), "an ELF file"},
		{[]byte("\xCF\xFA\xED\xFE"), "a Mach-O file"},
		{fixture(t, "clang.pdb"), "a PDB"},
		{[]byte("!<arch>\n"), "a library"},
		{[]byte("\x64\x86\x05\x00"), "an object file for x86-64"},
		{[]byte("PK\x03\x04"), "a ZIP archive"},
		{[]byte("MSCF\x00"), "a cabinet"},
		{[]byte("\x30\x82\x10\x00"), "a security catalogue"},
		{[]byte("[Version]\r\nSignature=\"$Windows NT$\"\r\n"), "a text file"},
		{[]byte("\xFF\xFE;\x00"), "a text file"},
		{[]byte{1, 2, 3, 4, 5}, "it starts with bytes 01 02 03 04"},
	} {
		checkError(t, c.data, c.want)
	}
}

// TestWarnings breaks what a driver runs without.
func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(p *patch)
		want string
	}{
		{"functions nowhere", func(p *patch) { p.directory(dirException, 0x4000, 0x1000) }, "the exception directory (0x1000 bytes at 0x4000)"},
		{"function upside down", func(p *patch) { p.image(0x4004, 4, 0x10) }, "has a function at 0x1000 to 0x10"},
		{"functions overlap", func(p *patch) { p.image(0x4004, 4, 0x10B0) }, "functions 0x1000 and 0x10A0 overlap"},
		{"unwind information nowhere", func(p *patch) { p.image(0x4008, 4, 0x7FFFFFFC) }, "the unwind information of the function at 0x1000 is damaged"},
		{"unwind version", func(p *patch) { p.unwind(0, 7) }, "is damaged"},
		{"unwind code", func(p *patch) { p.unwind(5, 0x0F) }, "is damaged"},
		{"unwind codes too many", func(p *patch) { p.unwind(2, 0xFF) }, "is damaged"},
		{"chain to itself", func(p *patch) {
			p.unwind(0, 0x21)
			p.unwind(2, 0)
			p.unwindWord(4, 0x1000)
			p.unwindWord(8, 0x1090)
			p.unwindWord(12, p.f.functions[0].Unwind)
		}, "is chained without end"},
		{"PDB name nowhere", func(p *patch) { p.image(p.dir(dirDebug)+24, 4, 0xFFFFFFF0) }, "the name of the PDB"},
		{"version nowhere", func(p *patch) { p.image(p.dir(dirResource)+0x48, 4, 0x7FFFFFFF) }, "the version resource"},
		{"thread-local storage", func(p *patch) { p.directory(dirTLS, 0x3000, 40) }, "thread-local storage"},
		{"checksum", func(p *patch) { p.header(24+64, 4, 0x1234) }, "the checksum in the header is 0x1234"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &patch{t: t, data: fixture(t, "clang.sys"), f: parseFixture(t, "clang.sys")}
			c.do(p)
			f, err := Parse("some.sys", p.data)
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0].Error(), c.want) {
				t.Errorf("warnings %v, want ...%s...", f.Warnings, c.want)
			}
		})
	}
}

// unwind sets a byte of the unwind information of the first function.
func (p *patch) unwind(offset uint32, v uint64) { p.image(p.f.functions[0].Unwind+offset, 1, v) }
func (p *patch) unwindWord(offset, v uint32)    { p.image(p.f.functions[0].Unwind+offset, 4, uint64(v)) }
func (p *patch) parse() (*File, error)          { return Parse("some.sys", p.data) }
func newPatch(t *testing.T, name string) *patch {
	return &patch{t, fixture(t, name), parseFixture(t, name)}
}
func (p *patch) load(base uint64) (im *Image, err error) {
	f, err := p.parse()
	if err != nil {
		return nil, err
	}
	return f.Load(mem.New(), base)
}

// TestKinds renames what a driver imports.
func TestKinds(t *testing.T) {
	for _, c := range []struct {
		dll  string // instead of WDFLDR.SYS
		kind Kind
		want string
	}{
		{"WDFLDR.SYS", KMDF, "some.sys is a KMDF driver"},
		{"wdfldr.sys", KMDF, "some.sys is a KMDF driver"},
		{"NDIS.SYS\x00\x00", NDIS, "some.sys is an NDIS network driver: it takes interrupts through NDIS, not through the framework; dirql runs KMDF drivers"},
		{"FltMgr.sys", Minifilter, "a file system minifilter"},
		{"PORTCLS.SY", WDM, "a WDM driver: it does not use the framework"},
		{"ks.sys\x00\x00\x00\x00", KernelStreaming, "kernel streaming"},
	} {
		p := newPatch(t, "clang.sys")
		p.replace("WDFLDR.SYS", c.dll)
		f, err := p.parse()
		if err != nil {
			t.Fatal(err)
		}
		s := f.Summary()
		if s.Kind != c.kind || !strings.Contains(s.Description, c.want) {
			t.Errorf("%s: kind %d, %s", c.dll, s.Kind, s.Description)
		}
		if (s.KMDF != nil) != (c.kind == KMDF) {
			t.Errorf("%s: binding %v", c.dll, s.KMDF)
		}
	}
}
