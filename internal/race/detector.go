package race

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// Detector looks for races in runs. The zero Detector can be used; what it has
// allocated for one run it uses again for the next.
type Detector struct {
	records  []kernel.Record
	slots    []clock // by number; each knows its own time
	fixed    []int32 // slots of processors and levels; 0: none, else one more
	current  []int32 // slot of each activation; 0: none, else one more
	objects  mem.Table[clock]
	levels   []clock // of processors and levels, as locks
	released clock   // everything that was released
	base     clock   // what everything knows: the last rest
	memory   mem.Table[cell]
	races    []Race
	seen     map[seenPair]bool
	told     map[seenPair]int // races of two instructions, wherever
	stale    map[stale]bool
}

// seenPair is a pair of program counters, and where they met. In a driver in Go
// the counter is that of the routine, for all memory that it uses.
type seenPair struct {
	low, high uint64
	addr      uint64
	lost      bool
}

// maxPlaces bounds the places that are told of for two instructions, which may
// go through a whole buffer.
const maxPlaces = 8

// stale is a place that an activation has read, and an activation of a higher
// level on its processor has written since.
type stale struct {
	reader, writer uint32
	addr           uint64
}

// level numbers the IRQLs of processors.
func level(cpu, irql uint8) int { return int(cpu)<<4 | int(irql&15) }

// at returns element i of a list, which grows to have it.
func at[T any](list *[]T, i int) *T {
	for len(*list) <= i {
		var zero T
		if len(*list) < cap(*list) {
			*list = (*list)[:len(*list)+1] // what it was before keeps its memory
		} else {
			*list = append(*list, zero)
		}
	}
	return &(*list)[i]
}

// reset forgets a run.
func (d *Detector) reset() {
	for _, list := range [][]clock{d.slots, d.levels} {
		for i := range list {
			list[i] = list[i][:0]
		}
	}
	clear(d.fixed)
	clear(d.current)
	d.slots, d.released, d.base, d.races = d.slots[:0], d.released[:0], d.base[:0], nil
	d.objects.Clear()
	d.memory.Clear()
	if d.seen == nil {
		d.seen, d.told, d.stale = map[seenPair]bool{}, map[seenPair]int{}, map[stale]bool{}
	}
	clear(d.seen)
	clear(d.told)
	clear(d.stale)
}

func (d *Detector) record(i int) {
	r := &d.records[i]
	if r.Kind == kernel.RecordRest {
		d.rest()
		return
	}
	if r.Activation == 0 {
		return // an idle processor does nothing that could be ordered
	}
	slot := d.slot(r)
	switch r.Kind {
	case kernel.RecordBegin:
		if r.IRQL >= kernel.DispatchLevel { // an ISR or DPC takes the lock that its processor and level are
			d.slots[slot].join(*at(&d.levels, level(r.CPU, r.IRQL)))
		}
	case kernel.RecordEnd:
		d.end(slot, r)
	case kernel.RecordRaise:
		for l := uint8(r.Addr) + 1; l <= r.IRQL; l++ {
			d.slots[slot].join(*at(&d.levels, level(r.CPU, l)))
		}
	case kernel.RecordLower:
		for l := r.IRQL + 1; l <= uint8(r.Addr); l++ {
			d.releaseLevel(slot, r.CPU, l)
		}
		d.tick(slot)
	case kernel.RecordRelease:
		d.release(slot, r.Addr)
		d.released.join(d.slots[slot])
		d.tick(slot)
	case kernel.RecordAcquire:
		d.acquire(slot, r.Addr)
	case kernel.RecordAcquireAll:
		d.slots[slot].join(d.released)
	case kernel.RecordRead, kernel.RecordWrite, kernel.RecordLocked:
		d.access(slot, i)
	}
}

