package mem_test

import (
	"testing"

	"github.com/dirql/dirql/internal/mem"
)

// A Table agrees with a map, through many turns.
func TestTable(t *testing.T) {
	var table mem.Table[uint64]
	x := uint64(1)
	random := func(n uint64) uint64 {
		x = x*6364136223846793005 + 1442695040888963407
		return x >> 33 % n
	}
	if table.Get(0) != nil {
		t.Error("an empty table has a value")
	}
	for turn := range 50 {
		want := map[uint64]uint64{}
		for range 10 * turn {
			key := random(100) << random(50)
			old, ok := want[key]
			if v := table.Get(key); ok != (v != nil) || ok && *v != old {
				t.Fatalf("turn %d: value of %#x is %v, want %d, %v", turn, key, v, old, ok)
			}
			v, fresh := table.At(key)
			if fresh == ok || ok && *v != old {
				t.Fatalf("turn %d: %#x is new: %v, its value is %d, want %d", turn, key, fresh, *v, old)
			}
			*v = random(1 << 30)
			want[key] = *v
		}
		table.Clear()
		for key := range want {
			if table.Get(key) != nil {
				t.Fatalf("turn %d: %#x is still there", turn, key)
			}
		}
	}
}
