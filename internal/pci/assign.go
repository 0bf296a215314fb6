package pci

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/device"
)

// assignment is what the PnP manager has given to a function. A rebalance changes
// it; it is state.
type assignment struct {
	kind    interruptKind
	vectors []uint8 // of the interrupts: one for a line, one for each message
	line    int     // of the interrupt controller; -1: it never had one
	bars    []bar   // as assigned, to be restored after D3hot
}

func (a assignment) clone() assignment {
	a.vectors, a.bars = slices.Clone(a.vectors), slices.Clone(a.bars)
	return a
}

// interruptKind is how a function interrupts.
type interruptKind uint8

const (
	noInterrupt interruptKind = iota
	lineInterrupt
	messages      // MSI
	tableMessages // MSI-X
)

// bar is a BAR with its place, and those where it was before a rebalance.
type bar struct {
	device.BAR
	base uint64
	past []uint64
}

// move puts a BAR into a place where it never was, or, when there is no room, where
// it was first.
func (b *Bus) move(s *Slot, r *bar) {
	base, err := b.place(s, r.BAR)
	if err != nil {
		if len(r.past) == 0 {
			return
		}
		base, r.past = r.past[0], r.past[1:]
	}
	r.past = append(slices.Clip(r.past), r.base)
	r.base = base
}

// Change is what a rebalance changes besides addresses and vectors, which always
// become others where there is room.
type Change struct {
	Line     bool // the function gets its line, although it has messages
	Messages int  // at most so many; 0: as many as it has
}

// assign gives the function its addresses and interrupts.
func (b *Bus) assign(s *Slot) error {
	for _, r := range s.Function.Info().BARs {
		base, err := b.place(s, r)
		if err != nil {
			return err
		}
		s.bars = append(s.bars, bar{BAR: r, base: base})
	}
	if err := b.assignInterrupts(s, Change{}); err != nil {
		return err
	}
	return b.assignWake(s)
}

// place finds room for a BAR.
func (b *Bus) place(s *Slot, r device.BAR) (base uint64, err error) {
	next := &b.next.mmio
	if r.Kind == device.IO {
		next = &b.next.port
	}
	base = (*next + r.Size - 1) &^ (r.Size - 1)
	if end := base + r.Size; r.Kind != device.IO && end > messageAddress || r.Kind == device.IO && end > 1<<16 {
		return 0, fmt.Errorf("device %s: no room for BAR %d of 0x%X bytes", s.Function.Info().Name, r.Index, r.Size)
	}
	*next = base + r.Size
	return base, nil
}

// Reassign gives the function other resources: what the PnP manager does while the
// device is stopped. The error says what is not possible; then nothing changes.
func (b *Bus) Reassign(s *Slot, c Change) error {
	if c.Line && s.Function.Info().InterruptPin == 0 {
		return fmt.Errorf("device %s has no interrupt line", s.Function.Info().Name)
	}
	for i := range s.bars {
		b.move(s, &s.bars[i])
	}
	return b.assignInterrupts(s, c)
}

// assignInterrupts gives the function vectors of its level: for the messages of its
// MSI-X table or, without one, of MSI, where they are allowed, else for its line.
func (b *Bus) assignInterrupts(s *Slot, c Change) error {
	info := s.Function.Info()
	kind, count := noInterrupt, 1
	switch {
	case s.options.Messages && !c.Line && info.MSIX.Vectors > 0:
		kind, count = tableMessages, info.MSIX.Vectors
	case s.options.Messages && !c.Line && info.Messages > 0:
		kind, count = messages, info.Messages
	case info.InterruptPin != 0:
		kind = lineInterrupt
	default:
		return nil
	}
	for kind != lineInterrupt && c.Messages > 0 && count > c.Messages {
		if count /= 2; kind == tableMessages {
			count = c.Messages
		}
	}
	vectors := b.freeVectors(s.options.DIRQL, kind, count)
	if vectors == nil { // those that it has, then
		s.vectors = nil
		if vectors = b.freeVectors(s.options.DIRQL, kind, count); vectors == nil {
			return fmt.Errorf("device %s: no %d free vectors at DIRQL %d", info.Name, count, s.options.DIRQL)
		}
	}
	s.kind, s.vectors = kind, vectors
	switch {
	case kind != lineInterrupt:
	case s.line < 0:
		s.line = b.m.AddLine(info.Name+" INTA", vectors[0], false)
	default:
		b.m.RouteLine(s.line, vectors[0])
	}
	return nil
}

// assignWake gives the function its wake line.
func (b *Bus) assignWake(s *Slot) error {
	if !s.options.WakeLine {
		return nil
	}
	name := s.Function.Info().Name
	vectors := b.freeVectors(s.options.DIRQL, lineInterrupt, 1)
	if vectors == nil {
		return fmt.Errorf("device %s: no free vector for its wake line at DIRQL %d", name, s.options.DIRQL)
	}
	s.wake, s.wakeLine = vectors[0], b.m.AddLine(name+" WAKE", vectors[0], true)
	return nil
}

// freeVectors finds vectors of a level; a vector's class is its DIRQL (IRQL-3). MSI
// needs a block that is aligned to its size; of MSI-X as many are given as there are,
// at least one. nil: there is no room.
func (b *Bus) freeVectors(dirql uint8, kind interruptKind, count int) []uint8 {
	var taken [16]bool
	for _, s := range b.slots {
		for _, v := range s.vectors {
			taken[v&15] = taken[v&15] || v>>4 == dirql
		}
		if s.wakeLine >= 0 && s.wake>>4 == dirql {
			taken[s.wake&15] = true
		}
	}
	var found []uint8
	for v := range taken {
		if kind != tableMessages && len(found) == 0 && v%count != 0 || taken[v] {
			if kind != tableMessages {
				found = nil
			}
			continue
		}
		if found = append(found, dirql<<4|uint8(v)); len(found) == count {
			return found
		}
	}
	if kind != tableMessages {
		return nil
	}
	return found
}
