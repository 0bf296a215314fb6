package mem

// Table maps addresses, or other numbers, to values; it is emptied at no cost, and
// what its values have allocated is used again. The zero Table is empty. It is for
// what a program knows of the memory of one run, and then of the next.
type Table[T any] struct {
	slots []tableSlot[T]
	turn  uint32 // slots of other turns are free
	used  int
}

type tableSlot[T any] struct {
	key   uint64
	turn  uint32
	value T
}

const minTable = 64 // slots

// Clear empties the table.
func (t *Table[T]) Clear() {
	t.used = 0
	if t.turn++; t.turn == 0 {
		clear(t.slots)
	}
}

// Get returns the value of a key, nil if it has none. It is valid until the next
// At or Clear.
func (t *Table[T]) Get(key uint64) *T {
	if t.used == 0 {
		return nil
	}
	if s := t.find(key); s.turn == t.turn {
		return &s.value
	}
	return nil
}

// At returns the value of a key and reports whether the key is new: then the
// value is what another key had, or zero.
func (t *Table[T]) At(key uint64) (value *T, fresh bool) {
	if t.used*2 >= len(t.slots) {
		t.grow()
	}
	s := t.find(key)
	if s.turn == t.turn {
		return &s.value, false
	}
	s.key, s.turn = key, t.turn
	t.used++
	return &s.value, true
}

// find returns the slot of a key, or the free one where it belongs.
func (t *Table[T]) find(key uint64) *tableSlot[T] {
	mask := uint64(len(t.slots) - 1)
	for i := key * 0x9E3779B97F4A7C15 >> 32; ; i++ {
		if s := &t.slots[i&mask]; s.turn != t.turn || s.key == key {
			return s
		}
	}
}

func (t *Table[T]) grow() {
	old, turn := t.slots, t.turn
	t.slots, t.turn = make([]tableSlot[T], max(2*len(old), minTable)), 1
	for i := range old {
		if s := &old[i]; s.turn == turn && t.used > 0 {
			n := t.find(s.key)
			n.key, n.turn, n.value = s.key, t.turn, s.value
		}
	}
}
