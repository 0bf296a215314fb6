package mem_test

import (
	"bytes"
	"testing"

	"github.com/dirql/dirql/internal/mem"
)

const page = mem.PageSize

// access is one access and what has to come of it.
type access struct {
	what string
	addr uint64
	kind mem.Access
	want mem.FaultKind
	at   uint64 // address of the fault, if not addr
}

func (a *access) check(t *testing.T, s *mem.Space, size int) {
	t.Helper()
	want := mem.Fault{}
	if a.want != mem.NoFault {
		want = mem.Fault{Kind: a.want, Access: a.kind, Addr: a.addr}
		if a.at != 0 {
			want.Addr = a.at
		}
	}
	if got := s.Check(a.addr, size, a.kind); got != want {
		t.Errorf("%s: Check gives %+v, want %+v", a.what, got, want)
	}
	b := make([]byte, size)
	switch a.kind {
	case mem.Load:
		if _, got := s.Load(a.addr, size); got != want {
			t.Errorf("%s: Load gives %+v, want %+v", a.what, got, want)
		}
		if got := s.Read(a.addr, b); got != want {
			t.Errorf("%s: Read gives %+v, want %+v", a.what, got, want)
		}
	case mem.Store:
		if got := s.Store(a.addr, size, 0); got != want {
			t.Errorf("%s: Store gives %+v, want %+v", a.what, got, want)
		}
		if got := s.Write(a.addr, b); got != want {
			t.Errorf("%s: Write gives %+v, want %+v", a.what, got, want)
		}
	}
}

func TestProtection(t *testing.T) {
	s := mem.New()
	code := s.Map(mem.Images, 2, mem.Read|mem.Exec)
	data := s.Map(mem.Images, 1, mem.Read|mem.Write)
	regs := s.MapDevice(mem.SystemMaps, 1)
	block := s.Alloc(32, 0, false, 0)
	freed := s.Alloc(2*page, 0, true, 0)
	s.Free(freed, 0)
	gone := s.Map(mem.Stacks, 2, mem.Read|mem.Write)
	s.Unmap(gone, 1)
	for _, a := range []access{
		{"code", code, mem.Load, mem.NoFault, 0},
		{"code", code, mem.Fetch, mem.NoFault, 0},
		{"code", code, mem.Store, mem.ReadOnly, 0},
		{"code into data", data - 4, mem.Store, mem.ReadOnly, 0},
		{"code into data", data - 4, mem.Load, mem.NoFault, 0},
		{"code into data", data - 4, mem.Fetch, mem.NoExecute, data},
		{"data", data, mem.Store, mem.NoFault, 0},
		{"data", data, mem.Fetch, mem.NoExecute, 0},
		{"behind data", data + page, mem.Load, mem.NotPresent, 0},
		{"data and behind", data + page - 4, mem.Store, mem.NotPresent, data + page},
		{"registers", regs + 8, mem.Load, mem.DevicePage, 0},
		{"registers", regs + 8, mem.Store, mem.DevicePage, 0},
		{"block", block + 24, mem.Store, mem.NoFault, 0},
		{"block and guard page", block + 28, mem.Store, mem.BeyondBlock, block + 32},
		{"guard page", block + 32, mem.Load, mem.BeyondBlock, 0},
		{"last byte of the guard page", block + 32 + page - 8, mem.Load, mem.BeyondBlock, 0},
		{"behind the guard page", block + 32 + page, mem.Load, mem.NotPresent, 0},
		{"freed", freed + 100, mem.Load, mem.Freed, 0},
		{"freed, second page", freed + page, mem.Store, mem.Freed, 0},
		{"guard page of the freed", freed + 2*page, mem.Load, mem.BeyondBlock, 0},
		{"unmapped", gone, mem.Load, mem.NotPresent, 0},
		{"next to unmapped", gone + page, mem.Load, mem.NoFault, 0},
		{"unmapped and next", gone + page - 4, mem.Load, mem.NotPresent, 0},
		{"NULL", 0, mem.Load, mem.NotPresent, 0},
		{"user address", 0x7FFF_FFFF_F000, mem.Load, mem.NotPresent, 0},
		{"below canonical", 0x8000_0000_0000, mem.Load, mem.NotCanonical, 0},
		{"above not canonical", 0xFFFF_7FFF_FFFF_FFF8, mem.Load, mem.NotCanonical, 0},
		{"first of the kernel", 0xFFFF_8000_0000_0000, mem.Store, mem.NotPresent, 0},
		{"last address", ^uint64(0) - 7, mem.Load, mem.NotPresent, 0},
	} {
		a.check(t, s, 8)
	}
	for addr, want := range map[uint64]mem.Prot{
		code: mem.Read | mem.Exec, data: mem.Read | mem.Write, block: mem.Read | mem.Write, freed: 0, block + 32: 0, regs: 0, gone: 0, 0: 0,
	} {
		if got := s.Prot(addr); got != want {
			t.Errorf("protection of 0x%X is %b, want %b", addr, got, want)
		}
	}
}

