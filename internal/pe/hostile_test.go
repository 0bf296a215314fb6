package pe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dirql/dirql/internal/mem"
)

// exercise does everything with a file that may be anything. What counts is
// that it comes back, soon, and with errors of the right type.
func exercise(t testing.TB, data, pdb []byte) {
	t.Helper()
	f, err := Parse("hostile.sys", data)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%T: %v", err, err)
		}
		return
	}
	f.Summary()
	table := f.Symbols("hostile.pdb", pdb)
	for rva := uint32(0); rva < min(f.Size, 1<<16); rva += 61 {
		if name, _, ok := table.Lookup(rva); ok != (name != "") {
			t.Fatalf("0x%X: a name that is empty: %v", rva, ok)
		}
		table.Line(rva)
	}
	askTypes(table)
	m := mem.New()
	im, err := f.Load(m, 0)
	if err != nil {
		return
	}
	for i := range im.Slots {
		im.Bind(m, im.Slots[i], testRet)
	}
	for _, fn := range f.functions[:min(len(f.functions), 64)] {
		for _, at := range []uint32{fn.Begin, fn.Begin + 1, (fn.Begin + fn.End) / 2, fn.End - 1} {
			r := start(0)
			r.RIP = im.Addr(at)
			im.Unwind(&r, testStack(nil))
		}
	}
	im.Discard(m)
	im.Unload(m)
}

// limits fails if do takes too long, or too much memory for a small file.
func limits(t *testing.T, what func() string, do func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	do()
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("%s: took %v", what(), d)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("%s: allocated %d bytes", what(), n)
	}
}

// random is a sequence that is the same every time.
type random uint64

func (r *random) next(n int) int {
	*r = random(mem.Mix(uint64(*r), 0x5EED))
	return int(uint64(*r) % uint64(n))
}

// TestTruncated cuts every driver at every length, and the PDB at some.
func TestTruncated(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 37
	}
	for _, name := range fixtures {
		data := fixture(t, name+".sys")
		for n := 0; n < len(data); n += step {
			exercise(t, data[:n:n], nil)
		}
	}
	data, pdb := fixture(t, "clang.sys"), fixture(t, "clang.pdb")
	for n := 0; n < len(pdb); n += 97 * step {
		exercise(t, data, pdb[:n:n])
	}
}

// TestTruncatedMessages: a file that is cut anywhere is an error that says so.
func TestTruncatedMessages(t *testing.T) {
	data := fixture(t, "clang.sys")
	for n := 64; n < len(data); n++ {
		_, err := Parse("cut.sys", data[:n])
		if err == nil || !strings.Contains(err.Error(), "the file") && !strings.Contains(err.Error(), "cut off") {
			t.Fatalf("cut at 0x%X: %v", n, err)
		}
	}
}

// TestFlipped changes some bits or bytes at a time.
func TestFlipped(t *testing.T) {
	rounds := 6000
	if testing.Short() {
		rounds = 500
	}
	good, pdb := map[string][]byte{}, fixture(t, "clang.pdb")
	for _, name := range fixtures {
		good[name] = fixture(t, name+".sys")
	}
	r := random(1)
	for round := range rounds {
		name := fixtures[round%len(fixtures)]
		data, symbols := bytes.Clone(good[name]), []byte(nil)
		if name == "clang" {
			symbols = bytes.Clone(pdb)
			damage(&r, symbols)
		}
		if name != "clang" || round%2 == 0 {
			damage(&r, data)
		}
		limits(t, func() string { return name }, func() { exercise(t, data, symbols) })
	}
}

// damage changes up to eight places, rather in the first part, where headers are.
func damage(r *random, data []byte) {
	values := []byte{0, 1, 0x7F, 0x80, 0xFF}
	for range 1 + r.next(8) {
		n := len(data)
		if r.next(2) == 0 {
			n = min(n, 1024)
		}
		at := r.next(n)
		switch r.next(3) {
		case 0:
			data[at] ^= 1 << r.next(8)
		case 1:
			data[at] = values[r.next(len(values))]
		case 2:
			for i := range min(4, len(data)-at) {
				data[at+i] = 0xFF
			}
		}
	}
}

