package pci

import (
	"errors"
	"fmt"

	"github.com/dirql/dirql/device"
)

// errNoMemory is what a DMA gets at an address without memory.
var errNoMemory = errors.New("no memory at this physical address")

// Now implements device.Host.
func (b *Bus) Now() uint64 {
	b.m.Whim()
	return b.m.Now()
}

// SetLine implements device.Host.
func (b *Bus) SetLine(f *device.Function, asserted bool) {
	if s := b.slot(f); s.line >= 0 {
		b.m.SetLine(s.line, int(s.number)&63, asserted)
	}
}

// WriteMessage implements device.Host: a message is a write to the local APICs,
// with the vector in the low byte of the data.
func (b *Bus) WriteMessage(f *device.Function, addr uint64, data uint32) {
	if addr&^0xFFFFF != messageAddress {
		b.note(f, fmt.Sprintf("message to 0x%X, where no interrupt controller is: lost", addr))
		return
	}
	b.m.SendMessage(uint8(data))
}

// ReadPhysical implements device.Host.
func (b *Bus) ReadPhysical(f *device.Function, addr uint64, p []byte) error {
	b.m.TouchEverything()
	if !b.m.Mem.ReadPhysical(addr, p) {
		return errNoMemory
	}
	return nil
}

// WritePhysical implements device.Host.
func (b *Bus) WritePhysical(f *device.Function, addr uint64, p []byte) error {
	b.m.TouchEverything()
	if !b.m.Mem.WritePhysical(addr, p) {
		return errNoMemory
	}
	return nil
}

// Schedule implements device.Host.
func (b *Bus) Schedule(f *device.Function, id uint32, delay uint64) {
	s := b.slot(f)
	b.m.ScheduleDevice(s.number, id, delay, s.options.Free)
}

// Cancel implements device.Host.
func (b *Bus) Cancel(f *device.Function, id uint32) { b.m.CancelDevice(b.slot(f).number, id) }

// CancelAll implements device.Host.
func (b *Bus) CancelAll(f *device.Function) { b.m.CancelDeviceAll(b.slot(f).number) }

// Choose implements device.Host.
func (b *Bus) Choose(f *device.Function, what string, n int) int { return b.m.ChooseDevice(n) }

// Note implements device.Host.
func (b *Bus) Note(f *device.Function, format string, args ...any) {
	if b.m.Trace.On() {
		b.note(f, fmt.Sprintf(format, args...))
	}
}