// slot returns the slot of the activation that a record is about.
func (d *Detector) slot(r *kernel.Record) int {
	current := at(&d.current, int(r.Activation))
	if *current != 0 {
		return int(*current - 1)
	}
	serial := r.Kind == kernel.RecordBegin && r.IRQL >= kernel.DispatchLevel // an ISR or a DPC
	fixed := at(&d.fixed, level(r.CPU, r.IRQL))
	s := int(*fixed) - 1
	if !serial || s < 0 {
		s = len(d.slots)
		c := at(&d.slots, s)
		*c = append((*c)[:0], d.base...)
		c.grow(s + 1)
		(*c)[s] = 1
	}
	if serial {
		*fixed = int32(s + 1)
	}
	*current = int32(s + 1)
	return s
}

// end: see RecordBegin.
func (d *Detector) end(slot int, r *kernel.Record) {
	if r.IRQL >= kernel.DispatchLevel {
		d.releaseLevel(slot, r.CPU, r.IRQL)
		d.tick(slot)
	}
	d.current[r.Activation] = 0
}

// release and acquire hand over what a slot knows, through an object.
func (d *Detector) release(slot int, object uint64) {
	c, fresh := d.objects.At(object)
	if fresh {
		*c = (*c)[:0]
	}
	c.join(d.slots[slot])
}

func (d *Detector) acquire(slot int, object uint64) {
	if c := d.objects.Get(object); c != nil {
		d.slots[slot].join(*c)
	}
}

func (d *Detector) releaseLevel(slot int, cpu, irql uint8) {
	at(&d.levels, level(cpu, irql)).join(d.slots[slot])
}

// tick begins a new time of a slot: what follows is not part of what was
// released.
func (d *Detector) tick(slot int) { d.slots[slot][slot]++ }

// rest orders everything so far before everything to come.
func (d *Detector) rest() {
	for i := range d.slots {
		d.base.join(d.slots[i])
	}
	for i := range d.slots {
		d.slots[i].join(d.base)
		d.tick(i)
	}
}

// access checks an access to memory.
func (d *Detector) access(slot, i int) {
	r := &d.records[i]
	if r.Kind == kernel.RecordLocked { // orders what is before it with what is behind the next one
		d.acquire(slot, r.Addr)
	}
	now := d.slots[slot]
	a := access{epoch: epoch{int32(slot), now[slot]}, record: int32(i)}
	for at, left := r.Addr, uint64(r.Size); left > 0; {
		n := min(8-at&7, left)
		a.mask = uint8((1<<n - 1) << (at & 7))
		c, fresh := d.memory.At(at >> 3)
		if fresh {
			c.writes, c.reads = c.writes[:0], c.reads[:0]
		}
		c.touch(d, a, now)
		at, left = at+n, left-n
	}
	if r.Kind == kernel.RecordLocked {
		d.release(slot, r.Addr)
		d.tick(slot)
	}
}

func (d *Detector) found(a, b *kernel.Record) {
	r := Race{First: *a, Second: *b, OneProcessor: a.CPU == b.CPU && a.IRQL != b.IRQL}
	r.Lost = r.OneProcessor && d.lost(a, b)
	pair := seenPair{low: min(a.PC, b.PC), high: max(a.PC, b.PC), lost: r.Lost}
	at := pair
	at.addr = max(a.Addr, b.Addr)
	if d.seen[at] || d.told[pair] == maxPlaces {
		return
	}
	d.seen[at] = true
	d.told[pair]++
	d.races = append(d.races, r)
}

// lost looks, on one processor, for a read, a write of what has interrupted it,
// and then a write of who has read: what was read is old by then. An interlocked
// operation, and one that is a single instruction, is not interrupted.
func (d *Detector) lost(a, b *kernel.Record) bool {
	switch addr := max(a.Addr, b.Addr); {
	case a.IRQL < b.IRQL && a.Kind == kernel.RecordRead:
		d.stale[stale{a.Activation, b.Activation, addr}] = true
	case a.IRQL > b.IRQL && b.Kind == kernel.RecordRead: // it has the new value now
		delete(d.stale, stale{b.Activation, a.Activation, addr})
	case a.IRQL > b.IRQL && b.Kind == kernel.RecordWrite:
		return d.stale[stale{b.Activation, a.Activation, addr}]
	}
	return false
}
