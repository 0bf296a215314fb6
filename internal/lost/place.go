package lost

import (
	"slices"

	"github.com/dirql/dirql/internal/kernel"
)

// place is memory that an ISR has written, as one write.
type place struct {
	addr uint64
	size uint32
	// left is the last write of an ISR, nil if somebody else has touched the place
	// since or there is nothing left; by is its activation, also then.
	left *kernel.Record
	by   *activation
	// event is left, as long as it is what a device register gave and nobody else has
	// read it; over is an event that was written over.
	event *kernel.Record
	over  *Loss
	// reader is the last DPC or work item that read the place; taken: one of them has
	// taken something out of it.
	reader uint32
	taken  bool
}

func (p *place) is(r *kernel.Record) bool { return p.addr == r.Addr && p.size == r.Size }

func (p *place) overlaps(r *kernel.Record) bool {
	return p.addr < r.Addr+uint64(r.Size) && r.Addr < p.addr+uint64(p.size)
}

// write notes a write of an ISR.
func (p *place) write(a *activation, r *kernel.Record) {
	if e := p.event; e != nil && p.by != a && p.by.claimed && e.Value&^r.Value != 0 && !p.by.keeps(e) {
		p.over = &Loss{Rule: Event, Write: *e, Over: *r}
	}
	p.left, p.by, p.event = r, a, nil
	if r.Kind == kernel.RecordWrite {
		switch {
		case r.Value == 0:
			p.left = nil
		case slices.Contains(a.values, r.Value):
			p.event = r
		}
	}
}

// keeps reports whether an ISR may have kept what is in an event elsewhere, too. Of
// an interlocked operation nobody knows what it wrote.
func (a *activation) keeps(event *kernel.Record) bool {
	return slices.ContainsFunc(a.writes, func(w *kernel.Record) bool {
		return w.Addr != event.Addr && (w.Kind == kernel.RecordLocked || w.Value&event.Value == event.Value)
	})
}

// touchedByISR notes that an ISR reads the place, or writes part of it.
func (p *place) touchedByISR(a *activation, r *kernel.Record) {
	switch {
	case r.Kind == kernel.RecordWrite && p.is(r): // see write
	case r.Kind == kernel.RecordWrite:
		p.left, p.event = nil, nil
	case a != p.by:
		p.event = nil
	}
}

// touched notes an access of somebody else; a is nil for a thread.
func (p *place) touched(a *activation, r *kernel.Record) {
	p.left, p.event = nil, nil
	if a == nil {
		return
	}
	switch r.Kind {
	case kernel.RecordRead:
		p.reader = a.id
	case kernel.RecordWrite:
		p.taken = p.taken || p.reader == a.id && r.Value == 0
	case kernel.RecordLocked:
		p.taken = true
	}
}