// A write that cannot be done as a whole does nothing.
func TestWriteAllOrNothing(t *testing.T) {
	s := mem.New()
	p := s.Alloc(2*page+100, 0, false, 0) // three pages, and a guard page
	all := bytes.Repeat([]byte{1}, 3*page)
	if f := s.Write(p, all); f.Kind != mem.NoFault {
		t.Fatal(f)
	}
	if f := s.Write(p, bytes.Repeat([]byte{2}, 3*page+1)); f.Kind != mem.BeyondBlock || f.Addr != p+3*page {
		t.Errorf("%+v", f)
	}
	if f := s.Store(p+3*page-2, 4, 0x05050505); f.Kind != mem.BeyondBlock {
		t.Errorf("%+v", f)
	}
	got := make([]byte, 3*page)
	s.Read(p, got)
	if !bytes.Equal(got, all) {
		t.Error("a part was written")
	}
}

func TestSizesAndCrossing(t *testing.T) {
	s := mem.New()
	p := s.Map(mem.NonPagedPool, 2, mem.Read|mem.Write)
	for _, size := range []int{1, 2, 4, 8} {
		for _, addr := range []uint64{p, p + 3, p + page - 1, p + page - 3, p + 2*page - 8} {
			for i := uint64(0); i < 2*page; i += 8 {
				s.Store(p+i, 8, 0)
			}
			const v = 0x8877665544332211
			if f := s.Store(addr, size, v); f.Kind != mem.NoFault {
				t.Fatal(f)
			}
			want := uint64(v) & (1<<(8*size) - 1)
			if size == 8 {
				want = v
			}
			if got, f := s.Load(addr, size); got != want || f.Kind != mem.NoFault {
				t.Errorf("%d bytes at +0x%X: 0x%X, want 0x%X", size, addr-p, got, want)
			}
			b := make([]byte, 2*page)
			s.Read(p, b)
			for i, c := range b {
				var want byte
				if k := i - int(addr-p); k >= 0 && k < size {
					want = byte(uint64(v) >> (8 * k))
				}
				if c != want {
					t.Fatalf("%d bytes at +0x%X: the byte at +0x%X is %d, want %d", size, addr-p, i, c, want)
				}
			}
		}
	}
}

