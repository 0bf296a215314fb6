package race

import (
	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
)

// cell is what is remembered of 8 bytes of memory: the last writes, and the
// reads since.
type cell struct {
	writes, reads []access
}

// access is an access to some bytes of a cell.
type access struct {
	epoch
	mask   uint8 // which bytes
	record *kernel.Record
}

// touch compares an access with what is remembered, tells about each one that
// is not ordered before it, and remembers it.
func (c *cell) touch(a access, now clock, race func(earlier *kernel.Record)) {
	read := a.record.Kind == kernel.RecordRead
	compare := func(list []access) {
		for i := range list {
			if o := &list[i]; o.mask&a.mask != 0 && !now.knows(o.epoch) && operation(o.record).Races(operation(a.record)) {
				race(o.record)
			}
		}
	}
	compare(c.writes)
	if read {
		c.reads = remember(c.reads, a, now)
		return
	}
	compare(c.reads)
	c.writes = remember(c.writes, a, now)
	c.reads = forget(c.reads, a.mask, now)
}

// operation is an access in the form that says what races.
func operation(r *kernel.Record) choice.Operation {
	return choice.Operation{Addr: r.Addr, Size: r.Size, Write: r.Kind != kernel.RecordRead, Locked: r.Kind == kernel.RecordLocked}
}

// remember adds an access and drops those that it makes needless: whatever
// races with them races with it.
func remember(list []access, a access, now clock) []access {
	return append(forget(list, a.mask, now), a)
}

// forget drops the accesses to these bytes only that are ordered before now.
func forget(list []access, mask uint8, now clock) []access {
	kept := list[:0]
	for _, o := range list {
		if o.mask&^mask != 0 || !now.knows(o.epoch) {
			kept = append(kept, o)
		}
	}
	return kept
}
