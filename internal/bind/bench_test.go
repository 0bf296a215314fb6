package bind

import (
	"os"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/wdf"
)

// bench is a machine with a driver that is loaded but does not run: tests call
// the routines that it could import.
type bench struct {
	t *testing.T
	m *kernel.Machine
	d *Driver
	s *wdf.Sys // of the thread that calls
}

// imports runs body in a thread of a machine, and checks how the run ends.
func imports(t *testing.T, want kernel.Reason, body func(b *bench)) {
	t.Helper()
	m, err := kernel.New(kernel.Config{Processors: 2, Profile: kernel.DefaultProfile})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const path = "../../drivers/hostile/hostile.sys"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := pe.Parse(path, data)
	if err != nil {
		t.Fatal(err)
	}
	f := wdf.NewFramework(m)
	d, err := Load(f, file, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, m: m, d: d}
	routine := m.InternalFunction("test", func(th *kernel.Thread, _ kernel.Args) uint64 {
		b.s = f.Sys(th)
		body(b)
		return 0
	})
	m.NewThread(kernel.ThreadParams{Name: "test", Role: "thread", Routine: routine, Foreground: true})
	if got := m.Run(); got != want {
		t.Errorf("the run ended: %s, want: %s; %v", got, want, m.Findings())
	}
}

// call calls an import as guest code does.
func (b *bench) call(name string, args ...uint64) uint64 {
	b.t.Helper()
	if !Implemented(name) {
		b.t.Fatal(name + " is not implemented")
	}
	var a kernel.Args
	copy(a[:], args)
	return b.d.Execute(b.s.Thread, b.d.exportAddress(name), a)
}

// is calls an import and checks the lower 32 bits of what it returns.
func (b *bench) is(want uint64, name string, args ...uint64) {
	b.t.Helper()
	if got := b.call(name, args...); uint32(got) != uint32(want) {
		b.t.Errorf("%s%X returns 0x%X, want 0x%X", name, args, uint32(got), uint32(want))
	}
}

// alloc makes a block with contents.
func (b *bench) alloc(size int, contents string) uint64 {
	p := b.m.Mem.Alloc(uint64(size), kernel.PoolTag("Test"), false, 0)
	b.m.Mem.Write(p, []byte(contents))
	return p
}

// wide makes a zero-terminated string of UTF-16 characters.
func (b *bench) wide(s string) uint64 {
	p := b.alloc(2*len(s)+2, "")
	for i, ch := range []byte(s) {
		b.m.Mem.Store(p+uint64(2*i), 2, uint64(ch))
	}
	return p
}

// unicode makes a UNICODE_STRING with room for n bytes.
func (b *bench) unicode(s string, n int) uint64 {
	p, buffer := b.alloc(16, ""), b.alloc(max(n, 2), "")
	for i, ch := range []byte(s) {
		b.m.Mem.Store(buffer+uint64(2*i), 2, uint64(ch))
	}
	b.m.Mem.Store(p, 2, uint64(2*len(s)))
	b.m.Mem.Store(p+2, 2, uint64(n))
	b.m.Mem.Store(p+8, 8, buffer)
	return p
}

func (b *bench) load(addr uint64, size int) uint64 {
	b.t.Helper()
	v, f := b.m.Mem.Load(addr, size)
	if f.Kind != 0 {
		b.t.Fatalf("load of 0x%X: %s", addr, f.Kind)
	}
	return v
}

// text reads a zero-terminated string of characters of 1 or 2 bytes.
func (b *bench) text(addr uint64, width int) (s string) {
	b.t.Helper()
	for len(s) < 100 {
		ch := b.load(addr+uint64(len(s)*width), width)
		if ch == 0 {
			return s
		}
		s += string(rune(byte(ch)))
	}
	return s
}

// counted reads a UNICODE_STRING.
func (b *bench) counted(addr uint64) (s string) {
	b.t.Helper()
	for i := range b.load(addr, 2) / 2 {
		s += string(rune(b.load(b.load(addr+8, 8)+2*i, 2)))
	}
	return s
}
