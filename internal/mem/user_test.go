package mem

import "testing"

// An address means something else in each process, and nothing in none.
func TestProcesses(t *testing.T) {
	s := New()
	a, b := s.NewProcess(), s.NewProcess()
	p, q := s.MapUser(a, 5000), s.MapUser(b, 5000)
	if p != q || !IsUser(p) || IsUser(0) || IsUser(UserStart-1) || IsUser(regionBase[NonPagedPool]) {
		t.Fatalf("buffers at 0x%X and 0x%X", p, q)
	}
	if f := s.Store(p, 8, 1); f.Kind != NotPresent {
		t.Errorf("a store without a process: %v", f)
	}
	s.UseProcess(a)
	s.Store(p, 8, 1)
	if before := s.UseProcess(b); before != a {
		t.Errorf("the process was %d", before)
	}
	if v, f := s.Load(p, 8); v != 0 || f.Kind != NoFault {
		t.Errorf("the other process reads %d, %v", v, f)
	}
	var got [1]byte
	if f := s.ReadUser(a, p, got[:]); f.Kind != NoFault || got[0] != 1 || s.UseProcess(b) != b {
		t.Errorf("ReadUser: %v, %v", got, f)
	}
	if f := s.Check(p, 8193, Load); f.Kind != NotPresent || f.Addr != p+8192 {
		t.Errorf("behind a buffer: %+v", f)
	}
	if small := s.MapUser(b, 20); small&(PageSize-1) != PageSize-32 {
		t.Errorf("a small buffer is at 0x%X", small)
	}
	if s.MapUser(b, 0) != 0 || s.MapUser(b, MaxAlloc+1) != 0 {
		t.Error("a buffer of an impossible size")
	}
	s.UnmapUser(a, p, 5000)
	if _, f := s.Load(p, 8); f.Kind != NoFault {
		t.Error("the other process has lost its buffer")
	}
	if f := s.ReadUser(a, p, got[:]); f.Kind != NotPresent {
		t.Errorf("an unmapped buffer: %v", f)
	}
}

// All views of a byte have one home, and different bytes have different ones.
func TestHome(t *testing.T) {
	s := New()
	a, b := s.NewProcess(), s.NewProcess()
	p, q := s.MapUser(a, 2*PageSize), s.MapUser(b, 2*PageSize)
	block := s.Alloc(100, 0, false, 0)
	view := func(addr uint64) uint64 {
		pa, _ := s.Physical(addr)
		return s.MapPhysical(SystemMaps, pa, 8, Read|Write)
	}
	registers := s.MapDevice(SystemMaps, 1)
	if v := view(block + 4); v == block+4 || s.Home(v) != block+4 || s.Home(block+4) != block+4 || s.Home(registers+8) != registers+8 {
		t.Errorf("block 0x%X, mapped at 0x%X: homes 0x%X, 0x%X", block+4, v, s.Home(v), s.Home(block+4))
	}
	s.UseProcess(a)
	first, second, mapped := s.Home(p+8), s.Home(p+PageSize), s.Home(view(p+8))
	s.UseProcess(b)
	if other := s.Home(q + 8); first != mapped || second != first+PageSize-8 || other == first {
		t.Errorf("homes 0x%X, mapped 0x%X, second page 0x%X, other process 0x%X", first, mapped, second, other)
	}
	if addr, ok := UserOf(first); !ok || addr != p+8 {
		t.Errorf("the address is 0x%X, %v", addr, ok)
	}
	if _, ok := UserOf(s.Home(block)); ok {
		t.Error("a block is a buffer of an application")
	}
}

// Pages that follow each other are no neighbours in physical memory.
func TestUserPagesAreScattered(t *testing.T) {
	s := New()
	a := s.NewProcess()
	p := s.MapUser(a, 3*PageSize)
	s.UseProcess(a)
	for i := range uint64(2) {
		x, _ := s.Physical(p + i*PageSize)
		y, ok := s.Physical(p + (i+1)*PageSize)
		if !ok || y == x+PageSize {
			t.Errorf("pages at 0x%X and 0x%X", x, y)
		}
	}
}

func TestProcessSnapshot(t *testing.T) {
	s := New()
	a := s.NewProcess()
	p := s.MapUser(a, 100)
	n := s.Snapshot()
	s.WriteUser(a, p, []byte{1})
	s.UnmapUser(a, p, 100)
	s.NewProcess()
	s.Restore(n)
	got := [1]byte{9}
	if f := s.ReadUser(a, p, got[:]); f.Kind != NoFault || got[0] != 0 || len(s.processes) != 1 {
		t.Errorf("after Restore: %v, %v, %d processes", f, got, len(s.processes))
	}
	s.UnmapUser(a, p, 100)
	s.Restore(n)
	if f := s.ReadUser(a, p, got[:]); f.Kind != NoFault {
		t.Errorf("after a second Restore: %v", f)
	}
}

// The fingerprint knows in which process a buffer was mapped or unmapped.
func TestProcessHash(t *testing.T) {
	of := func(f func(s *Space, a, b Process)) Hash {
		s := New()
		a, b := s.NewProcess(), s.NewProcess()
		s.EnableHash()
		f(s, a, b)
		return s.Hash()
	}
	seen := map[Hash]int{}
	for i, f := range []func(s *Space, a, b Process){
		func(s *Space, a, b Process) {},
		func(s *Space, a, b Process) { s.MapUser(a, 100) },
		func(s *Space, a, b Process) { s.MapUser(b, 100) },
		func(s *Space, a, b Process) { s.MapUser(a, 100); s.MapUser(b, 100) },
		func(s *Space, a, b Process) { s.UnmapUser(a, s.MapUser(a, 100), 100); s.MapUser(b, 100) },
		func(s *Space, a, b Process) { s.UnmapUser(b, s.MapUser(b, 100), 100); s.MapUser(a, 100) },
	} {
		h := of(f)
		if k, ok := seen[h]; ok {
			t.Errorf("%d and %d have the same fingerprint", i, k)
		}
		seen[h] = i
	}
}