func TestAlloc(t *testing.T) {
	s := mem.New()
	var blocks []uint64
	for _, size := range []uint64{1, 8, 16, 17, page - 1, page, page + 1, 3 * page} {
		for _, paged := range []bool{false, true} {
			p := s.Alloc(size, 0x41424344, paged, 7)
			blocks = append(blocks, p)
			a := s.Find(p)
			if a == nil || a.Addr != p || a.Size != size || a.Tag != 0x41424344 || a.Paged != paged || a.AllocBy != 7 || a.Freed {
				t.Fatalf("block of %d bytes: %+v", size, a)
			}
			if size < page && (p+(size+15)&^15)%page != 0 || size >= page && p%page != 0 {
				t.Errorf("block of %d bytes at 0x%X", size, p)
			}
			if got := s.Prot(p)&mem.Pageable != 0; got != paged {
				t.Errorf("pageable is %v", got)
			}
			for i := range size {
				if v, f := s.Load(p+i, 1); v != 0 || f.Kind != mem.NoFault {
					t.Fatalf("byte %d of %d: %d, %+v", i, size, v, f)
				}
			}
			if s.Find(p+size-1) != a || s.Find(s.Find(p).Addr) != a {
				t.Error("Find does not find the block by its last byte")
			}
		}
	}
	if s.Alloc(0, 0, false, 0) != 0 || s.Alloc(mem.MaxAlloc+1, 0, false, 0) != 0 {
		t.Error("a block of an impossible size")
	}
	if s.Free(blocks[3]+1, 0) || s.Free(0, 0) || s.Free(0x1234, 0) {
		t.Error("freed what is no block")
	}
	if s.FreedBetween(blocks[3], 8) || !s.Free(blocks[3], 9) || s.Free(blocks[3], 9) || !s.FreedBetween(blocks[3], 8) {
		t.Error("Free or FreedBetween")
	}
	if a := s.Find(blocks[3]); a == nil || !a.Freed || a.FreeBy != 9 {
		t.Errorf("the freed block: %+v", a)
	}
	n := 0
	s.Live(func(a *mem.Alloc) {
		if a.Addr == blocks[3] || a.Freed {
			t.Error("a freed block is live")
		}
		n++
	})
	if n != len(blocks)-1 {
		t.Errorf("%d live blocks, want %d", n, len(blocks)-1)
	}
	if again := s.Alloc(8, 0, false, 0); s.Find(again).Freed || again == blocks[3] {
		t.Error("an address was handed out twice")
	}
}

// What happens without special pool.
func TestAnyway(t *testing.T) {
	s := mem.New()
	p := s.Alloc(16, 0, false, 0)
	s.Store(p, 8, 42)
	s.StoreAnyway(p+16, 4, 77) // the guard page
	s.Free(p, 0)
	s.StoreAnyway(p+8, 8, 43)
	for addr, want := range map[uint64]uint64{p: 42, p + 8: 43, p + 16: 77, p + 20: 0, p + 16 + page - 4: 0, 0: 0} {
		if got := s.LoadAnyway(addr, 8); got != want {
			t.Errorf("0x%X: %d, want %d", addr, got, want)
		}
	}
	s.StoreAnyway(0, 8, 1)
	if _, f := s.Load(p+16, 4); f.Kind != mem.BeyondBlock {
		t.Errorf("the guard page is no longer one: %+v", f)
	}
	if _, f := s.Load(p, 4); f.Kind != mem.Freed {
		t.Errorf("the block is no longer freed: %+v", f)
	}
}

