package device

import (
	"fmt"
	"math"
)

// This file is the rest of what Function does as the Bus of its model.

// mayMaster returns why the function may not start a transaction on the bus, or
// nil. DMA and messages are the same to the bus: memory requests.
func (f *Function) mayMaster() error {
	switch {
	case f.removed:
		return ErrRemoved
	case f.powerState() != PowerD0:
		return ErrPower
	case f.command()&CommandBusMaster == 0:
		return ErrBusMaster
	}
	return nil
}

// ReadMemory implements [Bus].
func (f *Function) ReadMemory(addr uint64, p []byte) error {
	err := f.transfer(addr, p, f.host.ReadPhysical)
	if err != nil {
		for i := range p {
			p[i] = 0xff
		}
	}
	return err
}

// WriteMemory implements [Bus].
func (f *Function) WriteMemory(addr uint64, p []byte) error {
	return f.transfer(addr, p, f.host.WritePhysical)
}

func (f *Function) transfer(addr uint64, p []byte, access func(*Function, uint64, []byte) error) error {
	if err := f.mayMaster(); err != nil || len(p) == 0 {
		return err
	}
	err := access(f, addr, p)
	if err != nil {
		f.config.put16(ConfigStatus, f.config.get16(ConfigStatus)|StatusMasterAbort)
	}
	return err
}

// Now implements [Bus].
func (f *Function) Now() uint64 { return f.host.Now() }

// After implements [Bus]. A delay beyond the end of time is cut to that.
func (f *Function) After(id uint32, delay uint64) {
	if !f.removed {
		f.host.Schedule(f, id, min(delay, math.MaxUint64-f.host.Now()))
	}
}

// Cancel implements [Bus].
func (f *Function) Cancel(id uint32) {
	if !f.removed {
		f.host.Cancel(f, id)
	}
}

// Choose implements [Bus].
func (f *Function) Choose(what string, n int) int {
	if f.removed || n < 2 {
		return 0
	}
	c := f.host.Choose(f, what, n)
	if c < 0 || c >= n {
		panic(fmt.Sprintf("BUG: device: Host.Choose(%q) returned %d of %d", what, c, n))
	}
	return c
}

// Note implements [Bus].
func (f *Function) Note(format string, args ...any) {
	f.host.Note(f, format, args...)
}
