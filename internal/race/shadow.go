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
	record int32 // its number in Detector.records
	mask   uint8 // which bytes
}

// touch compares an access with what is remembered, tells about each one that
// is not ordered before it, and remembers it.
func (c *cell) touch(d *Detector, a access, now clock) {
	d.compare(c.writes, a, now)
	if d.records[a.record].Kind == kernel.RecordRead {
		c.reads = remember(c.reads, a, now)
		return
	}
	d.compare(c.reads, a, now)
	c.writes = remember(c.writes, a, now)
	c.reads = forget(c.reads, a.mask, now)
}

func (d *Detector) compare(list []access, a access, now clock) {
	for i := range list {
		if o := &list[i]; o.mask&a.mask != 0 && !now.knows(o.epoch) {
			if earlier, r := &d.records[o.record], &d.records[a.record]; operation(earlier).Races(operation(r)) {
				d.found(earlier, r)
			}
		}
	}
}

// operation is an access in the form that says what races.
func operation(r *kernel.Record) choice.Operation {
	return choice.Operation{Addr: r.Addr, Size: r.Size, Write: r.Kind != kernel.RecordRead, Locked: r.Kind == kernel.RecordLocked}
}

// remember adds an access and drops those that it makes needless: whatever
// races with them races with it.
func remember(list []access, a access, now clock) []access {
	if len(list) == 1 && list[0].slot == a.slot && list[0].mask == a.mask {
		list[0] = a // as most often
		return list
	}
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