// TestPDBMismatch: the PDB of another build, and one that nobody names.
func TestPDBMismatch(t *testing.T) {
	pdb := fixture(t, "clang.pdb")
	for _, c := range []struct {
		name string
		do   func(f *File)
		want string
	}{
		{"same", func(*File) {}, ""},
		{"another build", func(f *File) { f.CodeView.GUID[3] ^= 1 }, "x.pdb: the PDB belongs to another build: its identifier is {"},
		{"none named", func(f *File) { f.CodeView = nil }, "names none"},
	} {
		f := parseFixture(t, "clang.sys")
		c.do(f)
		table := f.Symbols("x.pdb", pdb)
		text := ""
		for _, w := range table.Warnings {
			text += w.Error()
		}
		if !strings.Contains(text, c.want) || (text == "") != (c.want == "") {
			t.Errorf("%s: %q", c.name, text)
		}
		if _, ok := table.Find("DriverEntry"); ok != (c.want == "") {
			t.Errorf("%s: DriverEntry found: %v", c.name, ok)
		}
	}
}

// TestPDBAttacks changes the container.
func TestPDBAttacks(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int
		v    uint32
		want string
	}{
		{"magic", 0, 0, "not a PDB"},
		{"block size", 32, 1000, "impossible size of a block: 1000"},
		{"block size 0", 32, 0, "impossible size of a block: 0"},
		{"blocks", 40, 0xFFFFFFFF, "the PDB is cut off"},
		{"directory size", 44, 0xFFFFFFF0, "the directory of streams"},
		{"directory place", 52, 0xFFFFFFF0, "the directory of streams"},
		{"no directory", 44, 0, "announces 0 streams, there is room for 0"},
	} {
		f, pdb := parseFixture(t, "clang.sys"), fixture(t, "clang.pdb")
		binary.LittleEndian.PutUint32(pdb[c.at:], c.v)
		limits(t, func() string { return c.name }, func() {
			table := f.Symbols("x.pdb", pdb)
			if len(table.Warnings) != 1 || !strings.Contains(table.Warnings[0].Error(), c.want) {
				t.Errorf("%s: %v", c.name, table.Warnings)
			}
		})
	}
}

// TestSharedBlocks: streams that share a block could make a file grow without
// bounds.
func TestSharedBlocks(t *testing.T) {
	pdb := fixture(t, "clang.pdb")
	m, err := openMSF("x.pdb", pdb)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for i := range m.streams {
		total += len(m.stream(i))
	}
	if total > len(pdb) {
		t.Errorf("streams have %d bytes, the file has %d", total, len(pdb))
	}
	directory := binary.LittleEndian.AppendUint32(nil, 2)
	for range 2 {
		directory = binary.LittleEndian.AppendUint32(directory, 10)
	}
	directory = append(directory, 5, 0, 0, 0, 5, 0, 0, 0)
	if err := m.parseDirectory(directory); err == nil || !strings.Contains(err.Error(), "has another owner") {
		t.Error(err)
	}
}

// TestFindPDB looks next to the driver, by both names, and nowhere else.
func TestFindPDB(t *testing.T) {
	f := parseFixture(t, "clang.sys")
	for _, c := range []struct {
		driver, linked string
		found          bool
	}{
		{"clang.sys", `C:\build\clang.pdb`, true},
		{"clang.sys", "other.pdb", true},
		{"other.sys", "clang.pdb", true},
		{"other.sys", "other.pdb", false},
		{"other.sys", "..", false},
		{"other.sys", "../testdata/clang.pdb", true}, // its last part
		{"other.sys", "/", false},
	} {
		f.CodeView.Path = c.linked
		name, data, err := FindPDB(filepath.Join("testdata", c.driver), f)
		if err != nil || (data != nil) != c.found || c.found && name != filepath.Join("testdata", "clang.pdb") {
			t.Errorf("%+v: %s, %d bytes, %v", c, name, len(data), err)
		}
	}
}
