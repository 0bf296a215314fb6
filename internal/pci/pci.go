// Package pci is the PCI bus of the simulated machine and the part of Windows
// that manages it (pci.sys and the PnP arbiters): it gives functions addresses
// and interrupt vectors, finds the function behind a physical address, and
// carries interrupts, messages and DMA between device models and the kernel.
//
// Read Bus and Slot first; assign.go has what functions get, resources.go what drivers
// see of it, start.go how it is programmed, host.go what a function can do.
package pci

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// Bus is the PCI bus of a machine. It implements kernel.Bus, kernel.Component
// and device.Host.
type Bus struct {
	m     *kernel.Machine
	slots []*Slot

	next room

	onWake func(slot uint32) // see OnWake
}

// room is where BARs can be put: the first free addresses.
type room struct {
	mmio, port uint64
}

// Options say how a function is connected.
type Options struct {
	// Messages says that the driver's INF allows message-signalled interrupts
	// (MSISupported); a function without MSI uses its line all the same.
	Messages bool
	// DIRQL is the level of its interrupts, 3 to 11; 0: 5.
	DIRQL uint8
	// Affinity is the set of processors for its interrupts; 0: all.
	Affinity uint64
	// WakeLine gives the function a latched line of its own for wake, besides its
	// interrupts, with the hint that it can wake (CM_RESOURCE_INTERRUPT_WAKE_HINT):
	// what firmware describes on platforms without PME#.
	WakeLine bool
	// Free lets the events of the model happen at any time, in any order: the
	// source of choices decides, not virtual time.
	Free bool
}

// Slot is a place on the bus with a function in it.
type Slot struct {
	Function *device.Function
	options  Options
	number   uint32
	wakeLine int   // Options.WakeLine; -1: none
	wake     uint8 // vector of the wake line

	assignment
}

// MMIO and port space that BARs are assigned from.
const (
	mmioBase = 0xE0000000
	portBase = 0xC000
)

// NewBus puts a bus into a machine.
func NewBus(m *kernel.Machine) *Bus {
	b := &Bus{m: m, next: room{mmioBase, portBase}}
	m.SetBus(b)
	m.Attach(b)
	return b
}

// Add puts a model into the next slot, resets it and assigns its resources. The
// error says what is wrong with the model's Info or the options.
func (b *Bus) Add(model device.Model, o Options) (*Slot, error) {
	if o.DIRQL == 0 {
		o.DIRQL = 5
	}
	if o.DIRQL < kernel.FirstDIRQL || o.DIRQL > kernel.LastDIRQL {
		return nil, fmt.Errorf("device %s: DIRQL %d is not a device level (%d to %d)", model.Info().Name, o.DIRQL, kernel.FirstDIRQL, kernel.LastDIRQL)
	}
	f, err := device.NewFunction(model, b)
	if err != nil {
		return nil, err
	}
	s := &Slot{Function: f, options: o, number: uint32(len(b.slots)), wakeLine: -1, assignment: assignment{line: -1}}
	b.slots = append(b.slots, s)
	f.Reset()
	if err := b.assign(s); err != nil {
		return nil, err
	}
	return s, nil
}

// Number returns the number of the slot on its bus.
func (s *Slot) Number() uint32 { return s.number }

// slot returns the slot of a function.
func (b *Bus) slot(f *device.Function) *Slot {
	for _, s := range b.slots {
		if s.Function == f {
			return s
		}
	}
	panic("BUG: a function that is in no slot")
}

// ReadRegister implements kernel.Bus. Where no function answers, all bits are
// ones.
func (b *Bus) ReadRegister(pa uint64, size int) (uint64, string) {
	for _, s := range b.slots {
		if n, off, ok := s.Function.Decode(pa, size); ok {
			b.checkAwake(s, "read", off)
			return s.Function.ReadRegister(n, off, size), b.registerName(s, n, off)
		}
	}
	b.checkMoved(pa, "read")
	return ^uint64(0) >> (64 - 8*size), fmt.Sprintf("physical 0x%X (no device)", pa)
}

// WriteRegister implements kernel.Bus.
func (b *Bus) WriteRegister(pa uint64, size int, value uint64) string {
	for _, s := range b.slots {
		if n, off, ok := s.Function.Decode(pa, size); ok {
			b.checkAwake(s, "written", off)
			s.Function.WriteRegister(n, off, size, value)
			return b.registerName(s, n, off)
		}
	}
	b.checkMoved(pa, "written")
	return fmt.Sprintf("physical 0x%X (no device)", pa)
}

