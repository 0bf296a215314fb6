package mem

import (
	"encoding/binary"
	"testing"
)

// recomputed is the fingerprint of the contents, from scratch.
func (s *Space) recomputed() (h Hash) {
	for fr, f := range s.frames {
		if f.data == nil {
			continue
		}
		for off := 0; off < PageSize; off += 8 {
			if v := binary.LittleEndian.Uint64(f.data[off:]); v != 0 {
				place := uint64(fr)<<pageShift | uint64(off)
				h[0] ^= Mix(place^0x9E3779B97F4A7C15, v)
				h[1] ^= Mix(v^0xC2B2AE3D27D4EB4F, place)
			}
		}
	}
	return h
}

// The fingerprint that every write keeps is the one of the contents.
func TestHashIsThatOfTheContents(t *testing.T) {
	s := New()
	p := s.Map(NonPagedPool, 4, Read|Write)
	s.EnableHash()
	x := uint64(1)
	random := func() uint64 { x = finish(x); return x }
	b := make([]byte, 3*PageSize)
	for i := range 2000 {
		addr := p + random()%(4*PageSize-8)
		switch random() % 4 {
		case 0:
			s.Write(addr, b[:min(random()%(2*PageSize), p+4*PageSize-addr)])
			for k := range b {
				b[k] = byte(random())
			}
		case 1:
			pa, _ := s.Physical(addr)
			s.WritePhysical(pa, b[:8])
		default:
			s.Store(addr, 1<<(random()%4), random()*(random()&1))
		}
		if s.Hash() != s.recomputed() {
			t.Fatalf("after %d operations", i+1)
		}
	}
	zero := make([]byte, 4*PageSize)
	if s.Write(p, zero); s.Hash() != (Hash{}) {
		t.Error("zeros have a fingerprint")
	}
}

// The fingerprint tells apart what can matter later, and only that.
func TestHashTellsApart(t *testing.T) {
	type step func(s *Space, p uint64)
	store := func(off, v uint64) step { return func(s *Space, p uint64) { s.Store(p+off, 8, v) } }
	alloc := func(size uint64) step { return func(s *Space, _ uint64) { s.Alloc(size, 0, false, 0) } }
	free := func(s *Space, p uint64) { s.Free(p, 0) }
	freeOther := func(s *Space, p uint64) { s.Free(p+2*PageSize, 0) }
	unmap := func(s *Space, p uint64) { s.Unmap(p, 1) }
	of := func(steps ...step) Hash {
		s := New()
		p := s.Alloc(64, 0, false, 0)
		s.Alloc(64, 0, false, 0)
		s.EnableHash()
		for _, f := range steps {
			f(s, p)
		}
		return s.Hash()
	}
	different := map[string][]step{
		"nothing": nil, "store": {store(0, 1)}, "elsewhere": {store(8, 1)}, "another value": {store(0, 2)}, "swapped": {store(1, 1)},
		"two": {store(0, 1), store(8, 1)}, "freed": {free}, "other freed": {freeOther}, "both freed": {free, freeOther},
		"allocated": {alloc(64)}, "allocated, other size": {alloc(48)}, "allocated twice": {alloc(64), alloc(64)},
		"freed and allocated": {free, alloc(64)}, "unmapped": {unmap}, "mapped": {func(s *Space, _ uint64) { s.Map(Images, 1, Read) }},
		"mapped writable": {func(s *Space, _ uint64) { s.Map(Images, 1, Read|Write) }},
		"another region":  {func(s *Space, _ uint64) { s.Map(Stacks, 1, Read|Write) }},
		"registers":       {func(s *Space, _ uint64) { s.MapDevice(SystemMaps, 1) }},
		"second view":     {func(s *Space, _ uint64) { s.MapPhysical(SystemMaps, physicalBase, 8, Read) }},
		"another view":    {func(s *Space, _ uint64) { s.MapPhysical(SystemMaps, physicalBase+PageSize, 8, Read) }},
		"behind a block":  {func(s *Space, p uint64) { s.StoreAnyway(p+64, 8, 1) }},
		"zero behind it":  {func(s *Space, p uint64) { s.StoreAnyway(p+64, 8, 0) }},
		"into a freed":    {free, func(s *Space, p uint64) { s.StoreAnyway(p, 8, 1) }},
	}
	seen := map[Hash]string{}
	for name, steps := range different {
		h := of(steps...)
		if other, ok := seen[h]; ok {
			t.Errorf("%q and %q have the same fingerprint", name, other)
		}
		seen[h] = name
		if h != of(steps...) {
			t.Errorf("%q has two fingerprints", name)
		}
	}
	for name, pair := range map[string][2][]step{
		"order of stores":    {{store(0, 1), store(8, 2)}, {store(8, 2), store(0, 1)}},
		"back to before":     {{store(0, 1), store(0, 0)}, {}},
		"by another width":   {{store(0, 0x0101)}, {func(s *Space, p uint64) { s.Write(p, []byte{1, 1}) }}},
		"order of frees":     {{free, freeOther}, {freeOther, free}},
		"unmapped twice":     {{unmap, unmap}, {unmap}},
		"a free that failed": {{free, free}, {free}},
	} {
		if of(pair[0]...) != of(pair[1]...) {
			t.Errorf("%s matters", name)
		}
	}
}

// Restore brings the fingerprint back.
func TestHashRestore(t *testing.T) {
	s := New()
	s.EnableHash()
	p := s.Alloc(100, 0, false, 0)
	s.Store(p, 8, 1)
	n, h := s.Snapshot(), s.Hash()
	s.Store(p, 8, 2)
	s.Alloc(8, 0, true, 0)
	s.Free(p, 0)
	if s.Hash() == h {
		t.Error("the fingerprint has not changed")
	}
	if s.Restore(n); s.Hash() != h || !s.Hashing() {
		t.Error("the fingerprint is another one after Restore")
	}
}
