package mem_test

import (
	"runtime"
	"testing"

	"github.com/dirql/dirql/internal/mem"
)

// A snapshot keeps contents, blocks and mappings, whatever happens afterwards.
func TestSnapshotRestore(t *testing.T) {
	s := mem.New()
	written := s.Alloc(64, 0, false, 0)
	untouched := s.Map(mem.Stacks, 1, mem.Read|mem.Write)
	s.Store(written, 8, 1)
	n := s.Snapshot()
	for round := range 3 {
		s.Store(written, 8, 2)
		s.Store(untouched, 8, 3)
		s.Free(written, 0)
		s.StoreAnyway(written+64, 8, 9)
		fresh := s.Alloc(64, 0, false, 0)
		s.Store(fresh, 8, 4)
		s.Unmap(untouched, 1)
		s.Restore(n)
		if v, f := s.Load(written, 8); v != 1 || f.Kind != mem.NoFault {
			t.Errorf("round %d: %d, %+v", round, v, f)
		}
		if v, f := s.Load(untouched, 8); v != 0 || f.Kind != mem.NoFault {
			t.Errorf("round %d: a page that was never written: %d, %+v", round, v, f)
		}
		if _, f := s.Load(fresh, 8); f.Kind != mem.NotPresent {
			t.Errorf("round %d: a block of the future: %+v", round, f)
		}
		if again := s.Alloc(64, 0, false, 0); again != fresh {
			t.Errorf("round %d: the next block is at 0x%X, before at 0x%X", round, again, fresh)
		} else if v, _ := s.Load(again, 8); v != 0 {
			t.Errorf("round %d: a new block is not zeroed: %d", round, v)
		}
		s.Restore(n)
	}
}

// Several snapshots of one space, restored in any order.
func TestManySnapshots(t *testing.T) {
	s := mem.New()
	var blocks []uint64
	var snapshots []*mem.Snapshot
	for i := range uint64(5) {
		blocks = append(blocks, s.Alloc(32, 0, false, 0))
		for _, p := range blocks {
			s.Store(p, 8, i)
		}
		snapshots = append(snapshots, s.Snapshot())
	}
	for _, i := range []int{4, 0, 3, 3, 1, 4, 2, 0, 4} {
		s.Restore(snapshots[i])
		for k, p := range blocks {
			v, f := s.Load(p, 8)
			if k > i && f.Kind != mem.NotPresent || k <= i && (v != uint64(i) || f.Kind != mem.NoFault) {
				t.Errorf("snapshot %d, block %d: %d, %+v", i, k, v, f)
			}
			s.Store(p, 8, 99)
		}
	}
}

// Restoring again and again needs no more memory.
func TestRestoreDoesNotGrow(t *testing.T) {
	s := mem.New()
	p := s.Alloc(20*page, 0, false, 0)
	s.Store(p, 8, 1)
	n := s.Snapshot()
	var before, after runtime.MemStats
	for i := range 2000 {
		for k := range uint64(20) {
			s.Store(p+k*page, 8, uint64(i))
		}
		q := s.Alloc(100, 0, false, 0)
		s.Store(q, 8, 1)
		s.Free(q, 0)
		s.Restore(n)
		if i == 100 {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > before.HeapAlloc+64<<10 {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapAlloc, after.HeapAlloc)
	}
	if n := testing.AllocsPerRun(100, func() {
		for k := range uint64(20) {
			s.Store(p+k*page, 8, 5)
		}
		s.Restore(n)
	}); n > 0 {
		t.Errorf("%.1f allocations for a restored run", n)
	}
}
