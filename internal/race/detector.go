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
	seen     map[[2]uint64]bool // pairs of program counters
}

// level is an IRQL of a processor.
type level struct{ cpu, irql uint8 }

func newDetector() *detector {
	return &detector{fixed: map[level]int{}, current: map[uint32]int{}, objects: map[uint64]clock{}, levels: map[level]clock{},
		memory: map[uint64]*cell{}, seen: map[[2]uint64]bool{}}
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
	pair := [2]uint64{min(a.PC, b.PC), max(a.PC, b.PC)}
	if d.seen[pair] {
		return
	}
	d.seen[pair] = true
	d.races = append(d.races, Race{First: *a, Second: *b, OneProcessor: a.CPU == b.CPU && a.IRQL != b.IRQL})
}
