package race

import "github.com/dirql/dirql/internal/kernel"

// detector follows a run.
type detector struct {
	slots    []clock        // by number; each knows its own time
	fixed    map[level]int  // slots of processors and levels
	current  map[uint32]int // slot of each activation under way
	objects  map[uint64]clock
	levels   map[level]clock // as locks
	released clock           // everything that was released
	base     clock           // what everything knows: the last rest
	memory   map[uint64]*cell
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

// level is an IRQL of a processor.
type level struct{ cpu, irql uint8 }

func newDetector() *detector {
	return &detector{fixed: map[level]int{}, current: map[uint32]int{}, objects: map[uint64]clock{}, levels: map[level]clock{},
		memory: map[uint64]*cell{}, seen: map[seenPair]bool{}, told: map[seenPair]int{}, stale: map[stale]bool{}}
}

func (d *detector) record(r *kernel.Record) {
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
		d.begin(slot, r)
	case kernel.RecordEnd:
		d.end(slot, r)
	case kernel.RecordRaise:
		for l := uint8(r.Addr) + 1; l <= r.IRQL; l++ {
			d.slots[slot].join(d.levels[level{r.CPU, l}])
		}
	case kernel.RecordLower:
		for l := r.IRQL + 1; l <= uint8(r.Addr); l++ {
			d.releaseLevel(slot, level{r.CPU, l})
		}
		d.tick(slot)
	case kernel.RecordRelease:
		c := d.objects[r.Addr]
		c.join(d.slots[slot])
		d.objects[r.Addr] = c
		d.released.join(d.slots[slot])
		d.tick(slot)
	case kernel.RecordAcquire:
		d.slots[slot].join(d.objects[r.Addr])
	case kernel.RecordAcquireAll:
		d.slots[slot].join(d.released)
	case kernel.RecordRead, kernel.RecordWrite, kernel.RecordLocked:
		d.access(slot, r)
	}
}

// slot returns the slot of the activation that a record is about.
func (d *detector) slot(r *kernel.Record) int {
	if s, ok := d.current[r.Activation]; ok {
		return s
	}
	serial := r.Kind == kernel.RecordBegin && r.IRQL >= kernel.DispatchLevel // an ISR or a DPC
	l := level{r.CPU, r.IRQL}
	s, known := d.fixed[l]
	if !serial || !known {
		s = len(d.slots)
		d.slots = append(d.slots, nil)
		d.slots[s].join(d.base)
		d.slots[s].grow(s + 1)
		d.slots[s][s] = 1
	}
	if serial {
		d.fixed[l] = s
	}
	d.current[r.Activation] = s
	return s
}

// begin: an ISR or DPC takes the lock that its processor and level are.
func (d *detector) begin(slot int, r *kernel.Record) {
	if r.IRQL >= kernel.DispatchLevel {
		d.slots[slot].join(d.levels[level{r.CPU, r.IRQL}])
	}
}

// end: see begin.
func (d *detector) end(slot int, r *kernel.Record) {
	if r.IRQL >= kernel.DispatchLevel {
		d.releaseLevel(slot, level{r.CPU, r.IRQL})
		d.tick(slot)
	}
	delete(d.current, r.Activation)
}

func (d *detector) releaseLevel(slot int, l level) {
	c := d.levels[l]
	c.join(d.slots[slot])
	d.levels[l] = c
}

// tick begins a new time of a slot: what follows is not part of what was
// released.
func (d *detector) tick(slot int) { d.slots[slot][slot]++ }

// rest orders everything so far before everything to come.
func (d *detector) rest() {
	for i := range d.slots {
		d.base.join(d.slots[i])
	}
	for i := range d.slots {
		d.slots[i].join(d.base)
		d.tick(i)
	}
}

// access checks an access to memory.
func (d *detector) access(slot int, r *kernel.Record) {
	if r.Kind == kernel.RecordLocked { // orders what is before it with what is behind the next one
		d.slots[slot].join(d.objects[r.Addr])
	}
	now := d.slots[slot]
	a := access{epoch: epoch{slot, now.of(slot)}, record: r}
	for at, left := r.Addr, uint64(r.Size); left > 0; {
		n := min(8-at&7, left)
		a.mask = uint8((1<<n - 1) << (at & 7))
		c := d.memory[at>>3]
		if c == nil {
			c = &cell{}
			d.memory[at>>3] = c
		}
		c.touch(a, now, func(earlier *kernel.Record) { d.found(earlier, r) })
		at, left = at+n, left-n
	}
	if r.Kind == kernel.RecordLocked {
		c := d.objects[r.Addr]
		c.join(d.slots[slot])
		d.objects[r.Addr] = c
		d.tick(slot)
	}
}

func (d *detector) found(a, b *kernel.Record) {
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
func (d *detector) lost(a, b *kernel.Record) bool {
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