// checkMoved reports a driver that touches registers where they were before its
// device was stopped: what is there now can be another device.
func (b *Bus) checkMoved(pa uint64, verb string) {
	for _, s := range b.slots {
		for _, r := range s.bars {
			if r.Kind == device.IO {
				continue
			}
			for _, base := range append(slices.Clip(r.past), r.base) {
				if pa-base < r.Size {
					b.m.ReportRunning(kernel.Finding{Rule: "register access after the stop", Clause: "WDFI-34", Text: fmt.Sprintf(
						"0x%X is %s, which was register 0x%X of %s until the device was stopped: the registers are elsewhere after "+
							"EvtDevicePrepareHardware, and nowhere before", pa, verb, pa-base, s.Function.Info().Name)})
					return
				}
			}
		}
	}
}

// checkAwake reports a driver that touches a device in a low-power state. What
// hardware does then differs: all ones, a machine check, a bus that hangs.
func (b *Bus) checkAwake(s *Slot, verb string, off uint64) {
	if s.Function.Asleep() {
		b.m.ReportRunning(kernel.Finding{Rule: "register access in Dx", Clause: "PWR-5", Text: fmt.Sprintf(
			"register 0x%X of %s is %s while the device is in D3: the driver has to know its power state", off, s.Function.Info().Name, verb)})
	}
}

// ReadPort implements kernel.Bus.
func (b *Bus) ReadPort(port uint32, size int) (uint64, string) {
	for _, s := range b.slots {
		if n, off, ok := s.Function.DecodePort(port, size); ok {
			b.checkAwake(s, "read", off)
			return s.Function.ReadRegister(n, off, size), b.registerName(s, n, off)
		}
	}
	return ^uint64(0) >> (64 - 8*size), fmt.Sprintf("port 0x%X (no device)", port)
}

// WritePort implements kernel.Bus.
func (b *Bus) WritePort(port uint32, size int, value uint64) string {
	for _, s := range b.slots {
		if n, off, ok := s.Function.DecodePort(port, size); ok {
			b.checkAwake(s, "written", off)
			s.Function.WriteRegister(n, off, size, value)
			return b.registerName(s, n, off)
		}
	}
	return fmt.Sprintf("port 0x%X (no device)", port)
}

func (b *Bus) registerName(s *Slot, n int, off uint64) string {
	if !b.m.Trace.On() {
		return ""
	}
	if len(s.bars) == 1 {
		return fmt.Sprintf("%s+0x%X", s.Function.Info().Name, off)
	}
	return fmt.Sprintf("%s BAR%d+0x%X", s.Function.Info().Name, n, off)
}

// Event implements kernel.Bus: an event of a model is due, or one from outside.
func (b *Bus) Event(slot, event uint32) {
	if slot&outside != 0 {
		b.wakeTriggered(b.slots[slot&^outside])
		return
	}
	b.slots[slot].Function.Event(event)
}

// snapshot is the state of a bus.
type snapshot struct {
	functions [][]byte
	assigned  []assignment
	next      room
}

// Snapshot implements kernel.Component.
func (b *Bus) Snapshot() any {
	c := &snapshot{next: b.next}
	for _, s := range b.slots {
		c.functions = append(c.functions, s.Function.AppendState(nil))
		c.assigned = append(c.assigned, s.assignment.clone())
	}
	return c
}

// Restore implements kernel.Component.
func (b *Bus) Restore(state any) {
	c := state.(*snapshot)
	b.next = c.next
	for i, s := range b.slots {
		if err := s.Function.RestoreState(c.functions[i]); err != nil {
			panic("BUG: " + err.Error())
		}
		s.assignment = c.assigned[i].clone()
	}
}

// AppendState implements kernel.Component. Of what is assigned only the choice
// between two places is not the same in all runs of a scenario.
func (b *Bus) AppendState(p []byte) []byte {
	for _, s := range b.slots {
		p = append(p, byte(s.kind), byte(len(s.vectors)))
		p = append(p, s.vectors...)
		for _, r := range s.bars {
			p = binary.LittleEndian.AppendUint64(p, r.base)
		}
		at := len(p)
		p = s.Function.AppendState(append(p, 0, 0, 0, 0))
		binary.LittleEndian.PutUint32(p[at:], uint32(len(p)-at-4))
	}
	return p
}

// Remove takes the function out without notice: from now on every read of it is
// all ones (PWR-8).
func (b *Bus) Remove(s *Slot) {
	b.note(s.Function, "removed from the bus")
	s.Function.Remove()
}

func (b *Bus) note(f *device.Function, text string) {
	if b.m.Trace.On() {
		b.m.Record(-1, trace.Event{Kind: trace.Bus, Name: f.Info().Name, Text: text})
	}
}
