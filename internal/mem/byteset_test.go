package mem_test

import (
	"testing"

	"github.com/dirql/dirql/internal/mem"
)

// A ByteSet agrees with a set of bytes in a map.
func TestByteSet(t *testing.T) {
	var s mem.ByteSet
	bytes, cells := map[uint64]bool{}, map[uint64]bool{}
	x := uint64(1)
	random := func(n uint64) uint64 {
		x = x*6364136223846793005 + 1442695040888963407
		return x >> 33 % n
	}
	const base = 0xFFFFE000_00000000
	var none *mem.ByteSet
	if none.Has(base, 8) || none.Page(base) != nil || none.Len() != 0 || s.Has(base, 8) || s.Len() != 0 {
		t.Error("an empty set has bytes")
	}
	for range 3000 {
		addr, size := base+random(3*mem.PageSize), uint32(random(20))
		if random(8) == 0 {
			size = uint32(random(2 * mem.PageSize))
		}
		has, grows, inPage := false, false, false
		for a := addr; a < addr+uint64(size); a++ {
			has, grows = has || bytes[a], grows || !bytes[a]
			inPage = inPage || bytes[a] && a/mem.PageSize == addr/mem.PageSize
		}
		if got := s.Has(addr, size); got != has {
			t.Fatalf("%d bytes at 0x%X: %v, want %v", size, addr, got, has)
		}
		if got := s.Page(addr).Has(addr, uint8(size)); size > 0 && size <= 16 && got != inPage {
			t.Fatalf("%d bytes at 0x%X in their page: %v, want %v", size, addr, got, inPage)
		}
		if random(10) > 0 {
			continue
		}
		if size = min(size, 100); size == 0 {
			continue
		}
		grows = false
		for a := addr; a < addr+uint64(size); a++ {
			grows = grows || !bytes[a]
			bytes[a], cells[a/8] = true, true
		}
		if got := s.Add(addr, size); got != grows || s.Len() != len(cells) {
			t.Fatalf("%d bytes at 0x%X: grows %v, want %v; %d cells, want %d", size, addr, got, grows, s.Len(), len(cells))
		}
	}
}