func TestPhysical(t *testing.T) {
	s := mem.New()
	p := s.Map(mem.NonPagedPool, 3, mem.Read|mem.Write)
	pa, ok := s.Physical(p + 5)
	if !ok || pa%page != 5 || pa == 5 {
		t.Fatalf("Physical: 0x%X, %v", pa, ok)
	}
	pa -= 5
	for addr, want := range map[uint64]bool{p: true, p + 3*page: false, 0: false, s.MapDevice(mem.SystemMaps, 1): false} {
		if _, got := s.Physical(addr); got != want {
			t.Errorf("0x%X has a physical address: %v, want %v", addr, got, want)
		}
	}
	data := []byte("across the end of a page")
	if !s.WritePhysical(pa+page-7, data) {
		t.Fatal("WritePhysical")
	}
	got := make([]byte, len(data))
	if s.Read(p+page-7, got); !bytes.Equal(got, data) {
		t.Errorf("virtual view: %q", got)
	}
	clear(got)
	if !s.ReadPhysical(pa+page-7, got) || !bytes.Equal(got, data) {
		t.Errorf("physical view: %q", got)
	}
	view := s.MapPhysical(mem.SystemMaps, pa+page-7, len(data), mem.Read|mem.Write)
	if view == 0 || view%page != page-7 {
		t.Fatalf("second view at 0x%X", view)
	}
	if s.Store(view, 1, 'A'); s.Read(p+page-7, got) == (mem.Fault{}) && got[0] != 'A' {
		t.Error("the two views differ")
	}
	for _, c := range []struct {
		pa uint64
		n  int
		ok bool
	}{
		{pa, 3 * page, true}, {pa + 3*page - 1, 1, true}, {pa + 3*page, 1, false}, {pa + page, 2*page + 1, false},
		{0, 1, false}, {0xFFFFF, 1, false}, {^uint64(0) - 3, 8, false}, {1 << 62, 8, false}, {pa, 0, true},
	} {
		b := make([]byte, c.n)
		if got := s.ReadPhysical(c.pa, b); got != c.ok {
			t.Errorf("ReadPhysical of %d bytes at 0x%X: %v", c.n, c.pa, got)
		}
		if got := s.WritePhysical(c.pa, b); got != c.ok {
			t.Errorf("WritePhysical of %d bytes at 0x%X: %v", c.n, c.pa, got)
		}
		if got := s.MapPhysical(mem.SystemMaps, c.pa, c.n, mem.Read) != 0; got != (c.ok && c.n > 0) {
			t.Errorf("MapPhysical of %d bytes at 0x%X: %v", c.n, c.pa, got)
		}
	}
}

func TestPageFor(t *testing.T) {
	s := mem.New()
	p := s.Map(mem.Images, 1, mem.Read|mem.Write)
	if d, prot, f := s.PageFor(p+9, mem.Load); f.Kind != mem.NoFault || prot != mem.Read|mem.Write || d[9] != 0 {
		t.Errorf("a page that was never written: %v, %+v", prot, f)
	}
	changes := s.Changes()
	d, _, _ := s.PageFor(p, mem.Store)
	if d[9] = 7; s.Changes() == changes {
		t.Error("a copy was not noted")
	}
	if v, _ := s.Load(p+9, 1); v != 7 {
		t.Errorf("loaded %d", v)
	}
	n := s.Snapshot()
	if d, _, _ := s.PageFor(p, mem.Store); d[9] != 7 {
		t.Error("the private copy has other bytes")
	} else {
		d[9] = 8
	}
	s.Restore(n)
	if v, _ := s.Load(p+9, 1); v != 7 {
		t.Errorf("loaded %d after Restore", v)
	}
	if _, _, f := s.PageFor(p, mem.Fetch); f.Kind != mem.NoExecute {
		t.Errorf("%+v", f)
	}
	if _, _, f := s.PageFor(p+page, mem.Load); f.Kind != mem.NotPresent {
		t.Errorf("%+v", f)
	}
}

// Benchmarks.

func BenchmarkLoad(b *testing.B) {
	s := mem.New()
	for range 100 {
		s.Alloc(64, 0, false, 0)
	}
	p := s.Alloc(64, 0, false, 0)
	for b.Loop() {
		s.Load(p+8, 8)
	}
}

func BenchmarkStore(b *testing.B) {
	for _, hashing := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "hashing"}[hashing], func(b *testing.B) {
			s := mem.New()
			if hashing {
				s.EnableHash()
			}
			p := s.Alloc(64, 0, false, 0)
			for i := uint64(0); b.Loop(); i++ {
				s.Store(p+8, 8, i)
			}
		})
	}
}

func BenchmarkSnapshotRestore(b *testing.B) {
	s := mem.New()
	var blocks []uint64
	for range 200 {
		blocks = append(blocks, s.Alloc(64, 0, false, 0))
	}
	n := s.Snapshot()
	for b.Loop() {
		for _, p := range blocks[:10] {
			s.Store(p, 8, 1)
		}
		s.Restore(n)
	}
}
