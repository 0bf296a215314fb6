package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/mem"
)

// mapOpaque maps pages that stand for a structure of the kernel whose fields
// are not drivers' to read: a touch stops the run by name.
func (m *Machine) mapOpaque(pages int, what string) uint64 {
	va := m.Mem.MapDevice(mem.SystemMaps, pages)
	m.windows = append(m.windows, window{va: va, pages: pages, opaque: what})
	return va
}

// opaqueField is a read or write in such a structure.
func (t *Thread) opaqueField(w *window, off uint64, size int) uint64 {
	if w.opaque == processorBlock {
		if v, ok := t.processorField(off, size); ok {
			return v
		}
		off %= processorPages * mem.PageSize
	}
	t.Unsupported(fmt.Sprintf("access to the %d bytes at offset 0x%X of the kernel's structure %s", size, off, w.opaque))
	return 0
}

// LoadOpaque is a load of guest code from a structure of the kernel; ok is false
// elsewhere. It is no scheduling point: an instruction that reads behind GS has
// the processor that it runs on.
func (t *Thread) LoadOpaque(addr uint64, size int) (v uint64, ok bool) {
	for i := range t.m.windows {
		if w := &t.m.windows[i]; w.opaque != "" && w.contains(addr) {
			return t.opaqueField(w, addr-w.va, size), true
		}
	}
	return 0, false
}

// processorBlock is the name of the KPCR with its KPRCB, which code in the kernel
// finds behind the segment register GS.
const processorBlock = "KPCR"

// processorPages is the room for one KPCR.
const processorPages = 16

// ProcessorBlock returns the address of the KPCR of a processor.
func (m *Machine) ProcessorBlock(cpu int) uint64 {
	if m.processorBlocks == 0 {
		m.processorBlocks = m.mapOpaque(processorPages*len(m.procs), processorBlock)
	}
	return m.processorBlocks + uint64(cpu)*processorPages*mem.PageSize
}

// prcb is the offset of the KPRCB in the KPCR.
const prcb = 0x180

// processorField returns a field of the KPCR that is the same in all versions of
// Windows for x64 (ntddk.h up to Windows 7 declares the beginning of both
// structures).
func (t *Thread) processorField(off uint64, size int) (v uint64, ok bool) {
	cpu := int(off / (processorPages * mem.PageSize))
	at, self := off%(processorPages*mem.PageSize), t.m.ProcessorBlock(cpu)
	p := &t.m.procs[cpu]
	switch {
	case at == 0x18 && size == 8: // Self
		return self, true
	case at == 0x20 && size == 8: // CurrentPrcb
		return self + prcb, true
	case at == 0x60 && size == 2, at == 0x62 && size == 2: // MajorVersion, MinorVersion
		return 1, true
	case at == prcb+0x08 && size == 8: // CurrentThread
		return t.m.threads[p.current].Object(), true
	case at == prcb+0x18 && size == 8: // IdleThread
		return t.m.threads[p.idle].Object(), true
	case at == prcb+0x24 && (size == 4 || size == 1), // Number
		at == prcb+0x04 && size == 1, at == 0x53 && size == 1: // LegacyNumber, ObsoleteNumber
		return uint64(cpu), true
	}
	return 0, false
}
